"""Documents with labelled values: for each detector positives in varied surroundings, and hard negatives without any."""

import random
from collections import namedtuple

import credential_texts  # noqa: F401  (registers its texts)
import credentials
import people
import surroundings

# A text, and the byte range in it that `detector` must find; -1, -1 when there is none.
Document = namedtuple("Document", "text detector begin end")


def positives(detector, count, seed):
    r = random.Random("%s/%s" % (seed, detector))
    for _ in range(count):
        text, (begin, end) = surroundings.split_marks(one(r, detector))
        yield Document(text, detector, begin, end)


def one(r, detector):
    if detector in credentials.TEXTS:
        return credentials.TEXTS[detector](r)
    if detector in credentials.PREFIXED:
        return surroundings.of_prefixed(r, credentials.PREFIXED[detector](r))
    if detector in credentials.NAMED:
        names, make = credentials.NAMED[detector]
        return surroundings.of_named(r, r.choice(names), make(r))
    value = people.VALUES[detector](r)
    labels = people.LABELS[detector]
    return surroundings.labelled(r, r.choice(labels), value) if labels else surroundings.unlabelled(r, value)


def detectors():
    return sorted(set(credentials.TEXTS) | set(credentials.PREFIXED) | set(credentials.NAMED) | set(people.VALUES))
