"""The LLM gateway beside another one, Portkey's from npm, and the direct way, in turn, on one machine: an 8 KB chat request
to the same server. Ours looks for secrets with all detectors, counts, and keeps its audit trail; the other forwards.

    /usr/bin/python3 tests/bench/gateway/gateway_bench.py --bin build/release/bin --peer DIRECTORY [--quick]

DIRECTORY is where tests/bench/gateway/install put the other one; without it only ours is measured. Load and server run on
the first processor, the gateway on the second. Prints a line per figure. Needs root: it makes a network namespace.
"""

import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

import harness  # noqa: E402

SERVER, OURS, PEER = 9090, 8787, 8790
CONNECTIONS = 64
CONFIG = """
dlp: {mode: redact}
gateway:
  threads: 1
  listeners: [{address: '127.0.0.1:%d'}]
  upstreams: [{name: server, provider: openai, base_url: 'http://127.0.0.1:%d/v1', api_key: env:GATEWAY_BENCH_KEY}]
""" % (OURS, SERVER)
NGINX = """
worker_processes 1; daemon off; pid %(place)s/nginx.pid; error_log %(place)s/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; client_body_buffer_size 64k;
  client_body_temp_path %(place)s/1; proxy_temp_path %(place)s/2; fastcgi_temp_path %(place)s/3; uwsgi_temp_path %(place)s/4;
  scgi_temp_path %(place)s/5; default_type application/json;
  server { listen 127.0.0.1:%(port)d; location / { return 200 '%(answer)s'; } }
}
"""
ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1767225600, "model": "gpt-4o-2024-08-06",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "It does what it says. " * 20},
                       "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 1800, "completion_tokens": 120, "total_tokens": 1920}}
PROSE = ("The build of the second stage failed because a header was generated too late, so the order of the targets "
         "was changed and the cache was emptied once. Please look at the log, say what else depends on it and propose "
         "a smaller change if there is one. ")


def request_body():
    text = PROSE
    while len(text) < 8000:
        text += PROSE
    return json.dumps({"model": "gpt-4o", "max_tokens": 500,
                       "messages": [{"role": "system", "content": "You review builds."},
                                    {"role": "user", "content": text[:8000]}]})


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


class Bench:
    def __init__(self, quick, peer):
        self.seconds, self.rounds = (1, 1) if quick else (4, 5)
        self.world = harness.World()
        place = self.world.directory
        config = place / "bench-nginx.conf"
        config.write_text(NGINX % {"place": place, "port": SERVER, "answer": json.dumps(ANSWER)})
        self.world.processes.start("taskset", "-c", "0", "nginx", "-c", config, "-p", place)
        os.environ["GATEWAY_BENCH_KEY"] = "sk-bench"
        self.appliance = harness.Appliance(self.world, config=CONFIG, prefix=("taskset", "-c", "1"))
        key = self.appliance.json("gateway", "keys", "create", "bench", "--json")["key"]
        self.body = place / "body.json"
        self.body.write_text(request_body())
        # Name, port, fields.
        self.ways = [("direct", SERVER, {"Authorization": "Bearer sk-bench"}),
                     ("agentsh", OURS, {"Authorization": f"Bearer {key}"})]
        if peer:
            self.world.processes.start(
                "taskset", "-c", "1", "node", peer / "node_modules/@portkey-ai/gateway/build/start-server.js", "--headless",
                f"--port={PEER}", env=os.environ | {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.ways.append(("portkey", PEER, {
                "Authorization": "Bearer sk-bench", "x-portkey-provider": "openai",
                "x-portkey-custom-host": f"http://127.0.0.1:{SERVER}/v1"}))
        for name, port, _ in self.ways:
            harness.wait_until(lambda: harness.listening("127.0.0.1", port), name, 30)

    def script(self, fields):
        script = self.world.directory / "bench.lua"
        script.write_text('wrk.method = "POST"\n' + f'wrk.body = io.open("{self.body}"):read("*a")\n' + "".join(
            f'wrk.headers["{name}"] = "{value}"\n'
            for name, value in (fields | {"Content-Type": "application/json"}).items()))
        return script

    def ask(self, port, fields):
        """The first request, which waits until the detectors are ready."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/v1/chat/completions", self.body.read_bytes(),
                           fields | {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise SystemExit(f"port {port}: {response.read()}")
        connection.close()

    def load(self, port, fields, connections, seconds):
        """(requests/s, p50, p99), times in microseconds."""
        result = subprocess.run(
            ["taskset", "-c", "0", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", self.script(fields),
             f"http://127.0.0.1:{port}/v1/chat/completions"], capture_output=True, text=True, timeout=seconds + 30)
        if "Non-2xx" in result.stdout or result.returncode != 0:
            raise SystemExit(f"port {port}: {result.stdout}{result.stderr}")
        rate = float(re.search(r"Requests/sec: +([\d.]+)", result.stdout)[1])
        p50, p99 = (microseconds(re.search(rf" {p}% +(\S+)", result.stdout)[1]) for p in (50, 99))
        return rate, p50, p99

    def run(self):
        found = {name: {1: [], CONNECTIONS: []} for name, *_ in self.ways}
        for name, port, fields in self.ways:
            self.ask(port, fields)
            self.load(port, fields, 8, max(1, self.seconds // 2))
        for _ in range(self.rounds):
            for name, port, fields in self.ways:
                for connections in (1, CONNECTIONS):
                    found[name][connections].append(self.load(port, fields, connections, self.seconds))
        middle = {name: {c: [statistics.median(column) for column in zip(*rounds, strict=True)]
                         for c, rounds in by_connections.items()} for name, by_connections in found.items()}
        for name in middle:
            rate, p50, p99 = middle[name][1]
            added = [value - direct for value, direct in zip((p50, p99), middle["direct"][1][1:], strict=True)]
            print(f"gateway latency {name:<8} p50 {p50:7.0f} us  p99 {p99:7.0f} us  added p50 {added[0]:7.0f} us  "
                  f"added p99 {added[1]:7.0f} us")
        for name in middle:
            print(f"gateway rate    {name:<8} {middle[name][CONNECTIONS][0]:9.0f} req/s at {CONNECTIONS} connections, "
                  f"{middle[name][1][0]:9.0f} at 1")
        if "portkey" in middle:
            times = [middle["agentsh"][c][0] / middle["portkey"][c][0] for c in (CONNECTIONS, 1)]
            print(f"gateway times portkey {times[0]:.1f} at {CONNECTIONS} connections, {times[1]:.1f} at 1")
        usage = self.appliance.json("usage", "--json")["totals"]
        print(f"gateway counted {usage['requests']} requests, {usage['input_tokens']} tokens in, {usage['cost']} dollars")
        self.appliance.stop()


def main():
    argv = sys.argv
    quick = "--quick" in argv
    peer = pathlib.Path(argv[argv.index("--peer") + 1]).resolve() if "--peer" in argv else None
    sys.argv = [argument for i, argument in enumerate(argv)
                if argument not in ("--quick", "--peer") and (i == 0 or argv[i - 1] != "--peer")]
    harness.parse_command_line()
    sys.argv = argv
    harness.enter_namespace()
    harness.stage_programs()
    Bench(quick, peer).run()


if __name__ == "__main__":
    main()
