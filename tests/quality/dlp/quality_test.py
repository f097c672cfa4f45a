#!/usr/bin/env python3
"""Recall and precision of every detector on the generated corpus.

    quality_test.py --scan build/main/tests/quality/dlp/dlp_scan_documents [--positives 200] [--negatives 21000] [--all] [--show ID]

A value counts as found when a hit of its detector overlaps it. A hit that overlaps no labelled value is wrong; so is one of
a detector that is not generic on the value of another. Exit status 1 when a detector is below its limits: 0.98 and 0.98, or
0.95 and 0.95 for telephone numbers and for what is known by its name only.
"""

import argparse
import collections
import subprocess
import sys
import tempfile

import corpus
import credentials
import negatives
import people

# Found by what stands around them: half of the story is in the surroundings.
BY_CONTEXT = set(credentials.NAMED) | {d for d, labels in people.LABELS.items() if labels} | {
    "phone", "phone_us", "generic_password", "api_key", "authorization_bearer", "authorization_basic", "sql_password", "command_line_password", "curl_user_password",
    "netrc_password", "pgpass_password", "jdbc_password", "connection_string_password", "url_basic_auth", "ipv4", "ipv6"}
# They may name a value that a more particular detector was made for: it is a secret all the same.
GENERIC = {"generic_password", "generic_api_key", "generic_secret", "generic_token", "api_key", "sk_api_key", "authorization_bearer", "authorization_basic",
           "connection_string_password", "jdbc_password", "url_basic_auth", "email", "phone_national", "phone", "passport_number", "credit_card_digits"}


def scan(options, documents):
    with tempfile.TemporaryFile() as stream:
        for document in documents:
            text = document.text.encode()
            stream.write(b"%d\n" % len(text) + text)
        stream.seek(0)
        command = [options.scan] + ([options.catalogue] if options.catalogue else [])
        lines = subprocess.run(command, stdin=stream, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    known = [entry.split(":")[0] for entry in lines[0].split()]
    hits = collections.defaultdict(list)
    for line in lines[1:]:
        number, begin, end, detector, _ = line.split()
        hits[int(number)].append((int(begin), int(end), detector))
    return known, hits


class Score:
    def __init__(self):
        self.found = self.missed = self.right = self.wrong = 0
        self.examples = []

    recall = property(lambda self: self.found / max(1, self.found + self.missed))
    precision = property(lambda self: self.right / max(1, self.right + self.wrong))


def score(documents, hits):
    scores = collections.defaultdict(Score)
    for number, document in enumerate(documents):
        found = False
        for begin, end, detector in hits[number]:
            overlaps = document.begin < end and begin < document.end
            if overlaps and detector == document.detector:
                found = True
                scores[detector].right += 1
            elif not overlaps or detector not in GENERIC:
                scores[detector].wrong += 1
                scores[detector].examples.append("wrong: %r in %r" % (document.text.encode()[begin:end].decode("utf-8", "replace"), document.text[:200]))
        if document.begin < document.end:
            if found:
                scores[document.detector].found += 1
            else:
                scores[document.detector].missed += 1
                scores[document.detector].examples.append("missed in %r" % document.text[:300])
    return scores


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scan", required=True, help="the program dlp_scan_documents")
    parser.add_argument("--catalogue", help="a folder with another catalogue")
    parser.add_argument("--positives", type=int, default=200)
    parser.add_argument("--negatives", type=int, default=21000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--show", help="print what this detector missed and found wrongly")
    options = parser.parse_args()

    documents = [d for detector in corpus.detectors() for d in corpus.positives(detector, options.positives, options.seed)]
    documents += [corpus.Document(text, kind, -1, -1) for kind, text in negatives.documents(options.seed, options.negatives)]
    known, hits = scan(options, documents)
    scores = score(documents, hits)

    failed = []
    print("%d documents, %d of them without a value; %d detectors" % (len(documents), options.negatives, len(known)))
    print("%-34s %8s %8s %7s %7s" % ("detector", "recall", "precis.", "missed", "wrong"))
    for detector in sorted(set(known) | set(scores)):
        s = scores[detector]
        limit = 0.95 if detector in BY_CONTEXT else 0.98
        bad = s.recall < limit or s.precision < limit
        if bad:
            failed.append(detector)
        print("%-34s %8.3f %8.3f %7d %7d%s" % (detector, s.recall, s.precision, s.missed, s.wrong, "  BELOW %.2f" % limit if bad else ""))
    if options.show:
        print("\n".join(scores[options.show].examples))
    unmeasured = sorted(set(known) - set(corpus.detectors()))
    print("%d passed, %d failed%s" % (len(known) - len(failed), len(failed), ": " + " ".join(failed) if failed else ""))
    if unmeasured:
        print("not measured: " + " ".join(unmeasured))
    return 1 if failed or unmeasured else 0


if __name__ == "__main__":
    sys.exit(main())
