"""Public IP addresses.

datatrove's `PIIFormatter`, Dolma's and StarCoder's PII filters look for four octets anywhere; here they must
stand apart from words, paths and longer dotted numbers, so that `package-1.2.3.40.tar.gz` and object
identifiers are none. As in datatrove, addresses that IANA's special-purpose registries do not give to the
public are left: private, loopback, link-local, documentation, reserved; so is multicast. After StarCoder's
filter, which takes an address of four single digits for a version, one without an octet of at least 32 is
left (version and section numbers; of random addresses 0.02 %), and so is what `filters.pii.codes` knows.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from ipaddress import ip_network

import numpy as np

from filters.pii.codes import is_code
from filters.pii.text import (
    ALNUM,
    CLASSES,
    DIGIT,
    HEX,
    byte_at,
    byte_before,
    ends_apart,
    number,
    run_end,
    starts_apart,
)
from filters.text.kernel import kernel

_LEAST_LARGEST_OCTET = 32
_FEWEST_DIGITS = 6

# RFC 6890 and its successors, as `ipaddress.IPv4Address.is_global` of Python 3.13 has them, and multicast.
_RESERVED_V4 = np.array(
    [
        (int(network.network_address), int(network.netmask))
        for network in map(
            ip_network,
            (
                "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
                "192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
            ).split(),
        )
    ],
    dtype=np.int64,
)


@kernel
def ipv4_end(data, at, floor, end):
    """Where the public address ends that starts with the digit at `at`; 0 if there is none."""
    address = largest = digits = 0
    stop = at
    for index in range(4):
        if index:
            if byte_at(data, stop, end) != ord("."):
                return 0
            stop += 1
        first = stop
        stop = run_end(data, first, min(end, first + 3), DIGIT)
        octet = number(data, first, stop)
        if stop == first or octet > 255 or (stop > first + 1 and data[first] == ord("0")):
            return 0
        address = address << 8 | octet
        largest = max(largest, octet)
        digits += stop - first
    if (
        largest < _LEAST_LARGEST_OCTET
        or digits < _FEWEST_DIGITS
        or not _stands_apart(data, at, stop, floor, end)
    ):
        return 0
    for index in range(_RESERVED_V4.shape[0]):
        if address & _RESERVED_V4[index, 1] == _RESERVED_V4[index, 0]:
            return 0
    return 0 if is_code(data, at, stop, floor, end) else stop


@kernel
def _stands_apart(data, at, stop, floor, end):
    """Whether the address is no part of a word, a path or a longer dotted name."""
    before = byte_before(data, at, floor)
    if before == ord(".") or before == ord("/"):
        left = CLASSES[byte_before(data, at - 1, floor)] & ALNUM == 0
    else:
        left = starts_apart(data, at, floor)
    if byte_at(data, stop, end) == ord("."):
        return left and CLASSES[byte_at(data, stop + 1, end)] & ALNUM == 0
    return left and ends_apart(data, stop, end)


@kernel
def ipv6_end(data, at, floor, end):
    """Where the global unicast address ends that starts at `at`; 0 if there is none.

    These are `2000::/3`, so all start with four hexadecimal digits of which the first is 2 or 3. Addresses
    for documentation (`2001:db8::/32`, `3fff::/20`), of transition mechanisms and protocols (`2001::/23`,
    `2002::/16`) are left, and so are those that end in `::` without the length of a prefix.
    """
    if data[at] != ord("2") and data[at] != ord("3"):
        return 0
    groups = 0
    gap = False
    first = second = 0
    stop = at
    while True:
        start = stop
        stop = run_end(data, start, min(end, start + 4), HEX)
        if groups == 0 and stop < start + 4:
            return 0
        if stop > start:
            value = _hexadecimal(data, start, stop)
            first = value if groups == 0 else first
            second = value if groups == 1 and not gap else second
            groups += 1
        if byte_at(data, stop, end) != ord(":") or groups == 8:
            break
        if byte_at(data, stop + 1, end) == ord(":"):
            if gap:
                return 0
            gap = True
            stop += 2
        elif CLASSES[byte_at(data, stop + 1, end)] & HEX and stop > start:
            stop += 1
        else:
            break
    complete = 3 <= groups <= 7 if gap else groups == 8
    if not complete or not starts_apart(data, at, floor) or byte_before(data, at, floor) == ord(":"):
        return 0
    after = byte_at(data, stop, end)
    behind_letter = CLASSES[data[stop - 1]] & DIGIT == 0 and (after == ord(".") or after == ord("-"))
    if after == ord(":") or not (behind_letter or ends_apart(data, stop, end)):
        return 0
    if data[stop - 1] == ord(":") and after != ord("/"):
        return 0
    special = first == 0x2001 and (second < 0x200 or second == 0xDB8)
    return 0 if special or first == 0x2002 or (first == 0x3FFF and second < 0x1000) else stop


@kernel
def _hexadecimal(data, at, stop):
    value = 0
    for index in range(at, stop):
        digit = data[index] - 48
        value = value * 16 + (digit if digit <= 9 else (data[index] | 32) - 87)
    return value
