"""Random strings over the alphabets that issuers use. Every generator draws from one seeded random.Random."""

DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
HEX = "0123456789abcdef"
BASE62 = DIGITS + UPPER + LOWER
BASE64 = UPPER + LOWER + DIGITS + "+/"
BASE64URL = UPPER + LOWER + DIGITS + "-_"
BASE32 = UPPER + "234567"
BASE36 = DIGITS + LOWER
BASE36_UPPER = DIGITS + UPPER
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def text(r, alphabet, size):
    """`size` characters, or as many as a (shortest, longest) pair allows."""
    if isinstance(size, tuple):
        size = r.randint(*size)
    return "".join(r.choice(alphabet) for _ in range(size))


def digits(r, size):
    return text(r, DIGITS, size)


def uuid(r):
    return "-".join(text(r, HEX, n) for n in (8,)) + "-" + "-".join(
        (text(r, HEX, 4), "4" + text(r, HEX, 3), r.choice("89ab") + text(r, HEX, 3), text(r, HEX, 12)))


def random_bytes(r, size):
    return bytes(r.randrange(256) for _ in range(size))
