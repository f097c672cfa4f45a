"""One table of all benchmarks' figures beside their targets.

    report.py DIRECTORY      what scripts/bench has kept there: *.txt, and *.json of Google Benchmark

Exit status 1 if a figure is missing or a target is not met.
"""

import json
import pathlib
import re
import sys


class Report:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.rows = []
        self.missed = 0
        self.with_target = 0

    def text(self, name):
        path = self.directory / f"{name}.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def benchmarks(self, name):
        path = self.directory / f"{name}.json"
        if not path.exists():
            return {}
        runs = json.loads(path.read_text())["benchmarks"]
        medians = {run["run_name"]: run for run in runs if run.get("aggregate_name") == "median"}
        return medians or {run["name"]: run for run in runs}

    def row(self, what, direct, peer, ours, target, met):
        """`met` is None where a figure is missing; a row without a target has no verdict."""
        verdict = {True: "met", False: "NOT met", None: "no figure"}[met]
        if not target and met:
            verdict = ""
        self.missed += met is not True
        self.with_target += verdict != ""
        self.rows.append([what, direct, peer, ours, target, verdict])

    def missing(self, what, target):
        self.row(what, "", "", "-", target, None)

    def print(self):
        table = [["what", "direct", "peer", "ours", "target", ""], *self.rows]
        widths = [max(len(row[i]) for row in table) for i in range(6)]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if self.missed:
            print(f"{self.missed} of {self.with_target} targets not met")


def requests(report, label, scheme):
    """Proxies alone, each on a core of its own."""
    found = {}
    for line in report.text("proxy").splitlines():
        match = re.match(rf"{scheme} +(direct|nginx|agentsh) +(\d+) req/s.*p50 +(\S+) +p99 +(\S+) +CPU +([\d.]+)", line)
        if match:
            found[match[1]] = match
    target = "at least nginx"
    if len(found) < 3:
        return report.missing(label, target)

    def show(name):
        return f"{int(found[name][2]) / 1000:.1f} k/s p99 {found[name][4]}"

    ours, nginx = (float(found[name][2]) for name in ("agentsh", "nginx"))
    report.row(label, show("direct"), f"nginx {show('nginx')}", f"{show('agentsh')} ({ours / nginx:.2f} x)", target,
               ours >= nginx)
    cpu = [float(found[name][5]) for name in ("nginx", "agentsh")]
    report.row(f"{label}, CPU a request", "", f"nginx {cpu[0]:.1f} us", f"{cpu[1]:.1f} us", "", True)


def appliance(report):
    lines = report.text("appliance").splitlines()
    f = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}

    def add(what, keys, target, make):
        if any(key not in f for key in keys):
            return report.missing(what, target)
        direct, peer, ours, met = make(*(f[key] for key in keys))
        report.row(what, direct, peer, ours, target, met)

    for scheme, what in (("http", "session: HTTP, 64 conn."), ("https", "session: TLS both sides")):
        add(what, [f"{scheme}.direct", f"{scheme}.nginx", f"{scheme}.ours", f"{scheme}.ratio", f"{scheme}.nginx_p99",
                   f"{scheme}.ours_p99"],
            "at least nginx",
            lambda d, n, o, r, np, op: (f"{d / 1000:.1f} k/s", f"nginx {n / 1000:.1f} k/s p99 {np}",
                                        f"{o / 1000:.1f} k/s p99 {op} ({r:.2f} x)", r >= 1))
    add("first connection to a new host", ["new_host.direct_ms", "new_host.haproxy_ms", "new_host.ours_ms"],
        "HAProxy + 0.35 ms", lambda d, h, o: (f"{d:.2f} ms", f"HAProxy {h:.2f} ms", f"{o:.2f} ms", o <= h + 0.35))
    add("connect() from a session", ["connect.direct_us", "connect.ours_us"], "",
        lambda d, o: (f"{d:.1f} us", "", f"{o:.1f} us", True))
    add("a command in a session", ["exec.plain_ms", "exec.client_ms", "exec.bwrap_ms", "exec.exec_ms", "exec.added_ms"],
        "1 ms added to client + command",
        lambda p, c, b, e, a: (f"fork+exec {p:.2f} ms", f"bwrap {b:.2f} ms", f"{e:.2f} ms (added {a:.2f})", a <= 1))
    add("start of the client", ["exec.plain_ms", "exec.client_ms"], "1.5 ms",
        lambda p, c: (f"fork+exec {p:.2f} ms", "", f"{c:.2f} ms", c <= 1.5))
    add("creating a session", ["session.create_ms", "exec.bwrap_ms"], "15 ms",
        lambda c, b: ("", f"bwrap {b:.2f} ms", f"{c:.2f} ms", c <= 15))
    add("daemon with one session", ["daemon.rss_mb"], "64 MB", lambda r: ("", "", f"{r:.1f} MB", r < 64))
    for kind, limit in (("plain", 20), ("tls", 60)):
        add(f"idle connection, {kind}", [f"idle.{kind}_kb", f"idle.{kind}_count"], f"{limit} KB",
            lambda k, n, limit=limit: ("", "", f"{k:.1f} KB (of {n:.0f})", k <= limit))


def redirect(report):
    for family in ("IPv4", "IPv6"):
        what, target = f"connect() added by the redirect, {family}", "3 us"
        text = report.text("redirect")
        direct = re.search(rf"connect\(\) +direct, {family} +p50 +([\d.]+)", text)
        ours = re.search(rf"connect\(\) +eBPF, {family} +p50 +([\d.]+) .*added p50 +([-+\d.]+)", text)
        nft = re.search(rf"connect\(\) +nftables, {family} +p50 +([\d.]+)", text)
        if not (direct and ours and nft):
            report.missing(what, target)
            continue
        report.row(what, f"{direct[1]} us", f"nftables {nft[1]} us", f"{ours[1]} us ({ours[2]})", target,
                   float(ours[2]) <= 3)


def dns(report):
    text = report.text("dns")
    ratio = re.search(r"median ratio to unbound ([\d.]+)", text)
    rates = {name: sorted(float(n) for n in re.findall(rf"{name} (\d+) q/s", text)) for name in ("unbound", "agentsh")}
    target = "at least unbound"
    if not ratio or not all(rates.values()):
        return report.missing("DNS, cached names", target)
    middle = {name: values[len(values) // 2] / 1000 for name, values in rates.items()}
    names = re.search(r"; (\d+) names", text)
    count = f"{int(names[1]):,}".replace(",", " ") if names else "?"
    report.row(f"DNS, cached, {count} names in policy", "", f"unbound {middle['unbound']:.0f} k/s",
               f"{middle['agentsh']:.0f} k/s ({ratio[1]} x)", target, float(ratio[1]) >= 1)


def gateway(report):
    text = report.text("gateway")
    added = re.search(r"latency agentsh .*added p50 +(\d+) us +added p99 +(\d+) us", text)
    direct = re.search(r"latency direct +p50 +(\d+) us", text)
    what, target = "LLM gateway, 8 KB, added p50 and p99", "100 and 300 us"
    if not added or not direct:
        report.missing(what, target)
    else:
        p50, p99 = int(added[1]), int(added[2])
        report.row(what, f"{direct[1]} us", "", f"{p50} and {p99} us", target, p50 <= 100 and p99 <= 300)
    rates = dict(re.findall(r"rate +(agentsh|portkey) +(\d+) req/s", text))
    what, target = "LLM gateway, 64 conn.", "30 x Portkey"
    if len(rates) < 2:
        return report.missing(what, target)
    times = int(rates["agentsh"]) / int(rates["portkey"])
    report.row(what, "", f"Portkey {int(rates['portkey']) / 1000:.2f} k/s",
               f"{int(rates['agentsh']) / 1000:.1f} k/s ({times:.1f} x)", target, times >= 30)


def decisions(report):
    found = report.benchmarks("policies")
    for kind in ("network", "network_denied", "network_by_address", "dns_name", "file", "command"):
        what, target = f"decision: {kind}, 10 and 10 000 rules", "1 us, both"
        times = [found.get(f"decide/{kind}/{count}", {}).get("cpu_time") for count in (10, 10000)]
        if None in times:
            report.missing(what, target)
            continue
        report.row(what, "", "", f"{times[0]:.0f} and {times[1]:.0f} ns", target, max(times) < 1000)


def leaves(report):
    leaf = report.benchmarks("certs").get("mint_leaf")
    if not leaf:
        return report.missing("minting a leaf", "100 us")
    report.row("minting a leaf", "", "", f"p50 {leaf['p50_us']:.0f} us", "100 us", leaf["p50_us"] <= 100)


def main(directory):
    report = Report(directory)
    requests(report, "HTTP, 64 conn., 1 KB", "plain")
    requests(report, "TLS both sides, 64 conn.", "TLS")
    appliance(report)
    leaves(report)
    redirect(report)
    gateway(report)
    dns(report)
    decisions(report)
    report.print()
    return 1 if report.missed else 0


sys.exit(main(sys.argv[1]))
