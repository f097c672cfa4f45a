"""The whole appliance beside what it is compared with, in one run on one machine, each in turn.

    /usr/bin/python3 tests/bench/appliance/appliance_bench.py --bin build/release/bin [--quick]

Prints a line per figure and, as JSON, one last line with all of them. Needs root: it makes a network namespace.
"""

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

import harness  # noqa: E402
import peers  # noqa: E402
from peers import HOST, ORIGIN  # noqa: E402

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients.py"
PYTHON = "/usr/bin/python3"
TICKS = os.sysconf("SC_CLK_TCK")


def median(values):
    return statistics.median(values)


def milliseconds(command, environment, directory):
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, environment, file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status = os.waitpid(process, 0)
    taken = (time.perf_counter() - start) * 1000
    if status != 0:
        raise SystemExit(f"{command}: status {status}")
    return taken


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def private_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", text, re.M))


def resident_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


class Bench:
    def __init__(self, quick):
        self.quick = quick
        self.figures = {}
        self.world = peers.make_world()
        self.peers = peers.Peers(self.world)
        self.agentsh = str(harness.Arguments.bin / "agentsh")
        self.appliance = None
        self.start_appliance()

    def start_appliance(self):
        """A new one, whose memory holds nothing of what was measured before."""
        if self.appliance:
            self.appliance.stop()
        self.appliance = harness.Appliance(self.world, policies={"e2e": peers.POLICY})
        self.daemon = self.appliance.daemon.pid
        self.environment = self.appliance.environment()
        self.workspace = self.appliance.workspace()
        os.chdir(self.workspace)
        shutil.copy(CLIENTS, self.workspace)

    def note(self, name, value, text):
        self.figures[name] = round(value, 3)
        print(f"{name:<28} {text}", flush=True)

    def create(self):
        result = self.appliance.cli("session", "create", "--workspace", self.workspace)
        if result.returncode != 0:
            raise SystemExit(result.stderr.decode())
        return result.stdout.decode().strip()

    def inside(self, session):
        return [self.agentsh, "exec", session, "--"]

    def output(self, command, **options):
        result = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=120, **options)
        if result.returncode != 0:
            raise SystemExit(f"{command}: {result.stdout.decode()} {result.stderr.decode()}\n"
                             f"{self.appliance.log_text()[-2000:]}")
        return result.stdout.decode()

    def in_turns(self, rounds, **commands):
        """Medians of the wall times, in milliseconds."""
        times = {name: [] for name in commands}
        for round_ in range(rounds + 2):
            for name, command in commands.items():
                taken = milliseconds(command, self.environment, self.workspace)
                if round_ >= 2:  # The first ones warm caches up.
                    times[name].append(taken)
        return {name: median(values) for name, values in times.items()}

    def measure_commands(self, session):
        rounds = 30 if self.quick else 200
        bwrap = shutil.which("bwrap")
        sandboxed = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"]
        times = self.in_turns(rounds, plain=["/bin/true"], client=[self.agentsh, "--version"], bwrap=sandboxed,
                              exec=self.inside(session) + ["/bin/true"])
        for name, text in (("plain", "fork, exec and wait for /bin/true"), ("client", "agentsh --version"),
                           ("bwrap", "bwrap --unshare-all /bin/true"), ("exec", "agentsh exec SID -- /bin/true")):
            self.note(f"exec.{name}_ms", times[name], f"{times[name]:.2f} ms  {text}")
        added = times["exec"] - times["plain"] - times["client"]
        self.note("exec.added_ms", added, f"{added:.2f} ms  beyond the client's own start and the command's")

    def measure_sessions(self):
        create = [self.agentsh, "session", "create", "--workspace", str(self.workspace)]
        times, sessions = [], []
        for _ in range(10 if self.quick else 40):
            start = time.perf_counter()
            sessions.append(self.output(create).strip())
            times.append((time.perf_counter() - start) * 1000)
        # Only now: the kernel takes network namespaces down in the background, and meanwhile makes new ones wait.
        for session in sessions:
            self.output([self.agentsh, "session", "destroy", session])
        self.note("session.create_ms", median(times), f"{median(times):.2f} ms  agentsh session create, the whole client")

    def measure_connect(self, session):
        count = 100 if self.quick else 300
        command = [PYTHON, "clients.py", "connect", ORIGIN, "80", str(count)]
        direct, ours = [], []
        for _ in range(2 if self.quick else 5):
            direct += json.loads(self.output(command))
            ours += json.loads(self.output(self.inside(session) + command))
        self.note("connect.direct_us", median(direct), f"{median(direct):.1f} us  outside")
        self.note("connect.ours_us", median(ours), f"{median(ours):.1f} us  inside a session, with all that the proxy does at once")

    def wrk(self, prefix, url, pid):
        seconds = 1 if self.quick else 4
        before = cpu_seconds(pid) if pid else 0
        text = self.output(prefix + ["wrk", "-t1", "-c64", f"-d{seconds}s", "--latency", "-H", f"Host: {HOST}", url])
        after = cpu_seconds(pid) if pid else 0
        bad = re.search(r"(Socket errors|Non-2xx).*", text)
        if bad:
            raise SystemExit(f"{url}: {bad[0]}")
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        p50 = re.search(r" 50%\s+(\S+)", text)
        p99 = re.search(r" 99%\s+(\S+)", text)
        total = int(re.search(r"(\d+) requests in", text)[1])
        return rate, p50[1] if p50 else "-", p99[1] if p99 else "-", (after - before) * 1e6 / total

    def measure_requests(self, session, scheme, nginx_port):
        contenders = {"direct": ([], f"{scheme}://{ORIGIN}/", None),
                      "nginx": ([], f"{scheme}://{ORIGIN}:{nginx_port}/", self.peers.nginx.pid),
                      "ours": (self.inside(session), f"{scheme}://{HOST}/", self.daemon)}
        runs = {name: [] for name in contenders}
        for _ in range(1 if self.quick else 5):
            for name, contender in contenders.items():
                runs[name].append(self.wrk(*contender))
        for name, values in runs.items():
            rate, p50, p99, cpu = sorted(values)[len(values) // 2]
            self.note(f"{scheme}.{name}", rate, f"{rate:9.0f} requests/s  p50 {p50:>9}  p99 {p99:>9}  proxy's CPU {cpu:5.1f} us")
            self.figures[f"{scheme}.{name}_cpu_us"] = round(cpu, 1)
            self.figures[f"{scheme}.{name}_p99"] = p99
        ratios = sorted(ours[0] / nginx[0] for ours, nginx in zip(runs["ours"], runs["nginx"]))
        self.note(f"{scheme}.ratio", median(ratios), f"{median(ratios):.2f} x nginx, median of the rounds")

    def measure_new_hosts(self, session):
        each = 10 if self.quick else 60
        hosts = iter(peers.NEW_HOSTS)
        times = {"direct": [], "haproxy": [], "ours": []}
        for _ in range(each // 10):
            for name, port in (("direct", 443), ("haproxy", 9443), ("ours", 443)):
                names = [next(hosts) for _ in range(10)]
                prefix, address = (self.inside(session), "-") if name == "ours" else ([], ORIGIN)
                times[name] += json.loads(self.output(
                    prefix + [PYTHON, "clients.py", "new-hosts", address, str(port), *names]))
        for name, values in times.items():
            self.note(f"new_host.{name}_ms", median(values) / 1000,
                      f"{median(values) / 1000:.2f} ms  connect, handshake and first response")

    def idle_clients(self, session, kind, port, count):
        client = subprocess.Popen(
            self.inside(session) + [PYTHON, "clients.py", "idle", HOST, str(port), kind, str(count)],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.world.processes.started.append(client)
        told = client.stdout.readline()
        if not told:
            raise SystemExit(f"the idle clients ended with status {client.wait(10)}\n{self.appliance.log_text()[-2000:]}")
        return client, json.loads(told)

    def measure_idle(self, kind, port, count):
        self.start_appliance()
        session = self.create()
        warm, _ = self.idle_clients(session, kind, port, 20)
        warm.stdin.close()
        warm.wait(60)
        before = private_kb(self.daemon)
        client, held = self.idle_clients(session, kind, port, count)
        lowest = self.settled_kb()
        client.stdin.close()
        client.wait(60)
        each = (lowest - before) / max(held, 1)
        self.note(f"idle.{kind}_kb", each, f"{each:.1f} KB each of {held} idle connections")
        self.figures[f"idle.{kind}_count"] = held

    def settled_kb(self):
        """Server connections go back to the pool and end, buffers to their stock; then it no longer shrinks."""
        deadline = time.monotonic() + 30
        lowest, since = private_kb(self.daemon), time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < 4:
            harness.select_nap()
            now = private_kb(self.daemon)
            if now < lowest - 64:
                lowest, since = now, time.monotonic()
        return lowest

    def run(self):
        self.measure_sessions()
        session = self.create()
        self.note("daemon.rss_mb", resident_kb(self.daemon) / 1024,
                  f"{resident_kb(self.daemon) / 1024:.1f} MB  daemon with one session, resident")
        self.measure_commands(session)
        self.measure_connect(session)
        self.measure_new_hosts(session)
        self.measure_requests(session, "http", 8080)
        self.measure_requests(session, "https", 8443)
        self.measure_idle("plain", 80, 500 if self.quick else 8000)
        self.measure_idle("tls", 443, 200 if self.quick else 8000)
        print(json.dumps(self.figures))


def main():
    quick = "--quick" in sys.argv
    arguments = [a for a in sys.argv if a != "--quick"]
    saved, sys.argv[:] = list(sys.argv), arguments
    harness.parse_command_line()
    sys.argv[:] = saved
    for name in ("wrk", "bwrap", "haproxy", "nginx", "unbound"):
        if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin"):
            harness.skip(f"needs {name}")
    harness.enter_namespace()
    Bench(quick).run()


main()
