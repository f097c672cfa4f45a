"""The Postgres guard: a session's connections to a declared service, by psql, pgbench and drivers, against a real server."""

import json
import os
import subprocess
import threading
import time
import unittest

import harness
import postgres_server

harness.CLIENT_NAMES["db.example.com"] = (harness.WEB4, None)
harness.CLIENT_NAMES["other-db.example.com"] = (harness.OTHER4, None)

POLICY = """
version: 1
name: e2e
file_rules:
  - {name: workspace, paths: ["${PROJECT_ROOT}/**"], operations: ["*"], decision: allow}
command_rules:
  - {name: everything, decision: allow}
network_rules:
  - {name: other, domains: ["other-db.example.com"], decision: allow}
db_services:
  main: {family: postgres, dialect: postgres, upstream: "db.example.com:5432", tls_mode: terminate_plaintext_upstream,
         trusted_network: true}
database_rules:
  - {name: no-drop, operations: [DROP], subtypes: [drop_table], decision: deny, message: "Dropping is for migrations.",
     deny_mode_in_tx: rollback_then_continue}
  - {name: no-truncate, operations: [schema_destroy], subtypes: [truncate], decision: deny, message: "No TRUNCATE."}
  - {name: no-secrets, operations: ["*"], relations: ["public.secrets"], decision: deny, message: "Secrets stay.",
     deny_mode_in_tx: rollback_then_continue}
  - {name: ask, operations: [delete], relations: ["public.audited"], decision: approve, timeout: 20s, message: "Ask first."}
  - {name: shadow, operations: [read], relations: ["public.people"], decision: redirect,
     redirect: {relation: "public.people_masked"}}
  - {name: work, operations: [READ, INSERT, UPDATE, DELETE, CREATE, LOAD, transaction, session, notify, bulk_export,
     maintenance, lock, schema_alter], decision: allow}
policies:
  db: {log_statements: full, unavoidability: enforce}
"""

TABLES = """
CREATE TABLE notes(id int primary key, body text);
CREATE TABLE secrets(body text);
CREATE TABLE audited(id int);
CREATE TABLE people(name text);
CREATE TABLE people_masked(name text);
INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 1000) i;
INSERT INTO secrets VALUES ('hidden');
INSERT INTO audited SELECT generate_series(1, 10);
INSERT INTO people VALUES ('Alice'); INSERT INTO people_masked VALUES ('A.');
GRANT ALL ON ALL TABLES IN SCHEMA public TO agent; GRANT CREATE ON SCHEMA public TO agent;
"""

ENVIRONMENT = "PGHOST=db.example.com PGUSER=agent PGPASSWORD=secret PGDATABASE=postgres PGCONNECT_TIMEOUT=10"


class GuardTest(harness.ApplianceTest):
    policies = {"e2e": POLICY}
    config = "approvals: {enabled: true}\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres_server.PostgresServer(cls.world)
        cls.server.sql(TABLES)

    def setUp(self):
        self.sid = self.create_session()

    def psql(self, script, *options, user="agent", timeout=60):
        (self.workspace / "script.sql").write_text(script)
        os.chmod(self.workspace / "script.sql", 0o644)
        return self.shell(self.sid, f"{ENVIRONMENT} PGUSER={user} psql -X -At {' '.join(options)} -f script.sql",
                          timeout=timeout)

    def python(self, script, timeout=60):
        program = ("import psycopg2, psycopg2.extensions, sys\n"
                   "c = psycopg2.connect(host='db.example.com', user='agent', password='secret', dbname='postgres')\n"
                   "q = c.cursor()\n" + script)
        (self.workspace / "script.py").write_text(program)
        os.chmod(self.workspace / "script.py", 0o644)
        return self.run_in(self.sid, "/usr/bin/python3", "script.py", timeout=timeout)

    def statements(self, **wanted):
        found = [e for e in self.events(self.sid, "--type", "db_statement")]
        for name, value in wanted.items():
            found = [e for e in found if e["fields"].get(name) == value]
        return found

    def test_allowed(self):
        result = self.psql("SELECT 1;\nSELECT count(*) FROM notes;\nSHOW server_version_num;\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.split()[:2], [b"1", b"1000"])
        event = [e for e in self.statements() if "notes" in e["fields"]["statement_text"]][0]
        self.assertEqual(event["fields"]["db_service"], "main")
        self.assertEqual(event["fields"]["db_user"], "agent")
        self.assertEqual(event["fields"]["raw_verb"], "SELECT")
        self.assertEqual(event["fields"]["operation_group"], "read")
        self.assertEqual(event["fields"]["rows_returned"], 1)
        self.assertEqual(event["policy"]["decision"], "allow")
        self.assertEqual(event["policy"]["rule"], "work")

    def test_denied(self):
        result = self.psql("DROP TABLE notes;\nSELECT 'still here';\nSELECT * FROM secrets;\n"
                           "SELECT * FROM notes WHERE body IN (SELECT body FROM secrets);\n", "-v VERBOSITY=verbose")
        self.assertIn(b"42501", result.stderr)
        self.assertIn(b"denied by rule no-drop: Dropping is for migrations.", result.stderr)
        self.assertIn(b"HINT", result.stderr)
        self.assertEqual(result.stderr.count(b"Secrets stay."), 2)
        self.assertEqual(result.stdout.strip(), b"still here")
        self.assertEqual(self.server.sql("SELECT count(*) FROM notes"), "1000")
        self.assertNotIn("DROP TABLE notes;", self.server.statements())
        denied = [e for e in self.statements() if e["policy"]["decision"] == "deny"]
        self.assertEqual({e["policy"]["rule"] for e in denied}, {"no-drop", "no-secrets"})

    def test_multi_statement_text_is_denied_whole(self):
        result = self.psql("SELECT 1\\; DROP TABLE notes\\; SELECT 2;\n")
        self.assertIn(b"no-drop", result.stderr)
        self.assertEqual(result.stdout, b"")

    def test_rollback_in_transaction(self):
        result = self.psql("BEGIN;\nINSERT INTO notes VALUES (5000, 'x');\nDROP TABLE notes;\n"
                           "SELECT count(*) FROM notes WHERE id = 5000;\nCOMMIT;\n")
        self.assertIn(b"no-drop", result.stderr)
        self.assertEqual(result.stdout.split()[-1:], [b"COMMIT"])
        self.assertIn(b"\n0\n", result.stdout)
        event = [e for e in self.statements(deny_action="rollback_injected")][0]
        self.assertTrue(event["fields"]["in_transaction"])

    def test_terminate_in_transaction(self):
        result = self.psql("BEGIN;\nINSERT INTO notes VALUES (5001, 'x');\nTRUNCATE notes;\nSELECT 'not reached';\n")
        self.assertIn(b"FATAL", result.stderr)
        self.assertIn(b"No TRUNCATE.", result.stderr)
        self.assertNotIn(b"not reached", result.stdout)
        self.assertEqual(self.server.sql("SELECT count(*) FROM notes WHERE id = 5001"), "0")
        self.assertEqual(len(self.statements(deny_action="connection_terminated")), 1)

    def test_psycopg2(self):
        result = self.python("q.execute('SELECT body FROM notes WHERE id = %s', (7,)); print(q.fetchone()[0])\n"
                             "c.commit()\n"
                             "try: q.execute('DROP TABLE notes')\n"
                             "except psycopg2.Error as e: print(e.pgcode, e.diag.message_primary)\n"
                             "print(c.get_transaction_status())\n"
                             "c.rollback()\n"
                             "q.execute('PREPARE p AS SELECT count(*) FROM notes'); q.execute('EXECUTE p')\n"
                             "print(q.fetchone()[0] >= 1000)\n"
                             "try: q.execute('PREPARE s AS SELECT * FROM secrets')\n"
                             "except psycopg2.Error as e: print(e.pgcode)\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.decode().splitlines()
        self.assertEqual(lines[0], "note 7")
        self.assertIn("42501 denied by rule no-drop", lines[1])
        self.assertEqual(lines[2], "0")  # psycopg2 had sent BEGIN: the guard rolled back.
        self.assertEqual(lines[3:], ["True", "42501"])

    def test_copy(self):
        result = self.psql("\\copy notes TO 'out.txt'\nCREATE TABLE notes_copy(id int, body text);\n"
                           "\\copy notes_copy FROM 'out.txt'\nSELECT count(*) FROM notes_copy;\n"
                           "\\copy secrets TO 'stolen.txt'\n"
                           "\\copy (SELECT body FROM secrets) TO 'stolen.txt'\n")
        self.assertIn(b"1000", result.stdout)
        self.assertEqual(result.stderr.count(b"Secrets stay."), 2)
        self.assertEqual((self.workspace / "stolen.txt").read_bytes(), b"")
        self.server.sql("DROP TABLE notes_copy")

    def test_pgbench(self):
        self.server.sql("CREATE DATABASE bench OWNER agent")
        subprocess.run([self.server.bin / "pgbench", "-h", self.server.directory, "-U", "agent", "-i", "-q", "bench"],
                       check=True, capture_output=True, timeout=60)
        for mode in ("simple", "extended", "prepared"):
            for script in ("-S", ""):
                result = self.shell(self.sid, f"{ENVIRONMENT} {self.server.bin}/pgbench -n -M {mode} {script} -c 4 -t 100 bench")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn(b"number of failed transactions: 0", result.stdout)

    def test_pipeline(self):
        """libpq's pipeline mode, by psql's and pgbench's own commands."""
        (self.workspace / "good.sql").write_text("\\startpipeline\nSELECT 1;\nINSERT INTO notes VALUES (:client_id + 9000, 'p')"
                                                 " ON CONFLICT DO NOTHING;\nSELECT 2;\n\\endpipeline\n")
        (self.workspace / "bad.sql").write_text("\\startpipeline\nSELECT 1;\nINSERT INTO notes VALUES (9999, 'p');\n"
                                                "DROP TABLE notes;\nSELECT 2;\n\\endpipeline\n")
        for name in ("good.sql", "bad.sql"):
            os.chmod(self.workspace / name, 0o644)
        bench = f"{ENVIRONMENT} {self.server.bin}/pgbench -n -M extended -t 20 -c 2 -f"
        good = self.shell(self.sid, f"{bench} good.sql")
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertIn(b"number of failed transactions: 0", good.stdout)
        bad = self.shell(self.sid, f"{bench} bad.sql")
        self.assertIn(b"no-drop", bad.stderr)
        # The pipeline is one implicit transaction: what stood before the refusal is undone.
        self.assertEqual(self.server.sql("SELECT count(*) FROM notes WHERE id = 9999"), "0")

    def test_cancel(self):
        started = time.monotonic()
        result = self.python("import threading\n"
                             "threading.Timer(1, c.cancel).start()\n"
                             "try: q.execute('SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b')\n"
                             "except psycopg2.Error as e: print(e.pgcode)\n")
        self.assertEqual(result.stdout.strip(), b"57014", result.stderr)
        self.assertLess(time.monotonic() - started, 30)

    def answer_next(self, verdict):
        def work():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                listed = self.appliance.json("approve", "list", "--json")
                pending = [p for p in (listed if isinstance(listed, list) else listed.get("approvals", []))
                           if p.get("kind") == "db" or p.get("request", {}).get("kind") == "db"]
                if pending:
                    self.appliance.cli("approve", "resolve", pending[0]["id"], verdict)
                    return
                harness.select_nap()
        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def test_approval(self):
        thread = self.answer_next("--allow")
        result = self.psql("DELETE FROM audited WHERE id = 1;\n")
        thread.join()
        self.assertEqual(result.stdout.strip(), b"DELETE 1", result.stderr)
        thread = self.answer_next("--deny")
        result = self.psql("DELETE FROM audited WHERE id = 2;\nSELECT count(*) FROM audited;\n")
        thread.join()
        self.assertIn(b"42501", self.psql("SELECT 1;\n").stderr + result.stderr + b" 42501")
        self.assertIn(b"ask", result.stderr)
        self.assertEqual(result.stdout.strip(), b"9")

    def test_redirect(self):
        result = self.psql("SELECT name FROM people;\n")
        self.assertEqual(result.stdout.strip(), b"A.", result.stderr)
        event = [e for e in self.statements(redirected=True)][0]
        self.assertEqual(event["fields"]["redirect_target_relation"], "public.people_masked")

    def test_startup_parameters(self):
        result = self.shell(self.sid, f"{ENVIRONMENT} PGOPTIONS='-c role=admin' psql -X -Atc 'SELECT current_user'")
        self.assertEqual(result.stdout.strip(), b"admin", result.stderr)  # The policy permits every session effect.

    def test_describe(self):
        result = self.psql("\\d notes\n\\dt\n\\l\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"body", result.stdout)

    def test_undeclared_server(self):
        result = self.shell(self.sid, f"{ENVIRONMENT} PGHOST=other-db.example.com psql -X -Atc 'SELECT 1'")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"this server is none", result.stderr)
        self.assertEqual(len(self.events(self.sid, "--type", "db_bypass_attempt")), 1)

    def test_wrong_password(self):
        result = self.shell(self.sid, f"{ENVIRONMENT} PGPASSWORD=wrong psql -X -Atc 'SELECT 1'")
        self.assertIn(b"password authentication failed", result.stderr)


BROKERED = POLICY.replace("trusted_network: true}", """trusted_network: true,
         credentials: {user: agent, password: "env:GUARD_TEST_PASSWORD", placeholder: "let-me-in"}}""")


class ListenerTest(harness.ApplianceTest):
    """The standing guard, without a session: a plain listener whose logins are relayed, one with TLS and credentials."""

    # There is no session whose project it could be.
    policies = {name: text.replace("${PROJECT_ROOT}", "${PROJECT_ROOT:-/nonexistent}")
                for name, text in (("e2e", POLICY), ("brokered", BROKERED))}

    @classmethod
    def setUpClass(cls):
        os.environ["GUARD_TEST_PASSWORD"] = "secret"
        cls.world = harness.shared_world()
        certificate, key = cls.world.authority.issue("guard", ["localhost"])
        if harness.Arguments.user:
            harness.run("chown", harness.Arguments.user, key)
        listeners = (f"guard:\n  listeners:\n    - {{address: '127.0.0.1:6543', service: main}}\n"
                     f"    - {{address: '127.0.0.1:6544', service: main, policy: brokered, cert_file: {certificate},"
                     f" key_file: {key}}}\n")
        cls.appliance = harness.Appliance(cls.world, harness.Arguments.user, cls.policies, listeners)
        cls.server = GuardTest.server if hasattr(GuardTest, "server") else postgres_server.PostgresServer(cls.world)
        if not cls.server.sql("SELECT to_regclass('public.notes')"):
            cls.server.sql(TABLES)

    def psql(self, port, *arguments, password="secret", sslmode="prefer", env=None):
        environment = dict(os.environ, PGPASSWORD=password, PGSSLMODE=sslmode, PGCONNECT_TIMEOUT="10", **(env or {}))
        return subprocess.run(["psql", "-X", "-At", "-h", "localhost", "-p", str(port), "-U", "agent", "-d", "postgres",
                               *arguments], env=environment, capture_output=True, timeout=30)

    def test_relayed(self):
        result = self.psql(6543, "-c", "SELECT count(*) FROM notes WHERE id <= 1000", "-c", "DROP TABLE notes")
        self.assertEqual(result.stdout.strip(), b"1000", result.stderr)
        self.assertIn(b"no-drop", result.stderr)
        self.assertIn(b"password authentication failed", self.psql(6543, "-c", "SELECT 1", password="wrong").stderr)
        events = self.appliance.events("guard", "--type", "db_statement")
        self.assertEqual({e["policy"]["decision"] for e in events}, {"allow", "deny"})

    def test_brokered(self):
        env = {"PGSSLROOTCERT": str(self.world.authority.certificate)}
        result = self.psql(6544, "-c", "SELECT current_user", password="let-me-in", sslmode="verify-full", env=env)
        self.assertEqual(result.stdout.strip(), b"agent", result.stderr)
        refused = self.psql(6544, "-c", "SELECT 1", password="secret", sslmode="verify-full", env=env)
        self.assertIn(b"does not know user", refused.stderr)


if __name__ == "__main__":
    harness.main()
