"""Credentials that are part of a longer text: keys in PEM, URLs, command lines, credential files. « and » mark the value."""

import json

import alphabets as a
import checksums as c
from alphabets import BASE62, BASE64, BASE64URL, HEX, LOWER
from credentials import stellar, texts

WORDS = ("summer winter tiger dragon coffee monkey purple river silver castle rocket garden bridge falcon marble thunder "
         "pepper sunset harbor velvet copper meadow saturn walnut").split()
HOSTS = ["db.acme.io", "10.0.4.17", "localhost", "pg-primary.internal", "cluster0.ab1cd.mongodb.net", "cache-1.eu.acme.cloud"]
USERS = ["app", "admin", "svc_billing", "deploy", "reporting", "root", "j.doe", "etl-user"]


def password(r):
    """As people and as generators make them; URL-safe."""
    kind = r.randrange(4)
    if kind == 0:
        return r.choice(WORDS).capitalize() + str(r.randint(10, 2026)) + r.choice("!*~")
    if kind == 1:
        return a.text(r, BASE62, (12, 32))
    if kind == 2:
        return "-".join(r.choice(WORDS) for _ in range(3)) + str(r.randint(1, 99))
    return a.text(r, BASE62 + "-_.~!*", (14, 24)) + a.text(r, BASE62, 2)


def pem(r, label, first, size, headers=""):
    body = first + a.text(r, BASE64, size - len(first)) + r.choice(["", "=", "=="])
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    text = "\n".join(["-----BEGIN %s-----" % label] + ([headers] if headers else []) + lines + ["-----END %s-----" % label])
    style = r.randrange(3)
    if style == 1:
        return '{"private_key": "«' + text.replace("\n", "\\n") + '»"}'
    if style == 2:
        return "# /etc/ssl/private/server.key\n«" + text + "»\n"
    return "key: |\n  «" + text.replace("\n", "\n  ") + "»\n"


@texts("rsa_private_key")
def rsa(r):
    if r.random() < .2:
        return pem(r, "RSA PRIVATE KEY", "", 1590, "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC," + a.text(r, HEX.upper(), 32) + "\n")
    return pem(r, "RSA PRIVATE KEY", "MII", r.choice([1588, 2344, 3172]))


@texts("ec_private_key")
def ec(r):
    return pem(r, "EC PRIVATE KEY", "MHcCAQEE", 164)


@texts("dsa_private_key")
def dsa(r):
    return pem(r, "DSA PRIVATE KEY", "MIIBuwIBAAKBgQ", 600)


@texts("pkcs8_private_key")
def pkcs8(r):
    return pem(r, "PRIVATE KEY", r.choice(["MIIEv", "MIGHAgEAMBMGByqGSM49", "MC4CAQAwBQYDK2VwBCIEI"]), r.choice([184, 1624]))


@texts("encrypted_private_key")
def encrypted(r):
    return pem(r, "ENCRYPTED PRIVATE KEY", "MIIFHzBJBgkqhkiG9w0BBQ0w", 1700)


@texts("openssh_private_key")
def openssh(r):
    return pem(r, "OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAA", r.choice([360, 2590]))


@texts("pgp_private_key")
def pgp(r):
    body = "lQdGB" + a.text(r, BASE64, 2000)
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    return "«" + "\n".join(["-----BEGIN PGP PRIVATE KEY BLOCK-----", ""] + lines + ["=" + a.text(r, BASE64, 4), "-----END PGP PRIVATE KEY BLOCK-----"]) + "»\n"


@texts("putty_private_key")
def putty(r):
    def block(n):
        return "\n".join(a.text(r, BASE64, 64) for _ in range(n))
    version = r.choice("23")
    return ("«PuTTY-User-Key-File-%s: ssh-rsa\nEncryption: none\nComment: key-%d\nPublic-Lines: 6\n%s\nPrivate-Lines: 14\n%s\nPrivate-MAC: %s»\n"
            % (version, r.randint(1, 9999), block(6), block(14), a.text(r, HEX, 40 if version == "2" else 64)))


@texts("jwk_private_key")
def jwk(r):
    key = {"kty": "EC", "crv": "P-256", "x": a.text(r, BASE64URL, 43), "y": a.text(r, BASE64URL, 43), "d": a.text(r, BASE64URL, 43)}
    return json.dumps(key).replace(key["d"], "«" + key["d"] + "»")


@texts("kubernetes_client_key")
def kubeconfig(r):
    return "users:\n- name: admin\n  user:\n    client-key-data: «" + c.b64(b"-----BEGIN RSA PRIVATE KEY-----\n" + a.random_bytes(r, 900)) + "»\n"


@texts("gcp_service_account_key_id")
def service_account(r):
    text = ('{"type": "service_account", "project_id": "acme-%d", "private_key_id": "«%s»", "client_id": "104"}'
            % (r.randint(1, 999), a.text(r, HEX, 40)))
    return text if r.random() < .7 else json.dumps(text, ensure_ascii=False)


@texts("azure_shared_access_key")
def shared_access(r):
    return ("Endpoint=sb://acme-%d.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=«%s»"
            % (r.randint(1, 999), c.b64(a.random_bytes(r, 32))))


@texts("azure_sas_signature")
def sas(r):
    from urllib.parse import quote
    return ("https://acme%d.blob.core.windows.net/data/report.csv?sv=2023-11-03&se=2026-12-31T23%%3A59%%3A59Z&sr=b&sp=r&sig=«%s»"
            % (r.randint(1, 999), quote(c.b64(a.random_bytes(r, 32)), safe="" if r.random() < .7 else "/")))


@texts("vault_unseal_key")
def unseal(r):
    return "Unseal Key %d: «%s»\n" % (r.randint(1, 5), c.b64(a.random_bytes(r, 33)))


@texts("cloudinary_url")
def cloudinary(r):
    return "CLOUDINARY_URL=cloudinary://%s:«%s»@acme" % (a.digits(r, 15), a.text(r, BASE64URL, 27))


@texts("sentry_dsn")
def dsn(r):
    return "SENTRY_DSN=https://«%s:%s»@o%s.ingest.sentry.io/%s" % (a.text(r, HEX, 32), a.text(r, HEX, 32), a.digits(r, 6), a.digits(r, 7))


@texts("npm_legacy_token")
def npmrc(r):
    return "//registry.acme.io/:_authToken=«%s»\nalways-auth=true\n" % (r.choice(["", "NpmToken."]) + a.uuid(r))


@texts("npm_basic_auth")
def npm_auth(r):
    return "registry=https://npm.acme.io/\n_auth=«%s»\nalways-auth=true\n" % c.b64(("deploy:" + password(r)).encode())


@texts("docker_config_auth")
def docker(r):
    return '{"auths": {"registry.acme.io": {"auth": "«%s»"}}}' % c.b64((r.choice(USERS) + ":" + password(r)).encode())


def url(detector, schemes, tail):
    @texts(detector)
    def make(r):
        scheme = r.choice(schemes)
        value = "%s://%s:«%s»@%s%s" % (scheme, r.choice(USERS), password(r), r.choice(HOSTS), tail)
        return r.choice(["DATABASE_URL=%s\n", "url: \"%s\"\n", "connect to %s and run the migration", '{"dsn": "%s"}', "engine = create_engine('%s')\n",
                         "2026-02-11T08:14:02Z WARN retrying %s in 5s", "| staging | `%s` |", "INSERT INTO sources (url) VALUES ('%s');"]) % value
    return make


url("postgres_url", ["postgres", "postgresql", "postgresql+asyncpg"], ":5432/orders?sslmode=require")
url("mysql_url", ["mysql", "mariadb", "mysql+pymysql"], ":3306/shop")
url("mongodb_url", ["mongodb", "mongodb+srv"], "/app?retryWrites=true")
url("redis_url", ["redis", "rediss"], ":6379/0")
url("amqp_url", ["amqp", "amqps"], ":5671/vhost")
url("mssql_url", ["mssql+pyodbc", "sqlserver", "clickhouse", "neo4j+s", "nats", "ldap"], ":1433/main")
url("url_basic_auth", ["https", "http", "git+https"], "/repo.git")
url("ftp_url", ["ftp", "sftp", "smtp", "smtps", "socks5", "imaps", "mqtts"], ":2525/inbox")


@texts("jdbc_password")
def jdbc(r):
    return "spring.datasource.url=jdbc:postgresql://%s:5432/app?user=%s&password=«%s»\n" % (r.choice(HOSTS), r.choice(USERS), password(r))


@texts("connection_string_password")
def ado(r):
    if r.random() < .3:
        return "dsn = \"host=%s port=5432 dbname=app user=%s password=«%s»\"" % (r.choice(HOSTS), r.choice(USERS), password(r))
    return '"ConnectionStrings": {"Main": "Server=%s;Database=orders;User Id=%s;Password=«%s»;Encrypt=true"}' % (r.choice(HOSTS), r.choice(USERS), password(r))


@texts("netrc_password")
def netrc(r):
    return "machine api.acme.io\n  login %s\n  password «%s»\n" % (r.choice(USERS), password(r)) if r.random() < .5 else "machine git.acme.io login %s password «%s»\n" % (r.choice(USERS), password(r))


@texts("pgpass_password")
def pgpass(r):
    return "# ~/.pgpass\n%s:5432:orders:%s:«%s»\n" % (r.choice(HOSTS), r.choice(USERS), password(r))


@texts("htpasswd_hash")
def htpasswd(r):
    b = "./" + BASE62
    return "%s:«%s»\n" % (r.choice(USERS), r.choice([
        "$apr1$" + a.text(r, b, 8) + "$" + a.text(r, b, 22), "$2y$10$" + a.text(r, b, 53), "$2b$12$" + a.text(r, b, 53),
        "$6$" + a.text(r, b, 16) + "$" + a.text(r, b, 86), "$5$rounds=5000$" + a.text(r, b, 16) + "$" + a.text(r, b, 43),
        "$y$j9T$" + a.text(r, b, 22) + "$" + a.text(r, b, 43),
        "$argon2id$v=19$m=65536,t=3,p=4$" + a.text(r, BASE64, 22) + "$" + a.text(r, BASE64, 43)]))


@texts("authorization_basic")
def basic(r):
    value = c.b64((r.choice(USERS) + ":" + password(r)).encode())
    return r.choice(['curl -H "Authorization: Basic «%s»" https://api.acme.io/v1/me', "authorization: Basic «%s»\r\n", '{"headers": {"Authorization": "Basic «%s»"}}']) % value


@texts("authorization_bearer")
def bearer(r):
    value = a.text(r, BASE64URL, (32, 64))
    return r.choice(['curl -H "Authorization: Bearer «%s»" https://api.acme.io/v1/me', "GET /v1/me HTTP/1.1\r\nauthorization: Bearer «%s»\r\n", '{"headers": {"Authorization": "Bearer «%s»"}}', "Authorization: token «%s»\n"]) % value


@texts("curl_user_password")
def curl(r):
    return r.choice(["curl -u %s:«%s» https://jenkins.acme.io/job/x/build\n", "curl -sS --user '%s:«%s»' https://api.acme.io\n"]) % (r.choice(USERS), password(r))


@texts("sql_password")
def sql(r):
    return r.choice(["CREATE USER 'shop'@'%%' IDENTIFIED BY '«%s»';", "ALTER ROLE reporting WITH LOGIN PASSWORD '«%s»';", "CREATE USER app WITH PASSWORD '«%s»' CREATEDB;"]) % password(r)


@texts("command_line_password")
def command(r):
    return r.choice(["sshpass -p '«%s»' ssh deploy@10.1.2.3\n", "mysql -h db -u root -p«%s» shop < dump.sql\n", "PGPASSWORD=«%s» psql -h db -U app\n"]) % (r.choice(WORDS).capitalize() + a.text(r, BASE62, 8) + "9")


@texts("generic_password")
def named_password(r):
    value = password(r)
    return r.choice([
        "DB_PASSWORD=«%s»\n", "password: «%s»\n", '{"username": "jdoe", "password": "«%s»"}', "smtp_pass = '«%s»'\n",
        "admin_password = \"«%s»\"\n", "The password is «%s», please change it.", "spring.mail.password=«%s»\n", "Passwort: «%s»\n",
        "my wifi passphrase: «%s»", "login: jdoe / pwd: «%s»\n", "define('DB_PASSWORD', '«%s»');"]) % value


@texts("api_key")
def announced(r):
    return r.choice(["use key-«%s» for the sandbox", "secret_«%s»", "token-«%s»", 'X-Auth: api-«%s»']) % a.text(r, BASE62, (24, 40))


def in_text(detector, contexts, make):
    """A value that is looked for only where something says what it is."""
    @texts(detector)
    def built(r):
        return r.choice(contexts) % make(r)


WALLET = ["bitcoin private key: «%s»\n", "importprivkey «%s» \"main\" false\n", '{"wif": "«%s»"}', "WIF=«%s»\n", "the wallet's private key is «%s» (do not share)"]
in_text("bitcoin_wif_key", WALLET, lambda r: c.base58check(b"\x80" + a.random_bytes(r, 32) + (b"\x01" if r.random() < .7 else b"")))
STELLAR = ["stellar secret seed: «%s»\n", "STELLAR_SECRET=«%s»\n", '{"secretKey": "«%s»"}', "seed «%s» for the testnet signer"]
in_text("stellar_secret_seed", STELLAR, stellar)
