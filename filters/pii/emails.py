"""Email addresses.

After datatrove's `PIIFormatter` (an RFC 5322 expression), narrowed to what addresses look like in practice:
the local part has letters, digits and `._%+-`, at most 64 of them, and the domain ends in a top-level domain
that exists, so that `package@1.2.3`, `logo@2x.png` and `unit@.service` are none. Left as they are: the
domains that RFC 2606 reserves for examples, the account `git@` of repositories, and names behind another `@`.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from filters.pii.text import ALNUM, CLASSES, LABEL, MAIL, byte_at, byte_before, run_end, word_at, word_list
from filters.pii.top_level_domains import is_top_level_domain
from filters.text.kernel import kernel

_LONGEST_LOCAL_PART = 64
_LONGEST_DOMAIN = 253
_NOT_A_MAILBOX = word_list("git")
_EXAMPLES = word_list("example.com example.org example.net")
_PUNYCODE = word_list("xn--*")


@kernel
def email(data, at, floor, end, top_level_domains):
    """The start of the address whose `@` is at `at`, and its end, which is 0 if there is none."""
    start = _local_part(data, at, floor)
    if start == at or byte_before(data, start, floor) == ord("@"):
        return start, 0
    if at - start == 3 and word_at(data, start, at, _NOT_A_MAILBOX) == at:
        return start, 0
    return start, _domain_end(data, at + 1, end, top_level_domains)


@kernel
def _local_part(data, at, floor):
    """Where the local part before `at` starts; `at` if there is none."""
    start = at
    while start > floor and CLASSES[data[start - 1]] & MAIL:
        start -= 1
        if at - start > _LONGEST_LOCAL_PART:
            return at
        if data[start] == ord(".") and (start + 1 == at or data[start + 1] == ord(".")):
            start += 1
            break
    while start < at and CLASSES[data[start]] & ALNUM == 0:
        start += 1
    return start


@kernel
def _domain_end(data, at, end, top_level_domains):
    """Where the longest domain from `at` on ends; 0 if there is none, or it is kept for examples."""
    limit = min(end, at + _LONGEST_DOMAIN)
    found = 0
    example = False
    previous = label = at
    while label < limit and CLASSES[data[label]] & ALNUM:
        if label > at:
            stop = _top_level_end(data, label, limit, top_level_domains)
            after = byte_at(data, stop, end)
            if stop and after != ord("(") and after != ord("@") and CLASSES[after] & ALNUM == 0:
                found = stop
                example = word_at(data, previous, stop, _EXAMPLES) == stop
        stop = run_end(data, label, limit, LABEL)
        if data[stop - 1] == ord("-") or byte_at(data, stop, limit) != ord("."):
            break
        previous, label = label, stop + 1
    return 0 if example else found


@kernel
def _top_level_end(data, label, limit, known):
    """Where the top-level domain ends that the label is or, before a hyphen, starts with; 0 if it is none."""
    stop = run_end(data, label, limit, ALNUM)
    if word_at(data, label, limit, _PUNYCODE) >= 0:
        return run_end(data, label + 4, limit, ALNUM)
    return stop if is_top_level_domain(data, label, stop, known) else 0
