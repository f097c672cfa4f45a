"""A PostgreSQL server of the test's own, for end-to-end tests: Debian's, as an ordinary user, in the test's world."""

import atexit
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import harness

PORT = 5432


def programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgresServer:
    """Listens on an address of the world, with the roles `postgres` (superuser), `agent` and `admin`, all with the password
    `secret`; local connections of the test itself are trusted, on the Unix socket."""

    def __init__(self, world, address=harness.WEB4, port=PORT, settings="", hba="scram-sha-256"):
        self.bin = programs()
        if self.bin is None:
            harness.skip("no PostgreSQL server is installed")
        self.address, self.port = address, port
        self.user = pwd.getpwnam("nobody")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postgres-", dir="/var/tmp"))
        atexit.register(shutil.rmtree, self.directory, True)
        os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
        self.data = self.directory / "data"
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        (self.data / "pg_hba.conf").write_text(f"local all all trust\nhost all all all {hba}\n"
                                               f"host replication all all {hba}\n")
        with open(self.data / "postgresql.conf", "a") as config:
            config.write(f"listen_addresses = '{address}'\nport = {port}\nunix_socket_directories = '{self.directory}'\n"
                         f"fsync = off\nshared_buffers = 32MB\nmax_connections = 200\nlog_statement = all\n{settings}\n")
        self.log = self.directory / "log"
        with open(self.log, "wb") as log:
            self.process = world.processes.start(*self.as_user(self.bin / "postgres", "-D", self.data), stdout=log, stderr=log,
                                                 cwd=self.directory)
        harness.wait_until(lambda: harness.listening(address, port), "PostgreSQL listens", 30)
        self.sql("CREATE ROLE agent LOGIN PASSWORD 'secret'; CREATE ROLE admin LOGIN PASSWORD 'secret';"
                 "ALTER ROLE postgres PASSWORD 'secret'; GRANT admin TO agent")

    def as_user(self, *command):
        return ["setpriv", "--reuid", str(self.user.pw_uid), "--regid", str(self.user.pw_gid), "--clear-groups",
                *[str(part) for part in command]]

    def run(self, program, *arguments):
        subprocess.run(self.as_user(self.bin / program, *arguments), check=True, capture_output=True, cwd=self.directory,
                       timeout=60)

    def sql(self, text, database="postgres"):
        """As superuser, past every guard."""
        result = subprocess.run(["psql", "-X", "-h", self.directory, "-p", str(self.port), "-U", "postgres", "-d", database,
                                 "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text], capture_output=True, text=True, timeout=60)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return result.stdout.strip()

    def statements(self):
        """What reached the server."""
        return self.log.read_text(errors="replace")
