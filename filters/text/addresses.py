"""Web and mail addresses, which the word definition `unicode` keeps whole."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.text.characters import LOWER, WORD, decode, find_byte, step
from filters.text.kernel import inline_kernel, kernel

_LONGEST_LABEL = 64
_LONGEST_TOP_LEVEL = 63


@kernel
def is_address(data, begin, end, classes):
    """Whether `data[begin:end]`, free of white space, is an address.

    An address is `[scheme://][user[:password]@]host[:port][/path]`, where the host is a dotted name that ends
    in a top-level domain of lower-case letters, or four octets. After spaCy's `URL_MATCH` (Diego Perini's
    expression). Each `@` is tried as the end of the user part; no host has one, so all trials are linear.
    """
    if find_byte(data, begin, end, ord(".")) == end:
        return False
    start = _after_scheme(data, begin, end, classes)
    if start > begin and _is_host_and_path(data, start, end, classes):
        return True
    if _is_host_and_path(data, begin, end, classes):
        return True
    at = find_byte(data, begin + 1, end - 1, ord("@"))
    while at < end - 1:
        if _is_host_and_path(data, at + 1, end, classes):
            return True
        at = find_byte(data, at + 1, end - 1, ord("@"))
    return False


@kernel
def _after_scheme(data, begin, end, classes):
    """The position behind `scheme://`, or `begin` if there is no scheme."""
    at = begin
    characters = 0
    while at + 3 < end:
        lead = data[at]
        if lead == ord(":"):
            slashes = data[at + 1] == ord("/") and data[at + 2] == ord("/")
            return at + 3 if slashes and characters >= 2 else begin
        in_scheme = (
            lead == ord("+") or lead == ord("-") or lead == ord(".") or classes[decode(data, at, end)] & WORD
        )
        if not in_scheme:
            return begin
        at = step(data, at, end)
        characters += 1
    return begin


@inline_kernel
def _in_label(point):
    """0: ends a host name; 1: may stand inside a label; 2: may also start and end one."""
    if 97 <= point <= 122 or 65 <= point <= 90 or 48 <= point <= 57 or 0xA1 <= point <= 0xFFFF:
        return 2
    return 1 if point == ord("_") or point == ord("-") else 0


@kernel
def _is_host_and_path(data, begin, end, classes):
    """Whether `data[begin:end]` is `host[:port][/path]`."""
    at = begin
    labels = 0
    length = 0
    first = last = 0
    lower = True
    numeric = True
    octet = 0
    octets = True
    while at < end:
        lead = data[at]
        if lead == ord("."):
            octets &= numeric and 1 <= length <= 3 and octet <= 255
            if length == 0 or length > _LONGEST_LABEL or first < 2 or last < 2:
                return False
            labels += 1
            length = octet = 0
            lower = numeric = True
            at += 1
            continue
        point = decode(data, at, end)
        kind = _in_label(point)
        if kind == 0:
            break
        if length == 0:
            first = kind
        last = kind
        lower &= classes[point] & LOWER != 0
        digit = 48 <= point <= 57
        numeric &= digit
        octet = octet * 10 + point - 48 if digit and length < 3 else octet
        length += 1
        at = step(data, at, end)
    octets &= labels == 3 and numeric and 1 <= length <= 3 and octet <= 255
    named = labels > 0 and lower and 2 <= length <= _LONGEST_TOP_LEVEL
    return (named or octets) and _is_port_and_path(data, at, end)


@kernel
def _is_port_and_path(data, at, end):
    """Whether `data[at:end]` is `[:port][/path]`."""
    if at < end and data[at] == ord(":"):
        at += 1
        digits = 0
        while at < end and 48 <= data[at] <= 57:
            at += 1
            digits += 1
        if not 2 <= digits <= 5:
            return False
    return at == end or data[at] == ord("/") or data[at] == ord("?") or data[at] == ord("#")
