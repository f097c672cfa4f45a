"""Hard negatives: text that looks like what detectors look for and is not. `documents(seed, count)` yields that many."""

import datetime
import json
import random

import alphabets as a
import checksums as c
from alphabets import BASE36, BASE36_UPPER, BASE62, BASE64, BASE64URL, DIGITS, HEX, LOWER, UPPER

WORDS = ("cache queue index buffer session handler request response parser stream token user order invoice account config "
         "server client worker thread socket packet header footer table column row query result error retry timeout metric").split()


def w(r):
    return r.choice(WORDS)


def hashes(r):
    return r.choice(["%s  %s.tar.gz\n", "md5: %s (%s)", "commit %s\n\n    fix %s", "ETag: \"%s\" # %s", "sha256:%s %s"]) % (a.text(r, HEX, r.choice([32, 40, 56, 64, 96, 128])), w(r))


def uuids(r):
    return r.choice(["request_id=%s user=%s", '{"trace": "%s", "span": "%s"}', "%s %s", "INSERT INTO t VALUES ('%s', '%s');"]) % (a.uuid(r), a.uuid(r))


def versions(r):
    v = [r.randint(0, 30) for _ in range(4)]
    return r.choice(["%d.%d.%d.%d", "v%d.%d.%d-rc%d", "libfoo.so.%d.%d.%d-%d", "python3.%d==%d.%d.%d", "Chrome/1%d.0.6%d%d.%d Safari/537.36", "glibc-2.%d-%d.%d.el%d", "^%d.%d.%d || ~%d.0"]) % tuple(v)


def orders(r):
    number = a.digits(r, r.choice([8, 9, 10, 11, 12, 13, 14, 15, 16]))
    return r.choice(["Order %s shipped on Monday", "invoice no. %s is due", "ticket #%s", "tracking: %s", '{"order_id": %s, "qty": 3}', "SKU %s-B", "batch %s done", "part number %s", "order-%s.pdf", "ref=%s&x=1", "serial %s"]) % number


def grouped_numbers(r):
    shape = r.choice(["3-3-4", "4-4-4", "2-7", "3-2-3", "4 4 4", "5-4", "8-1", "2 3 3 3", "3.3.3"])
    text = "".join(a.digits(r, int(ch)) if ch.isdigit() else ch for ch in shape)
    return r.choice(["Item %s in stock", "model %s", "lot %s expires soon", "code %s", "row %s"]) % text


def timestamps(r):
    t = datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=r.randrange(2 * 10**8))
    return r.choice(["%s start", "ts=%s level=info", '{"at": "%s"}', "[%s] done"]) % r.choice(
        [t.isoformat() + "Z", str(int(t.timestamp())), str(int(t.timestamp() * 1000)), str(int(t.timestamp() * 10**6)), str(int(t.timestamp() * 10**9)), t.strftime("%Y%m%d%H%M%S"), t.strftime("%d/%m/%Y %H:%M")])


def source_code(r):
    x, y, z = w(r), w(r), w(r)
    return r.choice([
        "def %s_%s(self, %s):\n    return self.%s\n" % (x, y, z, z),
        "password = getpass.getpass('Password: ')\nlogin(%s, password)\n" % x,
        "api_key = os.environ['%s_API_KEY']\n" % x.upper(),
        "const token = await %s.get%sToken(%s);\n" % (x, y.capitalize(), z),
        "if (user.password !== confirmPassword) { throw new Error('passwords do not match'); }\n",
        "secret: ${{ secrets.%s_TOKEN }}\n" % x.upper(),
        "    token: process.env.%s_TOKEN || '',\n" % y.upper(),
        "private static final String API_KEY_HEADER = \"X-%s-Api-Key\";\n" % x.capitalize(),
        "export %s_SECRET=$(vault read -field=value secret/%s)\n" % (x.upper(), y),
        "auth_token = request.headers.get('Authorization', '').removeprefix('Bearer ')\n",
        "const PASSWORD_MIN_LENGTH = %d;\nconst passwordField = document.getElementById('password-%s');\n" % (r.randint(6, 20), x),
        "password: Optional[str] = None\napi_key: str = Field(default='', description='%s key')\n" % x,
        "$password = $_POST['password'];\n$token = md5(uniqid());\n",
        "access_key = var.%s_access_key\nsecret_key = var.%s_secret_key\n" % (x, x),
        "authorization: Bearer ${ACCESS_TOKEN}\n", "Authorization: Bearer <token>\n", "curl -u \"$USER:$PASS\" https://%s.test/\n" % x,
        "postgres://user:password@localhost:5432/%s\n" % x, "mongodb://<username>:<password>@cluster.%s.net/%s\n" % (y, x), "redis://:${REDIS_PASSWORD}@redis:6379/0\n",
        "#define %s_KEY_SIZE %d\nstatic const struct %s_ops %s = { .read = %s_read };\n" % (x.upper(), r.randint(1, 512), y, z, y),
        "SELECT password_hash, api_token FROM users WHERE %s_id = ?;\n" % x,
        "token_type_%s = secret_%s_manager.%s_key_identifier_for_configuration\n" % (x, y, z),
        "assertEquals(%s.%s(%d), %d);\n" % (x, y, r.randint(0, 99999), r.randint(0, 99999)),
    ])


def base64_image(r):
    return r.choice(["<img src=\"data:image/png;base64,iVBORw0KGgo%s\">", "background: url(data:image/gif;base64,R0lGODlh%s)", '{"image": "/9j/4AAQSkZJRg%s"}']) % a.text(r, BASE64, r.randint(200, 900))


def filled(r, template):
    """@ becomes a letter, & a word, # a number."""
    return "".join({"@": lambda: r.choice(LOWER), "&": lambda: w(r), "#": lambda: str(r.randint(0, 9999))}.get(ch, lambda: ch)() for ch in template)


def minified(r):
    templates = ["function @(@,@){return @.&?@:#}", "var @=@[#],@=@.&(@,#);", "!function(@){@.&=@||#,@&&#}();", "@=@.&(#),", "if(@.&>=#)return{&:@,&:!#};"]
    return "".join(filled(r, r.choice(templates)) for _ in range(r.randint(8, 25)))


def hex_dump(r):
    return "\n".join("%08x  %s  |%s|" % (i * 16, " ".join("%02x" % r.randrange(256) for _ in range(16)), a.text(r, BASE62 + "....", 16)) for i in range(r.randint(2, 8)))


def integrity(r):
    kind = r.randrange(5)
    if kind == 0:
        return '"node_modules/%s": {"version": "1.%d.0", "integrity": "sha512-%s=="}' % (w(r), r.randint(0, 9), a.text(r, BASE64, 86))
    if kind == 1:
        return '  resolved "https://registry.test/%s/-/%s-1.0.%d.tgz#%s"\n  integrity sha1-%s=\n' % (w(r), w(r), r.randint(0, 9), a.text(r, HEX, 40), a.text(r, BASE64, 27))
    if kind == 2:
        return "github.com/%s/%s v1.2.%d h1:%s=\n" % (w(r), w(r), r.randint(0, 9), a.text(r, BASE64, 43))
    if kind == 3:
        return "%s==2.%d.1 \\\n    --hash=sha256:%s \\\n" % (w(r), r.randint(0, 9), a.text(r, HEX, 64))
    return '[[package]]\nname = "%s"\nversion = "0.%d.4"\nchecksum = "%s"\n' % (w(r), r.randint(0, 99), a.text(r, HEX, 64))


def wrong_checksum(r):
    """Near misses: right in everything but the check."""
    def other_digit(value, at=-1):
        chars = list(value)
        chars[at] = str((int(chars[at]) + r.randint(1, 9)) % 10)
        return "".join(chars)
    kind = r.randrange(8)
    if kind == 0:
        return "token %s%s" % (r.choice(["ghp_", "gho_", "ghs_", "npm_"]), a.text(r, BASE62, 36))
    if kind == 1:
        body = r.choice("45") + a.digits(r, 14)
        return "card %s declined" % other_digit(body + c.luhn_digit(body))
    if kind == 2:
        bban = a.digits(r, 18)
        return "IBAN DE%s%s is wrong" % (other_digit(c.iban_check("DE", bban)), bban)
    if kind == 3:
        return "glsa_%s_%s" % (a.text(r, BASE62, 32), a.text(r, HEX, 8))
    if kind == 4:
        return "send to 1%s" % a.text(r, a.BASE58, 33)
    if kind == 5:
        return "0x" + "".join(r.choice([ch.upper(), ch]) for ch in a.text(r, HEX, 40))
    if kind == 6:
        return "SSN %s-%02d-%s is not one" % (r.choice(["000", "666", "9" + a.digits(r, 2)]), r.randint(1, 49), a.digits(r, 4))
    body = a.digits(r, 14)
    return "IMEI %s rejected" % other_digit(body + c.luhn_digit(body))


def too_short(r):
    return r.choice(["ghp_%s", "sk-ant-%s", "AKIA%s", "xoxb-%s", "glpat-%s", "AIza%s", "sk_live_%s", "npm_%s", "hf_%s", "sk-proj-%s", "eyJ%s"]) % a.text(r, BASE62, r.randint(3, 12))


def identifiers(r):
    return r.choice(["%s_%s_%s_%d", "%s-%s-%s-%d", "%s.%s.%s%d", "/usr/lib/%s/%s/%s.so.%d", "com.acme.%s.%s.%s%d", "%s%s%s%d"]) % (w(r), w(r).capitalize(), w(r), r.randint(0, 99999))


def addresses(r):
    return r.choice(["http://127.0.0.1:%d/%s", "listening on 0.0.0.0:%d (%s)", "10.0.%d.1 %s", "192.168.1.%d %s", "user@host%d.service %s", "icon@%dx.png %s", "ff:ff:ff:ff:ff:ff %d %s", "::1 port %d %s"]) % (r.randint(1, 250), w(r))


def ids(r):
    return r.choice(["i-0%s", "vpc-%s", "arn:aws:iam::%s:role/x", "cus_%s", "pi_%s", "acct_%s", "U0%s", "msg_01%s", "run_%s", "toolu_01%s", "req_%s", "chatcmpl-%s", "resp_%s", "file-%s", "asst_%s"]) % a.text(r, BASE62, r.randint(10, 26))


def numbers_in_code(r):
    return r.choice(["0x%s," % a.text(r, HEX, 8), "%d, %d, %d, %d," % tuple(r.randrange(10**9) for _ in range(4)), "%.12f" % r.random(), "{%s, %s}" % (a.digits(r, 10), a.digits(r, 9)), "size=%d used=%d" % (r.randrange(10**10), r.randrange(10**9)),
                     "pid %d uid %d" % (r.randrange(10**5), r.randrange(10**5)), "[%s]" % ", ".join(a.digits(r, 11) for _ in range(5))])


def dates(r):
    return r.choice(["released on %04d-%02d-%02d", "Copyright %04d-%02d%02d", "updated: %04d/%02d/%02d", "Changelog %04d.%02d.%02d"]) % (r.randint(1990, 2026), r.randint(1, 12), r.randint(1, 28))


def prose(r):
    return r.choice([
        "Please reset your password in the %s settings; the new password must be 12 characters long." % w(r),
        "The secret of a good %s is patience, and the key to it is a good %s." % (w(r), w(r)),
        "An API key is required: see the %s section to create one." % w(r),
        "Call the %s function %d times and address the %s at line %d." % (w(r), r.randint(1, 999), w(r), r.randint(1, 9999)),
        "The %s road to %s street smart drivers; his birthday party was a %s." % (w(r), w(r), w(r)),
        "Tokens are %s-scoped. The token expires in %d seconds." % (w(r), r.randint(60, 86400)),
        "We tested %d phones, %d cards and %d passports of the %s." % (r.randint(1, 10**6), r.randint(1, 10**6), r.randint(1, 10**6), w(r)),
    ])


def opaque(r):
    return r.choice(["%s", "nonce=%s", "state: %s", "cursor=%s", "\"etag\": \"%s\"", "boundary=%s", "data:%s", "sig %s"]) % r.choice(
        [a.text(r, BASE62, r.randint(16, 64)), a.text(r, BASE64, r.randint(20, 88)), a.text(r, BASE64URL, r.randint(16, 64)), a.text(r, BASE36, r.randint(12, 40)), a.text(r, BASE36_UPPER, r.randint(8, 40)), a.text(r, UPPER, r.randint(8, 24)), a.text(r, DIGITS, r.randint(6, 30))])


def structured(r):
    return json.dumps({w(r): r.randrange(10**6), w(r): a.uuid(r), w(r): a.text(r, HEX, 40), "created": r.randrange(10**9, 2 * 10**9), "ok": True})


KINDS = [hashes, uuids, versions, orders, grouped_numbers, timestamps, source_code, base64_image, minified, hex_dump, integrity, wrong_checksum, too_short, identifiers, addresses, ids,
         numbers_in_code, dates, prose, opaque, structured]


def documents(seed, count):
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        r = random.Random("%s/negative/%d" % (seed, i))
        yield kind.__name__, kind(r)
