"""Check sums as issuers publish them, written for the corpus: no code is shared with dlp/validators."""

import base64
import hashlib
import zlib

import alphabets as a


def luhn_digit(body):
    """The digit that makes body + digit pass Luhn."""
    total = 0
    for i, c in enumerate(reversed(body)):
        d = int(c)
        if i % 2 == 0:
            d *= 2
            if d > 9:
                d -= 9
        total += d
    return str(-total % 10)


def base62(number, width):
    out = ""
    while number:
        number, rest = divmod(number, 62)
        out = a.BASE62[rest] + out
    return out.rjust(width, "0")


def crc32(text):
    return zlib.crc32(text.encode())


def iban_check(country, bban):
    moved = bban + country + "00"
    number = int("".join(str(int(c, 36)) for c in moved))
    return "%02d" % (98 - number % 97)


_D = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
      [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
      [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]
_INVERSE = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9]


def _permute(position, digit):
    # Verhoeff's permutation, applied as often as the position says.
    for _ in range(position % 8):
        digit = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4][digit]
    return digit


def verhoeff_digit(body):
    state = 0
    for i, c in enumerate(reversed(body)):
        state = _D[state][_permute(i + 1, int(c))]
    return str(_INVERSE[state])


def mod_11_10_digit(body):
    """ISO/IEC 7064 MOD 11,10."""
    p = 10
    for c in body:
        s = (p + int(c)) % 10 or 10
        p = (2 * s) % 11
    return str((11 - p) % 10)


def weighted(body, weights):
    return sum(int(c) * w for c, w in zip(body, weights))


def base58check(payload):
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number = int.from_bytes(data, "big")
    out = ""
    while number:
        number, rest = divmod(number, 58)
        out = a.BASE58[rest] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out


def _bech32_polymod(values):
    generator = [0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]
    chk = 1
    for value in values:
        top = chk >> 25
        chk = (chk & 0x1FFFFFF) << 5 ^ value
        for i in range(5):
            chk ^= generator[i] if top >> i & 1 else 0
    return chk


def bech32(prefix, values, constant=1):
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    polymod = _bech32_polymod(expanded + values + [0] * 6) ^ constant
    check = [polymod >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(a.BECH32[v] for v in values + check)


def five_bit_groups(data):
    bits = "".join("%08d" % int(bin(b)[2:]) for b in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]


def crc16_xmodem(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def keccak256(data):
    """Keccak[512] with the original padding, lane by lane as its specification has it."""
    def rotate(value, n):
        n %= 64
        return (value << n | value >> (64 - n)) & (1 << 64) - 1 if n else value
    lanes = [[0] * 5 for _ in range(5)]
    padded = bytearray(data) + b"\x01" + b"\0" * (-(len(data) + 1) % 136)
    padded[-1] |= 0x80
    for block in range(0, len(padded), 136):
        for i in range(17):
            lanes[i % 5][i // 5] ^= int.from_bytes(padded[block + 8 * i:block + 8 * i + 8], "little")
        lfsr = 1
        for _ in range(24):
            c = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
            d = [c[(x + 4) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            lanes = [[lanes[x][y] ^ d[x] for y in range(5)] for x in range(5)]
            x, y, current = 1, 0, lanes[1][0]
            for t in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, lanes[x][y] = lanes[x][y], rotate(current, (t + 1) * (t + 2) // 2)
            for row in range(5):
                line = [lanes[column][row] for column in range(5)]
                for column in range(5):
                    lanes[column][row] = line[column] ^ (~line[(column + 1) % 5] & line[(column + 2) % 5])
            for j in range(7):
                lfsr = (lfsr << 1 ^ (lfsr >> 7) * 0x71) % 256
                if lfsr & 2:
                    lanes[0][0] ^= 1 << (1 << j) - 1
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def eip55(address):
    digest = keccak256(address.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(address, digest))


def mrz_digit(field):
    total = 0
    for i, c in enumerate(field):
        value = 0 if c == "<" else int(c, 36)
        total += value * (7, 3, 1)[i % 3]
    return str(total % 10)


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
