"""Servers that tests start in the harness's world, beside its nginx and unbound."""

import contextlib
import os
import pathlib
import socket
import ssl
import subprocess
import threading

from harness import WEB4, listening, run, wait_until


class Server:
    """A TCP server of the test's own: each connection is given to `handler` on a thread.

        with servers.Server(handler, port=8443, tls=world.good) as server: ...

    What a handler raises is kept in `errors`, but for connections that end.
    """

    def __init__(self, handler, port=0, address=WEB4, tls=None):
        self.handler = handler
        self.errors = []
        self.connections = 0
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=64)
        self.address, self.port = self.listener.getsockname()[:2]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            connection.settimeout(30)
            try:
                if self.context:
                    connection = stack.enter_context(self.context.wrap_socket(connection, server_side=True))
                self.handler(connection)
                if self.context:
                    connection.unwrap()
            except (ConnectionError, ssl.SSLError):
                pass
            except Exception as error:  # Told by the test, which looks at `errors`.
                self.errors.append(error)

    def close(self):
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_head(connection):
    """The head of an HTTP request as text, byte for byte up to the empty line."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the client ended inside its head")
        head += byte
    return head.decode("latin-1")


def git_site(world):
    """git http-backend behind nginx: https://git.example.com/NAME.git, from world.directory/"git"."""
    world.git = world.directory / "git"
    world.git.mkdir()
    path = world.directory / "fcgiwrap.sock"
    world.processes.start("/usr/sbin/fcgiwrap", "-s", f"unix:{path}", stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    wait_until(path.exists, "fcgiwrap listens")
    parameters = {"SCRIPT_FILENAME": "/usr/lib/git-core/git-http-backend", "PATH_INFO": "$uri",
                  "GIT_PROJECT_ROOT": world.git, "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "writer",
                  "REMOTE_ADDR": "$remote_addr", "REQUEST_METHOD": "$request_method", "QUERY_STRING": "$query_string",
                  "CONTENT_TYPE": "$content_type", "CONTENT_LENGTH": "$content_length",
                  "SERVER_PROTOCOL": "$server_protocol", "GATEWAY_INTERFACE": "CGI/1.1"}
    lines = "".join(f"fastcgi_param {name} {value};" for name, value in parameters.items())
    return world.server_block(["git.example.com"], *world.good, extra=(
        f"client_max_body_size 0; location / {{ fastcgi_pass unix:{path}; {lines} }}"))


def git(*arguments, cwd=None):
    """git outside of any session, as a person without configuration."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    for role in ("AUTHOR", "COMMITTER"):
        environment.update({f"GIT_{role}_NAME": "Somebody", f"GIT_{role}_EMAIL": "somebody@example.com"})
    return run("git", *arguments, cwd=cwd, env=environment).stdout.decode().strip()


def git_repository(world, name, files, writable=False):
    """A bare repository on the server with one commit of `files` (path: content)."""
    work = pathlib.Path(world.directory / f"{name}-work")
    work.mkdir()
    git("init", "-q", "-b", "main", cwd=work)
    for path, content in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    bare = world.git / f"{name}.git"
    git("clone", "-q", "--bare", work, bare)
    git("config", "http.receivepack", "true" if writable else "false", cwd=bare)
    git("remote", "add", "origin", bare, cwd=work)
    return work


def start_sshd(world, user, port=22):
    """A real sshd on WEB4. Returns (private key, known_hosts), to be copied for whoever logs in."""
    directory = world.directory / "sshd"
    directory.mkdir()
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name)
    (directory / "authorized").write_bytes((directory / "client.pub").read_bytes())
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress {WEB4}:{port}\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized\n"
        f"AllowUsers {user}\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\n"
        f"StrictModes no\nPidFile none\nSubsystem sftp internal-sftp\nUseDNS no\n")
    with open(directory / "log", "wb") as log:
        world.processes.start("/usr/sbin/sshd", "-D", "-e", "-f", config, stdin=subprocess.DEVNULL, stderr=log)
    wait_until(lambda: listening(WEB4, port), "sshd listens")
    known = directory / "known_hosts"
    known.write_text("ssh.example.com " + (directory / "host.pub").read_text())
    return directory / "client", known
