"""Personal data: a value for each detector, made by the rules of whoever issues it, and the words that stand beside it.

LABELS holds those words, as people and as schemas write them; an empty list: recognised without any.
"""

import datetime

import alphabets as a
import checksums as c
from alphabets import BASE36_UPPER, DIGITS, UPPER
from checksums import luhn_digit, weighted

VALUES = {}
LABELS = {}


def person(detector, labels=""):
    def register(function):
        VALUES[detector] = function
        LABELS[detector] = [label for label in labels.split("|") if label]
        return function
    return register


def d(r, n):
    return a.digits(r, n)


def birthday(r, first=1930, last=2009):
    return datetime.date(first, 1, 1) + datetime.timedelta(days=r.randrange((last - first) * 365))


def grouped(value, sizes, separator):
    out, at = [], 0
    for size in sizes:
        out.append(value[at:at + size])
        at += size
    return separator.join(out)


def until(make):
    """The first value that a rule does not forbid."""
    def wrapped(r):
        while True:
            value = make(r)
            if value is not None:
                return value
    return wrapped


FIRST = "James Mary Wei Fatima Carlos Anna Lars Sofia Yuki Olga Ahmed Chloe Raj Ingrid Mateo Elena Noah Priya".split()
LAST = "Smith Garcia Chen Mueller Rossi Nakamura Ivanova Silva Kowalski Andersson Dubois Patel Novak Jensen".split()


# --- contact
@person("email")
def email(r):
    user = r.choice([r.choice(FIRST).lower() + "." + r.choice(LAST).lower(), r.choice(FIRST)[0].lower() + r.choice(LAST).lower() + str(r.randint(1, 99)),
                     r.choice(LAST).lower() + "+news", "billing_" + r.choice(LAST).lower(), r.choice(FIRST)])
    return user + "@" + r.choice(["gmail.com", "acme.io", "mail.acme.co.uk", "uni-bonn.de", "outlook.com", "firma.example.org", "sub.dept.gov.au", "proton.me", "xn--bcher-kva.ch"])


@person("phone")
def phone(r):
    kind = r.choice([("1", 10), ("44", 10), ("49", 10), ("33", 9), ("34", 9), ("39", 10), ("81", 10), ("86", 11), ("91", 10), ("55", 11), ("61", 9), ("971", 9), ("353", 9), ("48", 9), ("46", 9)])
    number = d(r, kind[1])
    number = r.choice("23456789") + number[1:] if kind[0] != "1" else r.choice("23456789") + r.choice("02345678") + d(r, 1) + r.choice("23456789") + r.choice("02345678") + d(r, 5)
    sep = r.choice(["", " ", "-", "."])
    if kind[0] == "1":
        return r.choice(["+1%s%s%s%s%s%s" % (sep, number[:3], sep, number[3:6], sep, number[6:]), "+1 (%s) %s-%s" % (number[:3], number[3:6], number[6:])])
    if sep:
        return "+" + kind[0] + sep + grouped(number, (3, 3, len(number) - 6), sep)
    return "+" + kind[0] + number


def nanp(r):
    while True:
        area = r.choice("23456789") + r.choice("012345678") + d(r, 1)
        exchange = r.choice("23456789") + d(r, 2)
        if not (area.endswith("11") or exchange.endswith("11")):
            return area, exchange, d(r, 4)


@person("phone_us")
def phone_us(r):
    return r.choice(["(%s) %s-%s", "1-%s-%s-%s", "(%s)%s-%s", "1 (%s) %s-%s"]) % nanp(r)


def phone_us_digits(r):
    return r.choice(["%s%s%s", "%s %s %s", "%s-%s-%s", "%s.%s.%s"]) % nanp(r)


def phone_uk(r):
    return r.choice([lambda: "020 7" + d(r, 3) + " " + d(r, 4), lambda: "07" + d(r, 3) + " " + d(r, 6), lambda: "07" + d(r, 9), lambda: "0161 " + d(r, 3) + " " + d(r, 4), lambda: "01" + d(r, 3) + " " + d(r, 6), lambda: "(0131) " + d(r, 3) + " " + d(r, 4)])()


def phone_de(r):
    return r.choice([lambda: "030 " + r.choice("123456789") + d(r, 7), lambda: "0221/" + r.choice("123456789") + d(r, 6), lambda: "0171 " + d(r, 7), lambda: "0151 " + d(r, 8), lambda: "(089) " + r.choice("123456789") + d(r, 6), lambda: "040-" + r.choice("123456789") + d(r, 6), lambda: "0176" + d(r, 8)])()


def phone_fr(r):
    return "0" + r.choice("1234567") + "".join(sep + d(r, 2) for sep in [r.choice(["", " ", "."])] * 4)


def phone_es(r):
    sep = r.choice(["", " "])
    return r.choice("679") + d(r, 2) + sep + d(r, 3) + sep + d(r, 3)


def phone_it(r):
    sep = r.choice(["", " "])
    return "3" + r.choice("2346789") + d(r, 1) + sep + d(r, 3) + sep + d(r, 4)


def phone_br(r):
    return r.choice(["(%s) 9%s-%s", "%s 9%s-%s", "%s9%s%s"]) % (r.choice(["11", "21", "31", "41", "51", "61", "71", "85"]), r.choice("6789") + d(r, 3), d(r, 4))


def phone_in(r):
    return r.choice("6789") + d(r, 4) + r.choice(["", " "]) + d(r, 5)


def phone_jp(r):
    return r.choice(["090-", "080-", "070-"]) + d(r, 4) + "-" + d(r, 4) if r.random() < .7 else "03-" + r.choice("356") + d(r, 3) + "-" + d(r, 4)


def phone_au(r):
    return r.choice([lambda: "04" + d(r, 2) + " " + d(r, 3) + " " + d(r, 3), lambda: "(02) 9" + d(r, 3) + " " + d(r, 4), lambda: "03 9" + d(r, 3) + " " + d(r, 4), lambda: "04" + d(r, 8)])()


def phone_cn(r):
    return "1" + r.choice("356789") + d(r, 9)


PHONE = ("phone|phone number|mobile|tel|cell|contact number|fax|whatsapp|Telefon|Telefonnummer|Handy|Mobil|Rufnummer|handynummer|Téléphone|téléphone|Tél|Portable|Teléfono|teléfono|Móvil|movil|telefono|"
         "Cellulare|cellulare|recapito|Telefone|telefone|Celular|celular|mobile no|電話番号|電話|携帯電話|連絡先|手机号|手机|电话|Ph")


@person("phone_national", PHONE)
def phone_national(r):
    return r.choice([phone_us_digits, phone_uk, phone_de, phone_fr, phone_es, phone_it, phone_br, phone_in, phone_jp, phone_au, phone_cn])(r)


@person("date_of_birth", "DOB|date of birth|date_of_birth|birthdate|born|Geburtsdatum|date de naissance|fecha de nacimiento|birth_date|data di nascita")
def date_of_birth(r):
    return birthday(r).strftime(r.choice(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y"]))


@person("street_address", "address|home address|shipping address|billing address|lives at|mailing address|street|residence|address_line1")
def street_address(r):
    return "%d %s %s" % (r.randint(1, 9999), r.choice(["Maple", "Oak Hill", "Washington", "St. Mary's", "King George", "Elm", "Lake View", "Market"]), r.choice(["Street", "St", "Avenue", "Ave", "Road", "Rd", "Blvd", "Lane", "Drive", "Court", "Way"])) + r.choice(["", "", ", Apt 4B", " Suite 200"])


@person("street_address_eu", "Adresse|Anschrift|address|wohnhaft|Lieferadresse|domicilié|adresse")
def street_address_eu(r):
    return r.choice(["Hauptstraße %d", "Goethestr. %d", "Lindenweg %da", "Marktplatz %d", "Bahnhofstrasse %d", "%d rue de la République", "%d avenue des Champs", "%d bis, rue Victor Hugo", "%d boulevard Voltaire"]) % r.randint(1, 180)


# --- financial
CARDS = [("4", 16), ("4", 16), ("51", 16), ("53", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16), ("65", 16), ("3530", 16), ("3566", 16), ("36", 14), ("6221", 16), ("6759", 16)]


def card(r):
    prefix, size = r.choice(CARDS)
    body = prefix + d(r, size - len(prefix) - 1)
    return body + luhn_digit(body)


@person("credit_card")
def credit_card(r):
    number = card(r)
    sep = r.choice([" ", "-"])
    return grouped(number, {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4)}[len(number)], sep)


@person("credit_card_digits", "card number|credit card|card_number|cardNumber card|Visa|Kreditkarte|payment card|cc|charged card|PAN")
def credit_card_digits(r):
    return card(r)


@person("card_security_code", "CVV|CVC|cvv2|card security code|cvc code|CSC")
def cvv(r):
    return d(r, r.choice([3, 3, 3, 4]))


@person("card_track_data")
def track(r):
    number = card(r)
    expiry = "%02d%02d" % (r.randint(26, 33), r.randint(1, 12))
    if r.random() < .5:
        return "%B" + number + "^" + r.choice(LAST).upper() + "/" + r.choice(FIRST).upper() + "^" + expiry + "101" + d(r, 16) + "?"
    return ";" + number + "=" + expiry + "101" + d(r, 13) + "?"


BBAN = {"DE": "n18", "GB": "a4n14", "FR": "n10c11n2", "ES": "n20", "IT": "a1n10c12", "NL": "a4n10", "BE": "n12", "CH": "n5c12", "AT": "n16", "PL": "n24", "SE": "n20",
        "NO": "n11", "DK": "n14", "FI": "n14", "PT": "n21", "IE": "a4n14", "LU": "n3c13", "CZ": "n20", "RO": "a4c16", "TR": "n6c16", "SA": "n2c18", "BR": "n23a1c1", "HR": "n17", "MT": "a4n5c18"}


@person("iban")
def iban(r):
    import re
    country = r.choice(sorted(BBAN))
    bban = "".join(a.text(r, {"n": DIGITS, "a": UPPER, "c": BASE36_UPPER}[kind], int(size)) for kind, size in re.findall(r"([nac])(\d+)", BBAN[country]))
    value = country + c.iban_check(country, bban) + bban
    if r.random() < .5:
        return " ".join(value[i:i + 4] for i in range(0, len(value), 4))
    return value


@person("bic", "BIC|SWIFT|SWIFT code|bic|swift_code")
def bic(r):
    return a.text(r, UPPER, 4) + r.choice(["DE", "FR", "GB", "US", "NL", "JP", "CH", "SG"]) + a.text(r, BASE36_UPPER, 2) + r.choice(["", "XXX", a.text(r, BASE36_UPPER, 3)])


@person("us_bank_routing", "routing number|ABA|routing_number|ABA number|ACH routing")
def aba(r):
    body = r.choice(["02", "03", "06", "07", "11", "12", "21", "26", "31", "32"]) + d(r, 6)
    return body + str(-weighted(body, (3, 7, 1, 3, 7, 1, 3, 7)) % 10)


@person("uk_bank_account", "sort code|bank details|sort_code")
def uk_account(r):
    return r.choice(["%s-%s-%s, account 1%s", "%s-%s-%s 1%s", "%s-%s-%s / 1%s"]) % (d(r, 2), d(r, 2), d(r, 2), d(r, 7))


@person("bank_account_number", "account number|bank account|account_number|Kontonummer|acct no")
def account(r):
    return r.choice("123456789") + d(r, r.randint(7, 11))


@person("bitcoin_address", "bitcoin address|BTC|btc_address|wallet|donate to")
def bitcoin(r):
    kind = r.randrange(4)
    if kind == 0:
        return c.base58check(b"\0" + a.random_bytes(r, 20))
    if kind == 1:
        return c.base58check(b"\x05" + a.random_bytes(r, 20))
    if kind == 2:
        return c.bech32("bc", [0] + c.five_bit_groups(a.random_bytes(r, 20)))
    return c.bech32("bc", [1] + c.five_bit_groups(a.random_bytes(r, 32)), 0x2BC830A3)


@person("ethereum_address")
def ethereum(r):
    plain = a.text(r, a.HEX, 40)
    return c.eip55(plain) if r.random() < .7 else "0x" + plain


@person("litecoin_address", "LTC|litecoin address|DOGE|ltc_wallet")
def litecoin(r):
    return r.choice([lambda: c.base58check(b"\x30" + a.random_bytes(r, 20)), lambda: c.base58check(b"\x32" + a.random_bytes(r, 20)), lambda: c.base58check(b"\x1e" + a.random_bytes(r, 20)),
                     lambda: c.bech32("ltc", [0] + c.five_bit_groups(a.random_bytes(r, 20)))])()


# --- United States and Canada
def ssn_parts(r):
    while True:
        area = r.randint(1, 899)
        if area != 666:
            return "%03d" % area, "%02d" % r.randint(1, 99), "%04d" % r.randint(1, 9999)


@person("ssn")
def ssn(r):
    return "%s-%s-%s" % ssn_parts(r)


@person("ssn_digits", "SSN|social security number|ssn|social_security_number|soc sec")
def ssn_digits(r):
    return r.choice(["%s%s%s", "%s %s %s"]) % ssn_parts(r)


@person("us_itin", "ITIN|taxpayer identification|itin")
def itin(r):
    group = r.choice([g for g in range(50, 100) if g not in (66, 67, 68, 69, 89, 93)])
    return r.choice(["9%s-%02d-%s", "9%s%02d%s"]) % (d(r, 2), group, d(r, 4))


@person("us_ein", "EIN|employer identification number|FEIN|federal tax id|ein")
def ein(r):
    return r.choice(["12", "20", "27", "35", "45", "61", "75", "82", "94"]) + "-" + d(r, 7)


@person("us_passport", "US passport|U.S. passport number|us_passport")
def us_passport(r):
    return r.choice(["", r.choice("ACXYZ")]) and r.choice("ACXYZ") + d(r, 8) or r.choice("3456789") + d(r, 8)


@person("us_driver_license", "driver's license|driver license number|DL number|drivers_license|driver_license")
def us_license(r):
    return r.choice([lambda: r.choice(UPPER) + d(r, 7), lambda: r.choice(UPPER) + d(r, 12), lambda: r.choice("123456789") + d(r, 7), lambda: r.choice(UPPER) + d(r, 3) + "-" + d(r, 4) + "-" + d(r, 4)])()


@person("us_npi", "NPI|national provider identifier|npi")
def npi(r):
    body = r.choice("12") + d(r, 8)
    return body + luhn_digit("80840" + body)


@person("us_dea", "DEA|DEA number|dea_number|DEA registration")
def dea(r):
    body = d(r, 6)
    return r.choice("ABFGM") + r.choice(UPPER) + body + str((weighted(body, (1, 2, 1, 2, 1, 2))) % 10)


@person("us_medicare_mbi", "Medicare number|MBI|medicare_id|Medicare beneficiary identifier")
def mbi(r):
    letters, both = "ACDEFGHJKMNPQRTUVWXY", "ACDEFGHJKMNPQRTUVWXY" + DIGITS
    value = r.choice("123456789") + r.choice(letters) + r.choice(both) + d(r, 1) + r.choice(letters) + r.choice(both) + d(r, 1) + r.choice(letters) + r.choice(letters) + d(r, 2)
    return value if r.random() < .5 else grouped(value, (4, 3, 4), "-")


@person("ca_sin", "SIN|social insurance number|NAS|sin number")
def sin(r):
    body = r.choice("1234567") + d(r, 7)
    return grouped(body + luhn_digit(body), (3, 3, 3), r.choice(["", " ", "-"]))


# --- United Kingdom and Ireland
@person("uk_nino", "National Insurance number|NINO|NI number|nino")
def nino(r):
    while True:
        prefix = r.choice("ABCEGHJKLMNOPRSTWXYZ") + r.choice("ABCEGHJKLMNPRSTWXYZ")
        if prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            return r.choice(["%s%s%s%s%s", "%s %s %s %s %s"]) % (prefix, d(r, 2), d(r, 2), d(r, 2), r.choice("ABCD"))


@until
def _nhs(r):
    body = d(r, 9)
    check = 11 - weighted(body, range(10, 1, -1)) % 11
    return None if check == 10 else body + str(check % 11)


@person("uk_nhs_number", "NHS number|NHS no|nhs_number|patient NHS")
def nhs(r):
    return grouped(_nhs(r), (3, 3, 4), r.choice(["", " ", "-"]))


@person("uk_utr", "UTR|unique taxpayer reference|tax reference")
def utr(r):
    body = d(r, 9)
    return "21987654321"[weighted(body, (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11] + body


@person("uk_driving_licence", "driving licence|DVLA driver number|driving licence number")
def uk_licence(r):
    day = birthday(r)
    return r.choice(LAST).upper()[:5].ljust(5, "9") + "%d%02d%02d%d" % (day.year // 10 % 10, day.month + r.choice([0, 50]), day.day, day.year % 10) + r.choice(UPPER) + r.choice(UPPER + "9") + d(r, 1) + a.text(r, UPPER, 2)


@person("uk_passport", "UK passport|British passport|uk_passport_number")
def uk_passport(r):
    return r.choice("12345") + d(r, 8)


@person("ie_pps", "PPS number|PPSN|PPS No")
def pps(r):
    body, second = d(r, 7), r.choice(["", "A", "B", "H"])
    rest = (weighted(body, range(8, 1, -1)) + (ord(second) - 64) * 9 if second else weighted(body, range(8, 1, -1))) % 23
    return body + "WABCDEFGHIJKLMNOPQRSTUV"[rest] + second


# --- European Union
@until
def _steuer_id(r):
    figures = r.sample(DIGITS, 9)
    body = figures + [r.choice(figures)]
    r.shuffle(body)
    if body[0] == "0":
        return None
    body = "".join(body)
    return body + c.mod_11_10_digit(body)


@person("de_tax_id", "Steuer-ID|Steueridentifikationsnummer|IdNr|steuer_id|Steuer-Identifikationsnummer")
def steuer_id(r):
    return grouped(_steuer_id(r), (2, 3, 3, 3), r.choice(["", " "]))


@person("de_social_security", "Sozialversicherungsnummer|SV-Nummer|Rentenversicherungsnummer|svnr")
def rvnr(r):
    day = birthday(r)
    body = r.choice(["02", "12", "53", "65", "15", "29"]) + day.strftime("%d%m%y")
    letter = r.choice(UPPER)
    serial = d(r, 2)
    numbers = body + "%02d" % (ord(letter) - 64) + serial
    total = sum(sum(divmod(int(x) * w, 10)) for x, w in zip(numbers, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)))
    return r.choice(["%s %s %s %s%d", "%s%s%s%s%d"]) % (body[:2], body[2:], letter, serial, total % 10)


@person("de_id_card", "Ausweisnummer|Personalausweis|Reisepass|ID card|passnummer")
def ausweis(r):
    chars = "CFGHJKLMNPRTVWXYZ"
    body = r.choice("CFGHJKLT") + "".join(r.choice(chars + DIGITS * 2) for _ in range(7)) + d(r, 1)
    return body + c.mrz_digit(body)


@person("fr_nir", "NIR|numéro de sécurité sociale|sécurité sociale")
def nir(r):
    body = r.choice("12") + "%02d%02d" % (r.randint(30, 99), r.randint(1, 12)) + "%02d" % r.randint(21, 95) + "%03d%03d" % (r.randint(1, 600), r.randint(1, 999))
    key = "%02d" % (97 - int(body) % 97)
    return r.choice([body + key, " ".join([body[0], body[1:3], body[3:5], body[5:7], body[7:10], body[10:13], key])])


DNI = "TRWAGMYFPDXBNJZSQVHLCKE"


@person("es_dni", "DNI|NIF|documento nacional de identidad")
def dni(r):
    body = d(r, 8)
    return body + r.choice(["", "-"]) + DNI[int(body) % 23]


@person("es_nie", "NIE|nie|extranjero NIE")
def nie(r):
    first, body = r.randrange(3), d(r, 7)
    return "XYZ"[first] + r.choice(["", "-"]) + body + r.choice(["", "-"]) + DNI[int(str(first) + body) % 23]


ODD = dict(zip(BASE36_UPPER, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)))


@person("it_codice_fiscale", "codice fiscale|CF|Codice Fiscale|codice_fiscale")
def codice(r):
    day = birthday(r)
    body = a.text(r, "BCDFGLMNPRSTVZ", 6) + "%02d" % (day.year % 100) + "ABCDEHLMPRST"[day.month - 1] + "%02d" % (day.day + r.choice([0, 40])) + r.choice("ABCDEFGHL") + d(r, 3)
    total = sum(ODD[ch] if i % 2 == 0 else (int(ch) if ch.isdigit() else ord(ch) - 65) for i, ch in enumerate(body))
    return body + UPPER[total % 26]


@until
def _bsn(r):
    body = r.choice("123456789") + d(r, 7)
    check = weighted(body, range(9, 1, -1)) % 11
    return None if check == 10 else body + str(check)


@person("nl_bsn", "BSN|burgerservicenummer|bsn|sofinummer|BSN-nummer")
def bsn(r):
    return _bsn(r)


@person("be_national_number", "rijksregisternummer|INSZ|numéro national|registre national|NISS")
def be_number(r):
    day = birthday(r)
    body = day.strftime("%y%m%d") + "%03d" % r.randint(1, 997)
    check = 97 - int(("2" if day.year >= 2000 else "") + body) % 97
    return r.choice(["%s.%s.%s-%s.%02d", "%s%s%s%s%02d"]) % (body[:2], body[2:4], body[4:6], body[6:], check)


@person("pl_pesel", "PESEL|numer PESEL|pesel")
def pesel(r):
    day = birthday(r)
    body = "%02d%02d%02d" % (day.year % 100, day.month + (20 if day.year >= 2000 else 0), day.day) + d(r, 4)
    return body + str(-weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


@until
def _nip(r):
    body = r.choice("123456789") + d(r, 8)
    check = weighted(body, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11
    return None if check == 10 else body + str(check)


@person("pl_nip", "NIP|numer NIP|nip")
def nip(r):
    value = _nip(r)
    return value if r.random() < .5 else grouped(value, (3, 3, 2, 2), "-")


@person("se_personnummer", "personnummer|Personnummer|pnr|personal identity number")
def personnummer(r):
    day = birthday(r)
    body = day.strftime("%y%m%d") + d(r, 3)
    return r.choice(["", day.strftime("%Y")[:2]]) + body[:6] + r.choice(["-", ""]) + body[6:] + luhn_digit(body)


@until
def _fnr(r):
    day = birthday(r)
    body = day.strftime("%d%m%y") + d(r, 3)
    k1 = -weighted(body, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    if k1 == 10:
        return None
    k2 = -weighted(body + str(k1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if k2 == 10 else body + str(k1) + str(k2)


@person("no_fodselsnummer", "fødselsnummer|fodselsnummer|personnummer|fnr")
def fnr(r):
    return _fnr(r)


@person("fi_hetu", "")
def hetu(r):
    day = birthday(r)
    serial = "%03d" % r.randint(2, 899)
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(day.strftime("%d%m%y") + serial) % 31]
    return day.strftime("%d%m%y") + ("A" if day.year >= 2000 else "-") + serial + check


@person("dk_cpr", "CPR|CPR-nummer|cpr|personnummer")
def cpr(r):
    return birthday(r).strftime("%d%m%y") + r.choice(["-", ""]) + d(r, 4)


@person("pt_nif", "NIF|contribuinte|número de contribuinte")
def nif(r):
    body = r.choice("1235") + d(r, 7)
    check = 11 - weighted(body, range(9, 1, -1)) % 11
    return body + str(0 if check >= 10 else check)


@person("ro_cnp", "CNP|cod numeric personal")
def cnp(r):
    day = birthday(r)
    body = r.choice("56" if day.year >= 2000 else "12") + day.strftime("%y%m%d") + "%02d" % r.randint(1, 46) + "%03d" % r.randint(1, 999)
    check = weighted(body, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return body + str(1 if check == 10 else check)


@until
def _rc(r):
    day = birthday(r, 1954)
    body = "%02d%02d%02d" % (day.year % 100, day.month + r.choice([0, 50]), day.day) + d(r, 3)
    check = int(body) % 11
    return None if check == 10 else body + str(check)


@person("cz_birth_number", "rodné číslo|rodne cislo|RČ|birth number")
def rodne_cislo(r):
    value = _rc(r)
    return value if r.random() < .3 else value[:6] + "/" + value[6:]


@until
def _svnr(r):
    day = birthday(r).strftime("%d%m%y")
    serial = str(r.randint(100, 999))
    check = (weighted(serial, (3, 7, 9)) + weighted(day, (5, 8, 4, 2, 1, 6))) % 11
    return None if check == 10 else serial + str(check) + day


@person("at_social_security", "SVNR|Sozialversicherungsnummer|SV-Nummer")
def svnr(r):
    value = _svnr(r)
    return value if r.random() < .5 else value[:4] + " " + value[4:]


@person("bg_egn", "ЕГН|EGN|egn")
def egn(r):
    day = birthday(r)
    body = "%02d%02d%02d" % (day.year % 100, day.month + (40 if day.year >= 2000 else 0), day.day) + d(r, 3)
    return body + str(weighted(body, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10)


@person("hr_oib", "OIB|osobni identifikacijski broj")
def oib(r):
    body = d(r, 10)
    return body + c.mod_11_10_digit(body)


@person("ee_isikukood", "isikukood|asmens kodas|personal code")
def isikukood(r):
    day = birthday(r)
    body = r.choice("56" if day.year >= 2000 else "34") + day.strftime("%y%m%d") + d(r, 3)
    check = weighted(body, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighted(body, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return body + str(check)


@until
def _pk(r):
    day = birthday(r)
    body = day.strftime("%d%m%y") + ("2" if day.year >= 2000 else "1") + d(r, 3)
    check = (1101 - weighted(body, (1, 6, 3, 7, 9, 10, 5, 8, 4, 2))) % 11
    return None if check == 10 else body[:6] + "-" + body[6:] + str(check)


@person("lv_personas_kods", "personas kods|p.k.|personas_kods")
def personas_kods(r):
    return _pk(r)


@person("gr_amka", "AMKA|ΑΜΚΑ")
def amka(r):
    body = birthday(r).strftime("%d%m%y") + d(r, 4)
    return body + luhn_digit(body)


@person("gr_afm", "ΑΦΜ|AFM")
def afm(r):
    body = r.choice("01") + d(r, 7)
    return body + str(sum(int(x) * 2 ** (8 - i) for i, x in enumerate(body)) % 11 % 10)


@person("hu_taj", "TAJ szám|TAJ|taj")
def taj(r):
    body = d(r, 8)
    return grouped(body + str(weighted(body, (3, 7, 3, 7, 3, 7, 3, 7)) % 10), (3, 3, 3), r.choice(["", " ", "-"]))


@until
def _emso(r):
    day = birthday(r)
    body = day.strftime("%d%m") + "%03d" % (day.year % 1000) + "50" + d(r, 3)
    check = 11 - weighted(body, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if check == 10 else body + str(check % 11)


@person("si_emso", "EMŠO|JMBG|matična številka|emso")
def emso(r):
    return _emso(r)


@person("eu_vat", "VAT number|USt-IdNr|VAT ID|BTW-nummer|TVA|partita IVA|vat_id")
def vat(r):
    kind = r.choice(["DE", "FR", "IT", "BE", "DK", "AT"])
    if kind == "DE":
        body = r.choice("123") + d(r, 7)
        return "DE" + body + c.mod_11_10_digit(body)
    if kind == "FR":
        body = d(r, 8)
        siren = body + luhn_digit(body)
        return "FR%02d%s" % ((12 + 3 * (int(siren) % 97)) % 97, siren)
    if kind == "IT":
        body = d(r, 10)
        return "IT" + body + luhn_digit(body)
    if kind == "BE":
        body = "0" + r.choice("4567") + d(r, 6)
        return "BE%s%02d" % (body, 97 - int(body) % 97)
    if kind == "DK":
        while True:
            body = r.choice("123456789") + d(r, 6)
            check = -weighted(body, (2, 7, 6, 5, 4, 3, 2)) % 11
            if check < 10:
                return "DK" + body + str(check)
    return "ATU" + d(r, 8)


# --- elsewhere
@person("ch_ahv", "")
def ahv(r):
    body = "756" + d(r, 9)
    return grouped(body + str(-weighted(body, (1, 3) * 6) % 10), (3, 4, 4, 2), r.choice([".", ""]))


@until
def _kt(r):
    day = birthday(r)
    body = day.strftime("%d%m%y") + "%02d" % r.randint(20, 99)
    check = -weighted(body, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if check == 10 else body[:6] + r.choice(["-", ""]) + body[6:] + str(check) + ("0" if day.year >= 2000 else "9")


@person("is_kennitala", "kennitala|kt.|Kennitala")
def kennitala(r):
    return _kt(r)


@person("ua_rnokpp", "РНОКПП|ІПН|ідентифікаційний код")
def rnokpp(r):
    body = r.choice("23") + d(r, 8)
    return body + str(weighted(body, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10)


@person("ru_inn", "ИНН|INN|инн")
def inn(r):
    if r.random() < .5:
        body = r.choice("1234567") + d(r, 8)
        return body + str(weighted(body, (2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)
    body = r.choice("1234567") + d(r, 9)
    body += str(weighted(body, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)
    return body + str(weighted(body, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10)


@person("ru_snils", "СНИЛС|SNILS")
def snils(r):
    body = r.choice("1234567890") + d(r, 8)
    check = weighted(body, range(9, 0, -1)) % 101 % 100
    return r.choice([body + "%02d" % check, "%s-%s-%s %02d" % (body[:3], body[3:6], body[6:], check)])


@person("tr_tckn", "TC Kimlik No|TCKN|kimlik no|T.C. Kimlik")
def tckn(r):
    body = r.choice("123456789") + d(r, 8)
    odd, even = sum(map(int, body[0::2])), sum(map(int, body[1::2]))
    body += str((odd * 7 - even) % 10)
    return body + str(sum(map(int, body)) % 10)


@person("il_id", "teudat zehut|תעודת זהות|Israeli ID|ת.ז.")
def il_id(r):
    body = r.choice("0123456") + d(r, 7)
    return body + luhn_digit(body)


@person("ae_emirates_id", "")
def emirates(r):
    body = "784%d" % r.randint(1950, 2009) + d(r, 7)
    value = body + luhn_digit(body)
    return value if r.random() < .3 else grouped(value, (3, 4, 7, 1), "-")


@person("za_id", "ID number|SA ID|identity number|id_number|South African ID")
def za_id(r):
    body = birthday(r).strftime("%y%m%d") + d(r, 4) + r.choice("01") + "8"
    return body + luhn_digit(body)


@person("in_aadhaar", "Aadhaar|Aadhaar number|aadhaar_no|UIDAI|आधार")
def aadhaar(r):
    body = r.choice("23456789") + d(r, 10)
    return grouped(body + c.verhoeff_digit(body), (4, 4, 4), r.choice(["", " ", "-"]))


@person("in_pan", "PAN|PAN card|permanent account number|pan_number")
def pan(r):
    return a.text(r, UPPER, 3) + r.choice("PCHFATBLJG") + r.choice(UPPER) + d(r, 4) + r.choice(UPPER)


@person("in_gstin", "GSTIN|GST|gstin")
def gstin(r):
    body = "%02d" % r.randint(1, 37) + a.text(r, UPPER, 3) + r.choice("PCHF") + r.choice(UPPER) + d(r, 4) + r.choice(UPPER) + r.choice("123456789") + "Z"
    total = 0
    for i, ch in enumerate(body):
        value = BASE36_UPPER.index(ch) * (1 + i % 2)
        total += value // 36 + value % 36
    return body + BASE36_UPPER[-total % 36]


@person("cn_resident_id", "身份证号|身份证|resident ID|公民身份号码")
def resident_id(r):
    body = r.choice(["110105", "310115", "440305", "510107", "330106"]) + birthday(r).strftime("%Y%m%d") + d(r, 3)
    return body + "10X98765432"[weighted(body, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11]


@person("hk_id", "HKID|Hong Kong ID|身份證|HKID No")
def hkid(r):
    letters = r.choice(["", r.choice(UPPER)]) + r.choice(UPPER)
    body = d(r, 6)
    total = sum((ord(ch) - 55) * w for ch, w in zip(letters.rjust(2, "["), (9, 8))) + weighted(body, range(7, 1, -1))
    if len(letters) == 1:
        total += 0  # "[" is 91 - 55 = 36, the value of the blank.
    return letters + body + "(" + "0123456789A"[-total % 11] + ")"


@person("tw_id", "身分證字號|national ID|Taiwan ID|身分證")
def tw_id(r):
    letter = r.choice(UPPER)
    number = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36)))[letter]
    body = r.choice("12") + d(r, 7)
    total = number // 10 + number % 10 * 9 + weighted(body, range(8, 0, -1))
    return letter + body + str(-total % 10)


@person("jp_my_number", "マイナンバー|個人番号|My Number|my_number")
def my_number(r):
    body = d(r, 11)
    rest = sum(int(x) * (n + 1 if n <= 6 else n - 5) for n, x in enumerate(reversed(body), 1)) % 11
    return grouped(body + str(0 if rest <= 1 else 11 - rest), (4, 4, 4), r.choice(["", " ", "-"]))


@person("kr_rrn", "주민등록번호|RRN|resident registration number")
def rrn(r):
    day = birthday(r)
    return day.strftime("%y%m%d") + "-" + r.choice("34" if day.year >= 2000 else "12") + d(r, 6)


@person("sg_nric", "NRIC|FIN|NRIC/FIN|nric")
def nric(r):
    series, body = r.choice("STFGM"), d(r, 7)
    total = weighted(body, (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(series, 0)
    if series == "M":
        return series + body + "KLJNPQRTUWX"[10 - total % 11]
    return series + body + ("JZIHGFEDCBA" if series in "ST" else "XWUTRQPNMLK")[total % 11]


@person("my_nric", "NRIC|MyKad|IC number|kad pengenalan|ic_number")
def mykad(r):
    value = birthday(r).strftime("%y%m%d") + r.choice(["01", "08", "10", "14", "21", "43"]) + d(r, 4)
    return value if r.random() < .4 else grouped(value, (6, 2, 4), "-")


@person("th_id", "เลขประจำตัวประชาชน|Thai national ID|citizen ID|thai_id")
def th_id(r):
    body = r.choice("12345") + d(r, 11)
    value = body + str((11 - weighted(body, range(13, 1, -1)) % 11) % 10)
    return value if r.random() < .5 else grouped(value, (1, 4, 5, 2, 1), "-")


@person("id_nik", "NIK|KTP|no. KTP|nomor induk kependudukan|nik")
def nik(r):
    day = birthday(r)
    return r.choice(["3171", "3273", "3578", "5171", "1271"]) + "%02d" % r.randint(1, 20) + "%02d%02d%02d" % (day.day + r.choice([0, 40]), day.month, day.year % 100) + "%04d" % r.randint(1, 80)


@until
def _tfn(r):
    body = r.choice("12345678") + d(r, 7)
    rest = weighted(body, (1, 4, 3, 7, 5, 8, 6, 9)) % 11
    return None if rest == 10 else body + str(rest)


@person("au_tfn", "TFN|tax file number|tfn")
def tfn(r):
    # The last digit weighs 10, that is -1 modulo 11.
    return grouped(_tfn(r), (3, 3, 3), r.choice(["", " "]))


@person("au_medicare", "Medicare|Medicare number|Medicare card|medicare_number")
def medicare(r):
    body = r.choice("23456") + d(r, 7)
    value = body + str(weighted(body, (1, 3, 7, 9, 1, 3, 7, 9)) % 10) + r.choice("123")
    return value if r.random() < .5 else value[:4] + " " + value[4:9] + " " + value[9]


@person("au_abn", "ABN|Australian Business Number|abn")
def abn(r):
    while True:
        value = r.choice("123456789") + d(r, 10)
        if (weighted(value, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0:
            return grouped(value, (2, 3, 3, 3), r.choice(["", " "]))


@until
def _ird(r):
    body = str(r.randint(1000000, 14999999))
    padded = body.rjust(8, "0")
    check = -weighted(padded, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if check == 10:
        check = -weighted(padded, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return None if check == 10 else body + str(check)


@person("nz_ird", "IRD number|IRD|ird_number|IRD no")
def ird(r):
    value = _ird(r)
    sep = r.choice(["", "-"])
    return value[:-6] + sep + value[-6:-3] + sep + value[-3:]


def brazilian(body, wrap):
    weights = [i % (wrap - 1) + 2 for i in range(len(body))]
    rest = sum(int(x) * w for x, w in zip(reversed(body), weights)) % 11
    return str(0 if rest < 2 else 11 - rest)


@person("br_cpf", "CPF|cpf|CPF do cliente")
def cpf(r):
    body = d(r, 9)
    body += brazilian(body, 11)
    body += brazilian(body, 11)
    return body if r.random() < .4 else "%s.%s.%s-%s" % (body[:3], body[3:6], body[6:9], body[9:])


@person("br_cnpj", "CNPJ|cnpj")
def cnpj(r):
    body = d(r, 8) + "0001"
    body += brazilian(body, 9)
    body += brazilian(body, 9)
    return body if r.random() < .2 else "%s.%s.%s/%s-%s" % (body[:2], body[2:5], body[5:8], body[8:12], body[12:])


@person("mx_curp", "CURP|curp")
def curp(r):
    day = birthday(r)
    body = r.choice(UPPER[:26].replace("X", "A")) + r.choice("AEIOU") + a.text(r, UPPER, 2) + day.strftime("%y%m%d") + r.choice("HM") + r.choice(["DF", "JC", "NL", "VZ", "OC"]) + a.text(r, "BCDFGHJKLMNPQRSTVWXYZ", 3) + ("A" if day.year >= 2000 else "0")
    table = "0123456789ABCDEFGHIJKLMN#OPQRSTUVWXYZ"
    return body + str(-sum(table.index(ch) * (18 - i) for i, ch in enumerate(body)) % 10)


@person("mx_rfc", "RFC|rfc")
def rfc(r):
    name = a.text(r, UPPER, r.choice([3, 4]))
    body = name + birthday(r).strftime("%y%m%d") + a.text(r, BASE36_UPPER, 2)
    table = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ #"
    total = sum(table.index(ch) * (13 - i) for i, ch in enumerate(body.rjust(12)))
    check = 11 - total % 11
    return body + {11: "0", 10: "A"}.get(check, str(check))


@until
def _cuit(r):
    body = r.choice(["20", "23", "27", "30", "33"]) + d(r, 8)
    check = 11 - weighted(body, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return None if check == 10 else body + str(check % 11)


@person("ar_cuit", "CUIT|CUIL|cuit")
def cuit(r):
    value = _cuit(r)
    return value if r.random() < .4 else value[:2] + "-" + value[2:10] + "-" + value[10]


@person("cl_rut", "RUT|rut|RUN")
def rut(r):
    body = str(r.randint(5000000, 25999999))
    check = "0123456789K0"[11 - sum(int(x) * (2 + i % 6) for i, x in enumerate(reversed(body))) % 11]
    dotted = "{:,}".format(int(body)).replace(",", ".")
    return r.choice([body, dotted]) + "-" + check


@person("co_nit", "NIT|nit")
def nit(r):
    body = r.choice("89") + d(r, 8)
    rest = weighted(body, (41, 37, 29, 23, 19, 17, 13, 7, 3)) % 11
    return r.choice([body, "%s.%s.%s" % (body[:3], body[3:6], body[6:])]) + "-" + str(rest if rest < 2 else 11 - rest)


@person("uy_ci", "C.I.|cédula|cédula de identidad")
def uy_ci(r):
    body = r.choice("123456") + d(r, 6)
    return r.choice([body, "%s.%s.%s" % (body[0], body[1:4], body[4:])]) + "-" + str(-weighted(body, (2, 9, 8, 7, 6, 3, 4)) % 10)


@person("ec_cedula", "cédula|cedula|cédula de identidad")
def cedula(r):
    body = "%02d" % r.randint(1, 24) + r.choice("012345") + d(r, 6)
    return body + luhn_digit(body)


# --- travel documents
def mrz_names(r, size):
    return (r.choice(LAST).upper() + "<<" + r.choice(FIRST).upper()).ljust(size, "<")


@person("passport_mrz")
def passport(r):
    country = r.choice(["USA", "GBR", "FRA", "JPN", "ESP"])
    number = a.text(r, BASE36_UPPER, 9)
    number += c.mrz_digit(number)
    born = birthday(r).strftime("%y%m%d")
    born += c.mrz_digit(born)
    expires = "3" + d(r, 1) + "%02d%02d" % (r.randint(1, 12), r.randint(1, 28))
    expires += c.mrz_digit(expires)
    personal = "<" * 14
    personal += c.mrz_digit(personal)
    composite = c.mrz_digit(number + born + expires + personal)
    return "P<" + country + mrz_names(r, 39) + "\n" + number + country + born + r.choice("MF") + expires + personal + composite


@person("id_card_mrz")
def id_card(r):
    country = r.choice(["FRA", "ESP", "NLD", "UTO"])
    number = a.text(r, BASE36_UPPER, 9)
    first = "I<" + country + number + c.mrz_digit(number) + "<" * 15
    born = birthday(r).strftime("%y%m%d")
    born += c.mrz_digit(born)
    expires = "3" + d(r, 1) + "%02d%02d" % (r.randint(1, 12), r.randint(1, 28))
    expires += c.mrz_digit(expires)
    optional = "<" * 11
    composite = c.mrz_digit(first[5:30] + born + expires + optional)
    return first + "\n" + born + r.choice("MF") + expires + country + optional + composite + "\n" + mrz_names(r, 30)


@person("passport_number", "passport number|Reisepass|passeport|pasaporte|passport no|passaporto")
def passport_number(r):
    return r.choice([lambda: d(r, 9), lambda: a.text(r, UPPER, 2) + d(r, 7), lambda: r.choice("ABEGKT") + d(r, 7), lambda: d(r, 2) + a.text(r, UPPER, 2) + d(r, 5)])()


# --- vehicles, devices, networks
@person("vin", "VIN|vehicle identification number|chassis number|vin")
def vin(r):
    table = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9)))
    chars = "ABCDEFGHJKLMNPRSTUVWXYZ" + DIGITS
    body = r.choice(["1HG", "WDB", "JTD", "5YJ", "WVW", "KMH"]) + a.text(r, chars, 5) + "0" + r.choice("ABCDEFGHJKLMNPRST") + r.choice(chars) + d(r, 6)
    total = sum((int(ch) if ch.isdigit() else table[ch]) * w for ch, w in zip(body, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)))
    return body[:8] + "0123456789X"[total % 11] + body[9:]


@person("imei", "IMEI|imei|IMEI number|device IMEI")
def imei(r):
    body = r.choice(["35", "86", "01", "99"]) + d(r, 12)
    return body + luhn_digit(body)


@person("iccid", "ICCID|SIM|iccid|SIM card")
def iccid(r):
    body = "89" + r.choice(["44", "49", "01", "33"]) + d(r, 14)
    return body + luhn_digit(body)


@person("imsi", "IMSI|imsi|subscriber identity")
def imsi(r):
    return r.choice(["310150", "262010", "234150", "208010", "440100"]) + d(r, 9)


@person("ipv4")
def ipv4(r):
    while True:
        parts = [r.randint(1, 223)] + [r.randint(0, 255) for _ in range(3)]
        import ipaddress
        if ipaddress.ip_address(".".join(map(str, parts))).is_global:
            return ".".join(map(str, parts))


@person("ipv6")
def ipv6(r):
    head = r.choice(["2a00:1450", "2606:4700", "2001:4860", "2a02:8108", "2409:8c20"])
    if r.random() < .5:
        return head + "".join(":%x" % r.randrange(65536) for _ in range(6))
    return head + ":%x::%x" % (r.randrange(1, 65536), r.randrange(1, 65536))


@person("mac_address")
def mac(r):
    pairs = ["%02x" % r.randrange(256) for _ in range(6)]
    pairs[0] = r.choice(["3c", "a4", "00", "f0", "d8"])
    value = ":".join(pairs)
    return value if r.random() < .5 else value.upper()


@person("us_medical_record_number", "MRN|medical record number|patient ID|mrn")
def mrn(r):
    return r.choice(["", "", "MR"]) + r.choice("123456789") + d(r, r.choice([6, 7]))


@person("geo_coordinates", "location|GPS|coordinates|lat/lon|position|geo")
def coordinates(r):
    return "%.*f, %.*f" % (r.randint(4, 7), r.uniform(-85, 85), r.randint(4, 7), r.uniform(-179, 179))
