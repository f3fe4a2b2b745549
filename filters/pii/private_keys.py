"""Private keys in PEM (RFC 7468), as gitleaks' rule `private-key` finds them."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.pii.text import BASE64, CLASSES, literal_at, run_end
from filters.text.kernel import kernel

_LONGEST_LABEL = 100
_LEAST_RUN = 40
"""Characters of base64 in a row, less than a line of PEM. Markers that are only talked about have none."""


@kernel
def private_key_end(data, at, end):
    """Where the block ends whose `-----BEGIN` is at `at`; 0 if there is none, or it is cut off."""
    if not literal_at(data, at, end, b"-----BEGIN "):
        return 0
    body = _label_end(data, at + 11, end)
    if body == 0:
        return 0
    longest = 0
    here = body
    while here < end and data[here] != ord("<") and data[here] != ord(">"):
        if CLASSES[data[here]] & BASE64:
            stop = run_end(data, here, end, BASE64)
            longest = max(longest, stop - here)
            here = stop
        elif literal_at(data, here, end, b"-----"):
            ends = longest >= _LEAST_RUN and literal_at(data, here, end, b"-----END ")
            return _label_end(data, here + 9, end) if ends else 0
        else:
            here += 1
    return 0


@kernel
def _label_end(data, at, end):
    """Where the marker ends whose label starts at `at`; 0 if it is not that of a private key."""
    stop = at
    while stop < min(end, at + _LONGEST_LABEL) and data[stop] != ord("-") and data[stop] != 10:
        stop += 1
    if not literal_at(data, stop, end, b"-----"):
        return 0
    size = stop - at
    private = size >= 11 and literal_at(data, stop - 11, stop, b"PRIVATE KEY")
    private |= size >= 17 and literal_at(data, stop - 17, stop, b"PRIVATE KEY BLOCK")
    return stop + 5 if private else 0
