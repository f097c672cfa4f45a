"""Getting at a secret that stays outside: in files, environments, memory, answers. Each place is first shown to hold it
without us, where it can be shown."""

import base64
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness  # noqa: E402
import services_test  # noqa: E402
from services_test import INJECTED, OTHER, SECRET  # noqa: E402

# What an attacker in the session runs: prints whatever of the halves of the secrets it finds, so that it does not hold them.
PROGRAM = r"""
import glob, os, re, sys
needle = re.compile(rb"R3alSecret(?=R3al)|0th3rSecret(?=0th3r)|Zq9(?=Zq9Zq9)")
found = set()

def look(label, data):
    if needle.search(data):
        found.add(label)

def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""

own = os.environ.get("OWN_PROCESS_ONLY")  # Outside of a session the others are not the test's.
for path in [] if own else glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/task/*/environ"):
    look(path, read(path))
for pid in [] if own else filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid():
        continue  # It holds the expression itself.
    try:
        maps = open(f"/proc/{pid}/maps").read().splitlines()
        memory = open(f"/proc/{pid}/mem", "rb", 0)
    except OSError:
        continue
    for line in maps:
        span, rights = line.split()[:2]
        first, last = (int(x, 16) for x in span.split("-"))
        if "r" in rights and last - first < 64 << 20:
            try:
                memory.seek(first)
                look(f"memory of {pid}", memory.read(last - first))
            except (OSError, ValueError):
                pass
for name, value in os.environ.items():
    look("variable " + name, value.encode())
for argument in sys.argv[1:]:
    for prefix in ("", "/proc/self/root", "/proc/1/root", "/proc/self/cwd/../../../../../.."):
        look(prefix + argument, read(prefix + argument))
    directory = os.path.dirname(argument)
    try:
        for name in os.listdir(directory):
            look(f"{directory}/{name}", read(f"{directory}/{name}"))
    except OSError:
        pass
for label in sorted(found):
    print(label)
"""


class SecretsTest(services_test.ServiceTest):
    @classmethod
    def write_secrets(cls, directory):
        super().write_secrets(directory)
        directory.chmod(0o700)

    def attack(self, session, env=None):
        script = self.workspace / "attack.py"
        script.write_text(PROGRAM)
        result = self.run_in(session, "/usr/bin/python3", script, self.secrets / "github", timeout=60, env=env or {})
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode().splitlines()

    def test_files_environments_and_memory(self):
        # It is in use, and was just now.
        self.assertEqual(self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', '"${GITHUB_API_URL}echo"')[0], 200)
        self.assertEqual(self.attack(self.sid), [])

    def test_the_program_finds_them_where_nobody_hides_them(self):
        workspace = self.appliance.workspace()
        script = workspace / "attack.py"
        script.write_text(PROGRAM)
        found = subprocess.run(
            self.appliance.as_user(["/usr/bin/python3", script, self.secrets / "github"]), capture_output=True, timeout=60,
            env={"AGENTSH_TEST_INJECTED": INJECTED, "OWN_PROCESS_ONLY": "1"}).stdout.decode()
        self.assertIn(f"{self.secrets}/github", found)
        self.assertIn("variable AGENTSH_TEST_INJECTED", found)

    def test_the_callers_environment_does_not_bring_it(self):
        found = self.attack(self.sid, env={"AGENTSH_TEST_INJECTED": INJECTED})
        self.assertEqual(found, [])

    def test_a_secret_that_is_renewed(self):
        new = self.secrets / "github.new"
        new.write_text(SECRET + "\n")
        new.chmod(0o600)
        if harness.Arguments.user:
            harness.run("chown", harness.Arguments.user, new)
        os.rename(new, self.secrets / "github")
        self.assertEqual(self.attack(self.sid), [])
        self.assertEqual(self.attack(self.create_session()), [])

    def test_what_is_told_to_people(self):
        self.curl('-H "Authorization: Bearer $GITHUB_TOKEN"', '"${GITHUB_API_URL}echo"')
        for command in (("config", "show"), ("policy", "show", "e2e"), ("session", "list", "--json"),
                        ("debug", "stats", "--session", self.sid)):
            result = self.appliance.cli(*command)
            self.assert_nowhere(result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace"))

    def test_answers(self):
        token = '-H "Authorization: Bearer $GITHUB_TOKEN"'
        basic = base64.b64encode(("x:" + SECRET).encode()).decode()
        for arguments in ('-X TRACE "${GITHUB_API_URL}echo"', '"${GITHUB_API_URL}echo/%zz"', '-X "GET$GITHUB_TOKEN" "${GITHUB_API_URL}echo"',
                          '-r 3-9 "${GITHUB_API_URL}range"', '-H "Accept-Encoding: gzip" "${GITHUB_API_URL}gzip"',
                          '-H "TE: gzip" -H "Connection: TE, Authorization" "${GITHUB_API_URL}echo"',
                          '-H "Host: $GITHUB_TOKEN" "${GITHUB_API_URL}echo"',
                          '-H "$GITHUB_TOKEN: name" "${GITHUB_API_URL}echo"',
                          '-H "X-A: $GITHUB_TOKEN$GITHUB_TOKEN" "${GITHUB_API_URL}echo"',
                          '--http1.0 "${GITHUB_API_URL}bytes"', '-I "${GITHUB_API_URL}header"',
                          '"${GITHUB_API_URL}echo?a=$GITHUB_TOKEN&b=%67hp_x"',
                          '-H "Upgrade: websocket" -H "Connection: Upgrade" -H "Sec-WebSocket-Version: 13" '
                          '-H "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" "${GITHUB_API_URL}echo"'):
            result = self.shell(self.sid, f"curl -sS -i --max-time 20 {token} {arguments}")
            text = (result.stdout + result.stderr).decode(errors="replace")
            self.assert_nowhere(text)
            self.assertNotIn(basic[-30:], text)

    def test_smuggled_requests(self):
        """A second request inside the first one's content is content, and one with two lengths is refused."""
        script = r'''
import os, socket, urllib.parse
url = urllib.parse.urlsplit(os.environ["GITHUB_API_URL"]); token = os.environ["GITHUB_TOKEN"]
inner = f"GET /admin/x HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer {token}\r\n\r\n"
for head in (f"Content-Length: {len(inner)}\r\n", f"Content-Length: {len(inner)}\r\nTransfer-Encoding: chunked\r\n",
             f"Content-Length: 0\r\nContent-Length: {len(inner)}\r\n", "Transfer-Encoding: xchunked\r\n"):
    s = socket.create_connection((url.hostname, url.port)); s.settimeout(3)
    s.sendall(f"POST {url.path}echo HTTP/1.1\r\nHost: x\r\n{head}\r\n{inner}".encode())
    try:
        print(s.recv(65536).decode(errors="replace"))
    except OSError as error:
        print(error)
'''
        result = self.run_in(self.sid, "/usr/bin/python3", "-c", script)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assert_nowhere(result.stdout.decode())
        self.assertTrue(all("/admin" not in seen["path"] for seen in self.api.seen))

    def test_another_session_has_other_placeholders(self):
        one = self.shell(self.sid, 'printf %s "$GITHUB_TOKEN"').stdout.decode()
        other = self.create_session()
        result = self.run_in(other, "curl", "-sS", "-H", f"Authorization: Bearer {one}",
                             self.shell(other, 'printf %s "$GITHUB_API_URL"').stdout.decode() + "echo")
        self.assertNotIn(SECRET, result.stdout.decode())
        self.assertFalse(any(SECRET in str(seen) for seen in self.api.seen))
        self.assertFalse(any(OTHER in str(seen) for seen in self.api.seen))


del services_test.ServiceTest

if __name__ == "__main__":
    harness.main()
