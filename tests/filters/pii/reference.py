"""What is personal data, slowly and plainly: one expression a kind, tried at every byte."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise, product

import numpy as np
from stdnum import luhn

from filters.pii import api_keys, codes
from filters.pii.kinds import KINDS
from filters.pii.top_level_domains import domain_names
from tests.filters.pii.numbers import inn_is_valid, snils_is_valid

Span = tuple[int, int, str]

DOMAINS = {name.encode() for name in domain_names()}
KEPT = [ip_network(network) for network in "192.0.0.0/24 2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()]
FOLDED = {ord(letter): ord(letter.lower()) for letter in map(chr, (*range(65, 91), *range(0x410, 0x430)))}
LETTERS = "a-zA-Z\u0400-\u052f"


def left_of(text: bytes, at: int, floor: int) -> bytes:
    """As much as any rule looks at."""
    return text[max(floor, at - 200) : at]


def starts_apart(text: bytes, start: int, floor: int) -> bool:
    return not re.search(rb"(?:\w|[A-Za-z0-9]-|\d\.)\Z", left_of(text, start, floor))


def ends_apart(text: bytes, end: int) -> bool:
    return not re.match(rb"[\w@%+]|-[A-Za-z0-9]|\.\d", text[end : end + 2])


def context(text: bytes, at: int, floor: int, reach: int, words: str) -> bool:
    """Whether one of the words stands in the bytes before `at`, with no digit or mask between."""
    left = left_of(text, at, floor).decode("utf-8", "replace")
    for word in words.split():
        pattern = word[:-1] if word.endswith("*") else rf"{word}(?![{LETTERS}])"
        for found in re.finditer(rf"(?<![{LETTERS}_]){pattern}", left.translate(FOLDED)):
            between = left[found.start() :]
            if len(between.encode()) <= reach and not re.search("[0-9<>]", between):
                return True
    return False


def cyrillic(text: bytes, at: int, floor: int) -> bool:
    left = left_of(text, at, floor).decode("utf-8", "replace")
    found = re.search(r"[\u0400-\u052f][^0-9<>\u0400-\u052f]*\Z", left)
    return bool(found) and len(found[0].encode()) <= 24


def email(text: bytes, at: int, floor: int) -> Span | None:
    if text[at : at + 1] != b"@":
        return None
    run = re.search(rb"[A-Za-z0-9._%+-]*\Z", left_of(text, at, floor))[0]
    local = re.search(rb"(?:[A-Za-z0-9_%+-]|\.(?!\.))*\Z", run)[0]
    if len(local) > 64 or local.endswith(b"."):
        return None
    local = local.lstrip(b"._%+-")
    start = at - len(local)
    if not local or local.lower() == b"git" or text[max(floor, start - 1) : start] == b"@":
        return None
    domain = text[at + 1 : at + 254]
    labels = re.match(rb"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.(?=[A-Za-z0-9]))*", domain)[0]
    found = None
    for dot in re.finditer(rb"\.", labels):
        last = re.compile(rb"(?i)xn--[a-z0-9]*|[a-z0-9]+").match(domain, dot.end())
        known = last[0].lower() in DOMAINS or last[0].lower().startswith(b"xn--")
        if known and not re.match(rb"[(@A-Za-z0-9]", text[at + 1 + last.end() :][:1]):
            pair = domain[: last.end()].lower().split(b".")[-2:]
            example = pair in ([b"example", b"com"], [b"example", b"org"], [b"example", b"net"])
            found = None if example else (start, at + 1 + last.end(), "emails")
    return found


def ip(text: bytes, at: int, floor: int) -> Span | None:
    four = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}").match(text, at)
    if four:
        octets = four[0].split(b".")
        end = at + len(four[0])
        apart = ends_apart(text, end) and not re.match(rb"\.[A-Za-z]", text[end : end + 2])
        apart &= starts_apart(text, at, floor) and not re.search(
            rb"[A-Za-z0-9][./]\Z", left_of(text, at, floor)
        )
        plain = all(octet == b"0" or not octet.startswith(b"0") for octet in octets)
        if apart and plain and all(int(octet) < 256 for octet in octets):
            address = IPv4Address(four[0].decode())
            public = address.is_global and not address.is_multicast and address not in KEPT[0]
            large = len(four[0]) >= 9 and max(map(int, octets)) >= 32
            if public and large and not is_code(text, at, end, floor):
                return at, end, "ips"
    six = re.compile(rb"[23][0-9a-fA-F]{3}:[0-9a-fA-F:]*").match(text, at)
    if not six or not starts_apart(text, at, floor):
        return None
    end = at + len(six[0])
    if six[0].endswith(b":") and text[end : end + 1] != b"/":
        return None
    if ends_apart(text, end) or (not six[0][-1:].isdigit() and text[end : end + 1] in (b".", b"-")):
        try:
            address = ip_address(six[0].decode())
        except ValueError:
            return None
        special = any(address in network for network in KEPT[1:])
        groups = [group for group in six[0].split(b":") if group]
        if text[max(floor, at - 1) : at] != b":" and not special and len(groups) >= 3:
            assert isinstance(address, IPv6Address)
            return at, end, "ips"
    return None


def is_code(text: bytes, at: int, end: int, floor: int) -> bool:
    """Whether the number of four parts is no address."""
    if text[max(floor, at - 1) : at] in (b"@", b"/") or re.match(rb":\d{2,5}(?!\d)", text[end : end + 7]):
        return False
    begin = max(floor, at - 96)
    while begin > floor and text[begin] & 0xC0 == 0x80:
        begin -= 1
    named = said_before(text[begin:at].decode(), text[at:end].decode(), begin > floor)
    if named is not None:
        return named
    product = re.compile(rb"\d\d\.\d\d\.\d\d\.\d{3}")
    is_product = product.fullmatch(text, at, end)
    if is_product and text[end - 1 : end] == b"0":
        behind = text[end : end + 25].decode("utf-8", "ignore")
        found = re.match("[^0-9A-Za-z<>\u0400-\u052f]*(?=[\u0400-\u052f])", behind)
        if cyrillic(text, at, floor) or (found and len(found[0].encode()) < 24):
            return True
    first_two = re.match(rb"\d+\.\d+\.", text[at:end])[0]
    return any(
        other.count(b".") == 3
        and (other.startswith(first_two) or (is_product is not None and product.fullmatch(other) is not None))
        for other in re.findall(rb"[\d.]*\d", text[max(floor, at - 160) : at])
    )


def said_before(left: str, number: str, cut: bool) -> bool | None:
    """What the words before a number say: True, a code; False, an address. `cut`: more stands before."""
    words, placed, code = 0, False, None
    here = len(left)
    while here:
        mark, before = left[here - 1], left[max(0, here - 2) : here - 1]
        found = re.search(f"[{LETTERS}0-9]+\\Z", left[:here])
        if not found:
            tag = mark == ">" and not left[: here - 1].lower().endswith(
                tuple(listing(codes._VERSION_ENDINGS))
            )
            ends = mark == "<" or tag or (mark in ",;" and (words > 0 or not re.match("[0-9]", before)))
            in_between = mark in "\n\t|" or (mark in ".!?" and left[here : here + 1] in " \t\r\n")
            if ends or (words and in_between):
                return code
            here -= 1
            continue
        word = found[0].translate(FOLDED)
        if found.start() == 0 and cut:
            return code
        if word.isdigit():
            dotted = re.search(r"\d+(?:\.\d+)*\Z", left[:here])[0]
            in_brackets = left.endswith("(") and len(left[here:].encode()) <= 2 and len(dotted) <= 4
            if words or not (dotted.count(".") == 3 or in_brackets or dotted == "2"):
                return code
            here -= len(dotted)
            continue
        here = found.start()
        if listed(word, codes._ADDRESSEES):
            return False
        if listed(word, codes._PLACING):
            placed |= words == 0
        elif not listed(word, codes._JOINING):
            version = listed(word, codes._VERSIONS) or word.endswith(tuple(listing(codes._VERSION_ENDINGS)))
            if version and words <= (0 if placed else 3):
                return True
            reach = 3 if listed(word, codes._UPDATES) else 1 if listed(word, codes._CODES) else -1
            if reach < 0 and listed(word, codes._CODES_BESIDE):
                reach = 0
            small = int(number.partition(".")[0]) < 32
            if words <= reach and (not placed or (words == 0 and small)):
                code = True
            words += 1
    return code


def listing(words: np.ndarray) -> list[str]:
    return words.tobytes().decode().split()


def listed(word: str, words: np.ndarray) -> bool:
    """Whether the word is on a list of `filters.pii.text.word_list`."""
    return any(
        word.startswith(one[:-1]) if one.endswith("*") else re.match(rf"{one}(?![{LETTERS}])", word)
        for one in listing(words)
    )


GAP = r"(?: [-.]? ?|[-.] ?)"
SHAPES = re.compile(
    rf"(?:\+?\d+|\(\+?\d+\))(?:{GAP}?\(\d+\){GAP}?\d+|{GAP}\d+|(?<=\)){GAP}?\d+)?(?:{GAP}\d+)*"
    rf"|(?:\+?\d+|\(\+?\d+\)){GAP}?\(\d+\)"
)
RUSSIAN = "13322 1334 137 13223 13232 14222 1433 1424 146 15122 1523 155".split()
JOINED = "B 1A 47 4322 434".split()
PHONE_WORDS = "ph tel cell call fax sms phone* telephone* mobile* whatsapp* viber* тел* моб* сот* факс* звон*"


def phone(text: bytes, at: int, floor: int) -> Span | None:
    plus = text[max(floor, at - 1) : at] == b"+"
    start = at - plus
    bracket = text[max(floor, start - 1) : start] == b"(" and bool(re.compile(rb"\d{1,6}\)").match(text, at))
    start -= bracket
    if text[at : at + 1] == b"0" or text[max(floor, start - 1) : start] == b"+":
        return None
    if not starts_apart(text, start, floor):
        return None
    for end in range(min(len(text), at + 60), at + 9, -1):
        piece = text[start:end]
        try:
            plain = re.sub("[\u2010-\u2014]", "-", piece.decode().replace("\xa0", " "))
        except UnicodeDecodeError:
            continue
        if re.match(rb"\d", text[end : end + 1]) or not ends_apart(text, end) or not SHAPES.fullmatch(plain):
            continue
        if "(" in plain and ")" not in plain:
            continue
        groups = re.findall(r"\d+", plain)
        gaps = re.findall(r"(?<=\d)\D+(?=\d)", plain)
        digits = "".join(groups)
        if not 10 <= len(digits) <= 13 or plain.count(".") == 1:
            continue
        shape = "".join(format(len(group), "X") for group in groups)
        named = context(text, start, floor, 24, PHONE_WORDS)
        in_groups = bracket or not gaps or gaps[-1].strip(" ") != ""
        if plus:
            valid = international(digits, shape, named)
        else:
            valid = national(digits, shape, named, cyrillic(text, start, floor), bracket, in_groups)
        if valid:
            return start, end, "phones"
    return None


def american(digits: str) -> bool:
    return digits[0] >= "2" and digits[3] >= "2" and not digits[3:].startswith("55501")


def international(digits: str, shape: str, named: bool) -> bool:
    if digits[0] == "7":
        return len(digits) == 11 and digits[1] >= "3"
    if digits[0] == "1":
        return len(digits) == 11 and american(digits[1:])
    return shape != "A" or named


def national(digits: str, shape: str, named: bool, russian: bool, bracket: bool, in_groups: bool) -> bool:
    if len(digits) == 11 and digits[0] in "78" and not bracket:
        if digits[1] < "3":
            return False
        return shape in RUSSIAN or (shape in JOINED and (named or (digits[1] == "9" and russian)))
    if len(digits) == 11:
        return digits[0] == "1" and shape == "1334" and american(digits[1:]) and (in_groups or named)
    if len(digits) != 10 or (shape == "334" and digits[3:].startswith("55501")):
        return False
    if shape in ("334", "A") and american(digits):
        return (in_groups and shape == "334") or named
    if digits[0] not in "34789":
        return False
    if shape in {known[1:] for known in RUSSIAN}:
        return bracket or (in_groups and shape == "3322") or named
    return shape == "A" and named


def card(text: bytes, at: int, floor: int) -> Span | None:
    issuers = (
        (rb"4", (16, 19)),
        (rb"5[1-5]", (16,)),
        (rb"222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
        (rb"352[89]|35[3-8]", (16,)),
        (rb"3[47]", (15,)),
        (rb"30[0-5]|36|38|39", (14,)),
        (rb"220[0-4]|6011|64[4-9]|65|62", (16, 17, 18, 19)),
    )
    grouped = (
        rb"\d{4}([ -])\d{4}\1\d{4}\1\d{4}\1\d{3}",
        rb"\d{4}([ -])\d{4}\1\d{4}\1\d{4}",
        rb"\d{4}([ -])\d{6}\1\d{5}",
        rb"\d{4}([ -])\d{6}\1\d{4}",
        rb"\d{14,16}",
    )
    if not starts_apart(text, at, floor):
        return None
    for pattern in grouped:
        found = re.compile(pattern).match(text, at)
        if not found or not ends_apart(text, at + len(found[0])):
            continue
        digits = re.sub(rb"\D", b"", found[0])
        issued = any(re.match(prefix, digits) and len(digits) in sizes for prefix, sizes in issuers)
        if not issued or not luhn.is_valid(digits.decode()):
            continue
        if len(digits) == len(found[0]):
            if text[at + len(digits) :][:1] in (b"*", b"/", b"^"):
                continue
            operand = re.search(rb"[([{*+/^,-] {0,4}\Z", left_of(text, at, floor))
            if operand and not context(text, at, floor, 32, "card* visa mastercard pan карт*"):
                continue
        return at, at + len(found[0]), "cards"
    return None


NUMBER_SIGN = b"|".join(
    ["".join(letters).encode() for letters in product(*zip("номер", "НОМЕР", strict=True))]
    + ["№".encode(), b"[Nn]"]
)


def russian(text: bytes, at: int, floor: int, kind: str) -> Span | None:
    patterns = {
        "inns": rb"(?:\d{12}|\d{10})(?!\d)",
        "snils": rb"\d{11}(?!\d)|\d{3}-\d{3}-\d{3}[ -]\d{2}(?!\d)",
        "passports": rb"(?:\d{10}|(?:\d{2} ?\d{2}|\d{4}),? ?(?:(?:%b):? ?)?\d{6})(?!\d)" % NUMBER_SIGN,
    }
    words = {"inns": "инн inn", "snils": "снилс* snils*", "passports": "серия серии паспорт*"}[kind]
    found = re.compile(patterns[kind]).match(text, at)
    if not found:
        return None
    end = at + len(found[0])
    if not starts_apart(text, at, floor) or not ends_apart(text, end):
        return None
    digits = re.sub(rb"\D", b"", found[0]).decode()
    if kind == "inns" and not inn_is_valid(digits):
        return None
    if kind == "snils" and not snils_is_valid(digits):
        return None
    plain = kind == "snils" and b"-" in found[0]
    return (at, end, kind) if plain or context(text, at, floor, 64, words) else None


ALPHABETS = {
    api_keys.UPPER | api_keys.DIGIT: rb"[A-Z0-9]",
    api_keys.ALNUM: rb"[A-Za-z0-9]",
    api_keys.HEX: rb"[0-9a-fA-F]",
    api_keys.TOKEN: rb"[A-Za-z0-9_-]",
    api_keys.DOTTED: rb"[A-Za-z0-9._-]",
}


KEYS = [
    re.compile(
        re.escape(rule.prefix.encode())
        + b"(%b{%d,%d})(?!%b)(?!\\w)"
        % (
            ALPHABETS[rule.alphabet],
            rule.shortest,
            rule.longest or rule.shortest,
            ALPHABETS[rule.alphabet],
        )
    )
    for rule in api_keys._RULES
]


def is_random(key: bytes, fewest: int) -> bool:
    kinds = sum(bool(re.search(kind, key)) for kind in (rb"\d", rb"[A-Z]", rb"[a-z]"))
    return kinds >= 2 and len(set(key)) >= fewest


def key(text: bytes, at: int, floor: int) -> Span | None:
    if not starts_apart(text, at, floor):
        return None
    for pattern in KEYS:
        found = pattern.match(text, at)
        if found and is_random(found[1], 8) and not re.search(rb"(?i)example", found[1]):
            return at, at + len(found[0]), "api_keys"
    token = re.compile(rb"eyJ[\w-]{7,}\.[\w-]{10,}\.[\w-]{10,}").match(text, at)
    inside = re.search(rb"[\w.-]\Z", left_of(text, at, floor))
    return (at, at + len(token[0]), "api_keys") if token and not inside else None


def bot_token(text: bytes, at: int, floor: int) -> Span | None:
    found = re.compile(rb"\d{8,10}:AA([\w-]{33})(?![\w-])").match(text, at)
    if found and starts_apart(text, at, floor) and is_random(found[1], 8):
        return at, at + len(found[0]), "api_keys"
    return None


NAMES = (
    rb"(?i)(?:(?:secret|passw(?:or)?d)|api[_-]?key|(?:secret|access|auth)[_-]?key|(?<![A-Za-z0-9_-])token"
    rb"|(?<![A-Za-z0-9])[_-]token"
    rb"|(?:access|api|auth|bearer|bot|github|gitlab|hf|personal|refresh|security|session|slack|telegram)"
    rb"[_-]?token)[\"']?\]? {0,2}(?:=>|:=|::|=|:) {0,2}\Z"
)


def assigned(text: bytes, at: int, floor: int) -> Span | None:
    found = re.compile(rb"([\"'`])([\w+/=\-.~!#$%^&*@]{16,128})\1").match(text, at)
    if not found or not re.search(NAMES, left_of(text, at, floor)):
        return None
    value = found[2]
    kinds = re.sub(rb"[a-z]", b"a", re.sub(rb"[A-Z]", b"A", re.sub(rb"\d", b"0", value)))
    changes = sum(left != right and left in b"aA0" and right in b"aA0" for left, right in pairwise(kinds))
    if b".." in value or re.search(rb"(?i)example(?=.|\Z)", value) or 4 * changes < len(value):
        return None
    return (at + 1, at + 1 + len(value), "api_keys") if is_random(value, 10) else None


def private_key(text: bytes, at: int, floor: int) -> Span | None:
    label = rb"[^\n-]{0,82}PRIVATE KEY(?: BLOCK)?-----"
    begin = re.compile(rb"-----BEGIN " + label).match(text, at)
    if not begin:
        return None
    body = at + len(begin[0])
    marker = text.find(b"-----", body)
    last = re.compile(rb"-----END " + label).match(text, marker) if marker >= 0 else None
    between = text[body:marker]
    if not last or re.search(rb"[<>]", between) or not re.search(rb"[A-Za-z0-9+/=]{40}", between):
        return None
    return at, marker + len(last[0]), "private_keys"


def spans(text: bytes) -> list[Span]:
    found: list[Span] = []
    at = floor = 0
    while at < len(text):
        byte = text[at : at + 1]
        finders = [private_key, key, assigned, email]
        if byte.isdigit() and not text[max(floor, at - 1) : at].isdigit():
            finders = [ip, bot_token]
            finders += [
                lambda t, a, f, kind=kind: russian(t, a, f, kind) for kind in ("inns", "snils", "passports")
            ]
            finders += [card, phone]
        span = next((span for span in (finder(text, at, floor) for finder in finders) if span), None)
        if span:
            found.append(span)
            at = floor = span[1]
        else:
            at += 1
    return found


def mask(text: str) -> str:
    masks = {kind.name: kind.mask.encode() for kind in KINDS}
    data = text.encode()
    pieces = []
    at = 0
    for start, end, kind in spans(data):
        pieces += [data[at:start], masks[kind]]
        at = end
    return b"".join([*pieces, data[at:]]).decode()
