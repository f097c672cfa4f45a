"""What stands around a value: prose, logs, code, SQL, URLs, data formats. Every template gives one document with the value
between « and »; `name` is how the value is called there."""

import json
import re

PROSE = [
    "Hi team, I have put the credentials for the staging cluster below so that Noah can finish the rollout tonight.\n\n%s\n\nPlease delete this message afterwards.",
    "Can you look at why this fails? %s That is what we use in production.",
    "%s",
    "Ticket OPS-1423, comment by a customer:\n> %s\n> Regards",
    "Summarize the following conversation.\nUser: %s\nAssistant: Understood.",
]
TIMES = ["2026-03-11T09:14:02.113Z", "2026-03-11 09:14:02,113", "Mar 11 09:14:02", "[11/Mar/2026:09:14:02 +0100]"]


def _words(name):
    return [name] if isinstance(name, str) else name


def upper(name):
    return re.sub(r"\W+", "_", "_".join(_words(name))).upper()


def snake(name):
    return re.sub(r"\W+", "_", "_".join(_words(name))).strip("_").lower()


def kebab(name):
    return snake(name).replace("_", "-")


def camel(name):
    parts = snake(name).split("_")
    return parts[0] + "".join(p.capitalize() for p in parts[1:])


def spoken(name, r):
    words = _words(name)
    if len(words) == 1:
        return words[0]
    return " ".join([words[0].capitalize()] + words[1:]) if r.random() < .7 else " ".join(words)


def _mark(value):
    return "«" + value + "»"


# --- secrets beside a name
def env(r, name, value):
    return "NODE_ENV=production\n%s%s=%s\nLOG_LEVEL=info\n" % (r.choice(["", "export "]), upper(name), r.choice(["%s", '"%s"', "'%s'"]) % _mark(value))


def json_text(r, name, value):
    key = r.choice([snake, camel, upper])(name)
    compact = r.random() < .4
    return json.dumps({"id": r.randint(1, 9999), key: "\0", "enabled": True}, indent=None if compact else 2,
                      separators=(",", ":") if compact else None).replace("\\u0000", _mark(value))


def yaml_text(r, name, value):
    return "service:\n  replicas: 3\n  %s: %s\n  region: eu-central-1\n" % (r.choice([snake, kebab, camel])(name), r.choice(["%s", '"%s"', "'%s'"]) % _mark(value))


def python_code(r, name, value):
    return r.choice(["import os\n\n%s = \"%s\"\nclient = Client(%s)\n", "client = Client(\n    %s='%s',\n    timeout=30,\n)  # %s\n", "os.environ['%s'] = '%s'  # %s\n"]) % (
        upper(name) if r.random() < .5 else snake(name), _mark(value), "x")


def javascript(r, name, value):
    return r.choice(["const %s = '%s';\nmodule.exports = { retries: 3 };\n", "  %s: \"%s\",\n  timeout: 5000,\n", "let %s = `%s`;\n"]) % (camel(name), _mark(value))


def log_line(r, name, value):
    return "%s INFO worker-%d %s=%s status=200 took=%dms\n%s INFO next\n" % (r.choice(TIMES), r.randint(1, 9), snake(name), _mark(value), r.randint(1, 900), r.choice(TIMES))


def sql(r, name, value):
    return r.choice(["INSERT INTO settings (name, value) VALUES ('%s', '%s');", "UPDATE settings SET value = 'x' WHERE name = 'y';\nINSERT INTO kv VALUES ('%s', '%s');", "SELECT * FROM accounts WHERE %s = '%s' LIMIT 1;"]) % (snake(name), _mark(value))


def url(r, name, value):
    return "GET https://api.acme.io/v2/items?%s=%s&page=2 HTTP/1.1" % (snake(name), _mark(value))


def csv(r, name, value):
    return "name,value,updated\nregion,eu-west-1,2026-01-02\n%s,%s,2026-01-03\n" % (snake(name), r.choice(["%s", '"%s"']) % _mark(value))


def markdown(r, name, value):
    return r.choice(["| Setting | Value |\n| --- | --- |\n| %s | `%s` |\n", "- **%s**: `%s`\n- region: eu\n", "## Setup\n\n%s: `%s`\n"]) % (spoken(name, r), _mark(value))


def prose(r, name, value):
    return r.choice(PROSE) % (r.choice(["The %s is %s and it expires in May.", "%s: %s", "my %s is %s", "Use this %s: %s", "%s = %s"]) % (spoken(name, r), _mark(value)))


def header(r, name, value):
    return "POST /v1/run HTTP/1.1\r\nHost: api.acme.io\r\n%s: %s\r\nAccept: */*\r\n\r\n" % ("-".join(w.capitalize() for w in snake(name).split("_")), _mark(value))


def toml(r, name, value):
    return "[service]\n%s = \"%s\"\nport = 8080\n" % (snake(name), _mark(value))


def xml(r, name, value):
    return "<config><%s>%s</%s><port>80</port></config>" % (snake(name), _mark(value), snake(name))


def terraform(r, name, value):
    return "variable \"region\" {}\n\nprovider \"acme\" {\n  %s = \"%s\"\n}\n" % (snake(name), _mark(value))


def dockerfile(r, name, value):
    return "FROM debian:12\nENV %s=%s\nRUN make\n" % (upper(name), _mark(value))


NAMED = [env, json_text, yaml_text, python_code, javascript, log_line, sql, csv, markdown, prose, header, toml, xml, terraform, dockerfile]
URL_SAFE = re.compile(r"[\w.~:-]+\Z")


def of_named(r, name, value):
    choices = NAMED + ([url] if URL_SAFE.match(value) else [])
    return r.choice(choices)(r, name, value)


# --- secrets that are recognised by themselves
GENERIC = ["token", "credential", "value", "auth", "access", "ci secret", "x", "deploy credential"]


def bare(r, value):
    return r.choice([
        "%s", "-> %s <-", "(%s)", "it says %s, then stops", "rejected: %s.", "$ tool login --with %s --yes\n", "[%s]", "see %s", '"%s"', "echo %s | tool login --stdin\n",
        "diff --git a/.env b/.env\n+%s\n", "leaked in the build log: %s!", "<li>%s</li>", "first line\n%s\nlast line", "{%s}", "\t%s\t",
    ]) % _mark(value)


def of_prefixed(r, value):
    if r.random() < .35:
        return bare(r, value)
    return of_named(r, r.choice(GENERIC).split(), value)


# --- personal data beside a label
def _field(label):
    return re.sub(r"[\s./()-]+", "_", label.replace("'", "")).strip("_").lower()


def labelled(r, label, value):
    marked = _mark(value)
    field = _field(label)
    return r.choice([
        lambda: "%s: %s" % (label, marked),
        lambda: "Customer record 17\nName: Jane Doe\n%s: %s\nStatus: active\n" % (label, marked),
        lambda: r.choice(PROSE) % ("her %s is %s as of today" % (label, marked)),
        lambda: "my %s is %s, can you fill in the form?" % (label, marked),
        lambda: '{"name": "Jane Doe", "%s": "%s", "active": true}' % (field, marked),
        lambda: '{"%s":"%s"}' % (field, marked),
        lambda: "INSERT INTO persons (name, %s) VALUES ('Jane', '%s');" % (field, marked),
        lambda: "UPDATE persons SET %s = '%s' WHERE id = 7;" % (field, marked),
        lambda: "%s INFO kyc check ok %s=%s source=branch\n" % (r.choice(TIMES), field, marked),
        lambda: "name: Jane Doe\n%s: \"%s\"\ncountry: XX\n" % (field, marked),
        lambda: "person.%s = \"%s\"\n" % (field, marked),
        lambda: "| Field | Value |\n| --- | --- |\n| %s | %s |\n" % (label, marked),
        lambda: "name,%s\nJane Doe,%s\n" % (field, marked),
        lambda: "<person><%s>%s</%s></person>" % (field, marked, field) if re.match(r"[a-z_]+\Z", field) else "%s %s" % (label, marked),
        lambda: "%s %s" % (label, marked),
        lambda: "- **%s**: %s\n" % (label, marked),
    ])()


def unlabelled(r, value):
    marked = _mark(value)
    return r.choice([
        "please check %s for me", "%s", "(%s)", "from %s to the archive", "'%s'", '{"value": "%s"}', "a;%s;b", "noted: %s.", "id=%s\n", "<td>%s</td>", "| %s |", "INSERT INTO t VALUES ('%s');",
        "x = \"%s\"\n", "2026-03-11T09:14:02Z INFO got %s ok", "Re: %s\n\nHello,", "- %s\n- other\n", "key: %s\n", "name,ref\nJane,%s\n"]) % marked


def split_marks(text):
    """The text without its marks, and the byte range between them."""
    before, rest = text.split("«", 1)
    value, after = rest.split("»", 1)
    begin = len(before.encode())
    return before + value + after, (begin, begin + len(value.encode()))
