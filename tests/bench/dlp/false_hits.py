#!/usr/bin/env python3
"""What the catalogue finds in benign text: documentation, headers, Python sources, lock files and build logs of this machine.

    false_hits.py --scan build/main/tests/quality/dlp/dlp_scan_documents [--megabytes 100] [--show 5] [ROOT ...]

Prints a table: hits per detector, and per 10 MB. The detectors of secrets and of numbers with a check sum may have one hit
per 10 MB at most; e-mail addresses and the like are there for real. --show prints some of the hits with their surroundings.
Exit status 1 when a detector is above the limit.
"""

import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile

ROOTS = ["/usr/share/doc", "/usr/include", "/usr/lib/python3", "/usr/share/perl", "/usr/lib/node_modules", "/usr/share/nodejs", "/var/log", "/usr/share/cmake-3.25", "/usr/lib/llvm-19", "/usr/share/man"]
# What they find in such text is what they look for: addresses of authors and of hosts, telephone numbers of companies.
GENUINE = {"email", "ipv4", "ipv6", "mac_address", "phone", "phone_us", "phone_national", "street_address", "geo_coordinates", "date_of_birth"}
MAX_FILE = 4 << 20


def files(roots):
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not os.path.islink(path) and os.path.isfile(path):
                    yield path


def text_of(path):
    with open(path, "rb") as file:
        data = file.read(MAX_FILE)
    if path.endswith(".gz"):
        import gzip
        try:
            data = gzip.decompress(data)[:MAX_FILE]
        except Exception:
            return None
    return None if b"\0" in data[:4096] else data


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scan", required=True, help="the program dlp_scan_documents")
    parser.add_argument("--catalogue", help="a folder with another catalogue")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--show", type=int, default=0, help="print so many hits of each detector")
    parser.add_argument("roots", nargs="*", default=ROOTS)
    options = parser.parse_args()

    chosen = list(files(options.roots))
    random.Random(1).shuffle(chosen)
    documents, size = [], 0
    with tempfile.TemporaryFile() as stream:
        for path in chosen:
            if size >= options.megabytes * 1000 * 1000:
                break
            try:
                data = text_of(path)
            except OSError:
                continue
            if not data:
                continue
            documents.append(path)
            size += len(data)
            stream.write(b"%d\n" % len(data) + data)
        stream.seek(0)
        command = [options.scan] + ([options.catalogue] if options.catalogue else [])
        out = subprocess.run(command, stdin=stream, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()

    kinds = dict(entry.split(":") for entry in out[0].split())
    hits = collections.defaultdict(list)
    for line in out[1:]:
        document, begin, end, detector, _ = line.split()
        hits[detector].append((int(document), int(begin), int(end)))
    print("%d files, %.1f MB" % (len(documents), size / 1e6))
    print("%-32s %-9s %7s %10s" % ("detector", "kind", "hits", "per 10 MB"))
    above = 0
    for detector, places in sorted(hits.items(), key=lambda item: -len(item[1])):
        rate = len(places) / (size / 1e7)
        limited = detector not in GENUINE
        above += limited and rate > 1
        print("%-32s %-9s %7d %10.2f%s" % (detector, kinds[detector], len(places), rate, " *" if limited and rate > 1 else ""))
        for document, begin, end in places[:options.show]:
            data = text_of(documents[document])
            print("    %s: %r [%s]" % (documents[document], data[max(0, begin - 40):end + 20].decode("utf-8", "replace"), data[begin:end].decode("utf-8", "replace")[:60]))
    print("detectors without a hit: %d; above one hit per 10 MB (*): %d" % (len(kinds) - len(hits), above))
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
