"""Logins through the Postgres guard, against a real server: credentials that the agent does not have, over TLS and without,
logins that pass through, and what is refused."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess

import harness
import postgres_server

harness.CLIENT_NAMES["brokered-db.example.com"] = (harness.WEB4, None)
harness.CLIENT_NAMES["relayed-db.example.com"] = (harness.OTHER4, None)
harness.CLIENT_NAMES["vaulted-db.example.com"] = (harness.RESOLVER4, None)

SECRET = "the-real-password-7f3ac1"
PLACEHOLDER = "ask-the-guard"

POLICY = """
version: 1
name: e2e
file_rules:
  - {{name: workspace, paths: ["${{PROJECT_ROOT}}/**"], operations: ["*"], decision: allow}}
command_rules:
  - {{name: everything, decision: allow}}
providers:
  main: {{type: vault, address: "https://{resolver}:8299", timeout: 2s, auth: {{method: token, token_ref: "file:{secrets}/token"}}}}
db_services:
  brokered:
    upstream: "brokered-db.example.com:5432"
    tls_mode: terminate_reissue
    credentials: {{user: app, password: "file:{secrets}/password", client_user: agent, placeholder: {placeholder}}}
    channel_binding: require
  relayed: {{upstream: "relayed-db.example.com:5432", tls_mode: terminate_plaintext_upstream, trusted_network: true}}
  vaulted:
    upstream: "vaulted-db.example.com:5432"
    tls_mode: terminate_reissue
    credentials: {{user: app, password: "vault://kv/data/db#password"}}
database_connection_rules:
  - {{name: app, db_service: brokered, db_user: [app], client_identity: agent, decision: allow}}
  - {{name: others, db_service: relayed, decision: allow}}
  - {{name: vaulted, db_service: vaulted, decision: allow}}
  - {{name: no-cancel, db_service: relayed, match_kind: cancel, db_user: [agent], decision: deny}}
  - {{name: no-template, database: "template*", decision: deny, message: "{{{{.Database}}}} is not for {{{{.User}}}}."}}
database_rules:
  - {{name: reads, operations: [read, transaction, session], decision: allow}}
  - {{name: stay, operations: [session], subtypes: [set_role], decision: deny, message: "Stay who you are."}}
  - {{name: paths, operations: [session], subtypes: [set_search_path], decision: deny}}
policies:
  db: {{log_statements: full, unavoidability: enforce}}
"""


def make_secrets(world):
    """The daemon's own file, and the server's key in the hands of the server's user."""
    directory = world.directory / "database-secrets"
    directory.mkdir(mode=0o700)
    for name, text in (("password", SECRET + "\n"), ("token", "hvs.root\n")):
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    if harness.Arguments.user:
        owner = pwd.getpwnam(harness.Arguments.user)
        for path in (directory, *directory.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    certificate, key = world.authority.issue("database", ["brokered-db.example.com", "vaulted-db.example.com"])
    own_key = world.directory / "database-own.key"
    shutil.copyfile(key, own_key)
    own_key.chmod(0o600)
    server = pwd.getpwnam("nobody")
    os.chown(own_key, server.pw_uid, server.pw_gid)
    certificate.chmod(0o644)
    return directory, certificate, own_key


class GuardLoginTest(harness.ApplianceTest):
    @classmethod
    def setUpClass(cls):
        world = harness.shared_world()
        secrets, certificate, key = make_secrets(world)
        cls.policies = {"e2e": POLICY.format(secrets=secrets, placeholder=PLACEHOLDER, resolver=harness.RESOLVER4)}
        super().setUpClass()
        cls.server = postgres_server.PostgresServer(
            world, settings=f"listen_addresses = '*'\nssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'")
        cls.server.sql(f"CREATE ROLE app LOGIN PASSWORD '{SECRET}'; GRANT admin TO app")

    def setUp(self):
        self.sid = self.create_session()

    def psql(self, host="brokered-db.example.com", sql="SELECT current_user", user="agent", password=PLACEHOLDER, **environment):
        variables = {"PGHOST": host, "PGUSER": user, "PGPASSWORD": password, "PGDATABASE": "postgres", "PGCONNECT_TIMEOUT": "20",
                     "PGSSLMODE": "disable", **environment}
        text = " ".join(f"{name}='{value}'" for name, value in variables.items())
        return self.shell(self.sid, f'{text} psql -X -At -v VERBOSITY=verbose -c "{sql}"')

    def assert_answer(self, result, answer):
        self.assertEqual(result.stdout.decode().strip(), answer, result.stderr.decode() + self.appliance.log_text()[-1500:])

    def assert_refused(self, result, *texts):
        self.assertNotEqual(result.returncode, 0, result.stdout)
        for text in texts:
            self.assertIn(text, result.stderr.decode())

    def test_the_agent_never_has_the_password(self):
        sql = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        self.assert_answer(self.psql(sql=sql), "app|t")
        environment = self.shell(self.sid, "env; cat /proc/*/environ; cat " + str(self.world.directory) + "/database-secrets/password")
        self.assertNotIn(SECRET.encode(), environment.stdout + environment.stderr)
        self.assertNotIn(SECRET, json.dumps(self.events(self.sid)))
        self.assertNotIn(SECRET, self.appliance.log_text())

    def test_nor_has_its_memory(self):
        (self.workspace / "hold.py").write_text(
            "import os, psycopg2, time\n"
            f"c = psycopg2.connect(host='brokered-db.example.com', user='agent', password='{PLACEHOLDER}', dbname='postgres')\n"
            "q = c.cursor(); q.execute('SELECT current_user'); open('connected', 'w').write(q.fetchone()[0])\n"
            "for _ in range(600):\n  if os.path.exists('done'): break\n  time.sleep(0.05)\n")
        os.chmod(self.workspace / "hold.py", 0o644)
        os.chmod(self.workspace, 0o777)
        command = [harness.Arguments.bin / "agentsh", "exec", self.sid, "--", "/usr/bin/python3", "hold.py",
                   self.workspace]  # By which it is told from those of tests beside this one.
        client = subprocess.Popen(self.appliance.as_user(command), env=self.appliance.environment(), cwd=self.workspace,
                                  stdin=subprocess.DEVNULL)
        try:
            connected = self.workspace / "connected"
            harness.wait_until(lambda: connected.exists() and connected.read_text() == "app", "the client is connected", 30)
            holder = next(pid for pid in self.process_ids() if self.is_holder(pid))
            memory = self.memory_of(holder)
            self.assertIn(PLACEHOLDER.encode(), memory)
            self.assertNotIn(SECRET.encode(), memory)
        finally:
            (self.workspace / "done").write_text("")
            client.wait(timeout=60)

    @staticmethod
    def process_ids():
        return [path.name for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]

    def is_holder(self, pid):
        """The session's python, which this test started."""
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            return words[:3] == [b"/usr/bin/python3", b"hold.py", bytes(self.workspace)]
        except OSError:
            return False

    @staticmethod
    def memory_of(pid):
        found = b""
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                place, modes = line.split()[:2]
                if not modes.startswith("rw"):
                    continue
                begin, end = (int(part, 16) for part in place.split("-"))
                try:
                    memory.seek(begin)
                    found += memory.read(end - begin)
                except (OSError, ValueError, OverflowError):
                    continue
        return found

    def test_bound_on_both_legs(self):
        """The client's login is bound to the certificate that the guard shows, the guard's to the server's."""
        result = self.psql(PGSSLMODE="require", PGCHANNELBINDING="require")
        self.assert_answer(result, "app")

    def test_wrong_placeholder(self):
        for arguments in ({"password": "guess"}, {"password": SECRET}):
            self.assert_refused(self.psql(**arguments), "the guard of brokered does not know user", "HINT")
        self.assertEqual([e["fields"]["error_code"] for e in self.events(self.sid, "--type", "db_handshake_fail")],
                         ["28P01", "28P01"])
        # By the rule: its identity is another one.
        self.assert_refused(self.psql(user="admin"), 'no rule permits user "app" to connect')

    def test_relayed(self):
        host = "relayed-db.example.com"
        self.assert_answer(self.psql(host, password="secret"), "agent")
        self.assert_refused(self.psql(host, password="wrong"), "password authentication failed")
        # There is no TLS on this leg, which a client can insist on.
        self.assert_refused(self.psql(host, password="secret", PGSSLMODE="require"), "does not support SSL")

    def test_vault_is_down(self):
        result = self.psql("vaulted-db.example.com", password="")
        self.assert_refused(result, "the credentials of vaulted cannot be had: vault://kv/data/db#password", "connect")
        failures = self.events(self.sid, "--type", "db_handshake_fail")
        self.assertEqual([e["fields"]["error_code"] for e in failures], ["08006"])

    def test_connection_rules(self):
        self.assert_refused(self.psql(PGDATABASE="template1"), "template1 is not for app.")
        denied = [e for e in self.events(self.sid, "--type", "db_connection") if e["policy"]["decision"] == "deny"]
        self.assertEqual([e["policy"]["rule"] for e in denied], ["no-template"])

    def test_cancellation_is_decided_as_the_connections_own(self):
        (self.workspace / "cancel.py").write_text(
            "import psycopg2, threading\n"
            "c = psycopg2.connect(host='relayed-db.example.com', user='agent', password='secret', dbname='postgres')\n"
            "q = c.cursor()\n"
            "threading.Timer(0.3, c.cancel).start()\n"
            "q.execute('SELECT count(*) FROM generate_series(1, 4000000)'); print(q.fetchone()[0])\n")
        os.chmod(self.workspace / "cancel.py", 0o644)
        result = self.run_in(self.sid, "/usr/bin/python3", "cancel.py")
        self.assert_answer(result, "4000000")
        denied = [e for e in self.events(self.sid, "--type", "db_connection") if e["operation"] == "cancel"]
        self.assertEqual([e["policy"]["rule"] for e in denied], ["no-cancel"])

    def test_startup_parameters_are_statements(self):
        for options in ("-c role=admin", "--role=admin", "-crole=admin", "-c r\\ole=admin"):
            self.assert_refused(self.psql(PGOPTIONS=options), '"role" is denied: rule stay', "Stay who you are.")
        self.assert_refused(self.psql(PGOPTIONS="-c search_path=evil"), "rule paths")
        self.assert_refused(self.psql(PGOPTIONS="-S 64"), "is not understood here")
        self.assert_answer(self.psql(sql="SHOW statement_timeout", PGOPTIONS="-c statement_timeout=12s"), "12s")
        self.assertEqual(self.server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'admin'"), "0")


if __name__ == "__main__":
    harness.main()
