"""How much of a text is mathematics: LaTeX, formulas, mathematical symbols, digits, operators.

The LaTeX command is that of OpenWebMath's prefilter: Paster et al. 2023, "OpenWebMath: An Open Dataset of
High-Quality Mathematical Web Text", arXiv 2310.06786, `extract_from_warc.py`. A formula between dollars is
Pandoc's (User's Guide, `tex_math_dollars`), so that two prices are no formula.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.quality.documents import Documents
from filters.quality.signal import Family, count, ratio
from filters.text.ascii_search import ascii_end, starts_with
from filters.text.characters import HIGH_BITS, MATH, ONES, count_characters, decode, find_byte, step
from filters.text.hashing import load64
from filters.text.kernel import kernel
from filters.text.vectors import trailing_zeros

VERSION = 1

SIGNALS = (
    count("latex_commands", "A backslash and at least two lower-case letters, such as '\\\\frac'."),
    count("formulas", "`$…$`, `$$…$$`, `\\(…\\)`, `\\[…\\]` and mathematical environments such as align."),
    ratio("formula_char_fraction", "Characters of formulas."),
    ratio("math_symbol_fraction", "Characters such as ∑ ≤ × ² ℝ 𝑥, in formulas or not."),
    ratio("digit_fraction", "Characters that are ASCII digits."),
    ratio("operator_fraction", "Characters among + * / = < > ^."),
    ratio("math_fraction", "Characters of formulas, and of LaTeX commands and symbols outside formulas."),
)

_ENVIRONMENTS = (
    b"equation",
    b"align",
    b"flalign",
    b"gather",
    b"multline",
    b"eqnarray",
    b"displaymath}",
    b"math}",
)
_DOLLAR, _DOLLARS, _PARENTHESIS, _BRACKET, _ENVIRONMENT = (1 << kind for kind in range(5))

_BACKSLASHES = np.uint64(ord("\\")) * ONES
_DOLLAR_SIGNS = np.uint64(ord("$")) * ONES


def _measure(documents: Documents, table: np.ndarray) -> None:
    table[:] = 0
    _fill(documents.data, documents.starts, documents.ends, documents.classes, table)
    table[:, 2:] /= np.maximum(documents.characters, 1)[:, None]


FAMILY = Family("math", VERSION, SIGNALS, _measure)


@kernel
def _fill(data, starts, ends, classes, table):
    for document in range(starts.size):
        _fill_row(data, starts[document], ends[document], classes, table[document])


@kernel
def _fill_row(data, begin, end, classes, row):
    """Counts the signals above into `row`; those that are fractions, in characters.

    A formula does not go beyond its paragraph. What has no closing mark there is looked for once only, so the
    time is linear.
    """
    at = counted = paragraph_end = begin
    unclosed = 0
    while at < end:
        at = _next_mark(data, at, end)
        if at >= paragraph_end:
            paragraph_end = _paragraph_end(data, at, end)
            unclosed = 0
        kind = _opening(data, at, paragraph_end)
        stop = at
        if kind and not unclosed & kind:
            stop = _formula_end(data, at, paragraph_end, kind)
            if stop == at and kind != _DOLLAR:
                unclosed |= kind
        if stop > at:
            row[1] += 1
            row[2] += count_characters(data, at, stop)
            _count(data, counted, at, classes, row, True)
            _count(data, at, stop, classes, row, False)
            at = counted = stop
        elif at < end:
            at += 1 if data[at] == ord("$") else 2
    _count(data, counted, end, classes, row, True)
    row[4], row[5] = _count_digits_and_operators(data, begin, end)
    row[6] += row[2]


@kernel
def _count(data, begin, end, classes, row, outside):
    """Counts commands and symbols in `data[begin:end]`, which is outside of formulas or is one."""
    commands, characters = _count_commands(data, begin, end)
    symbols = _count_symbols(data, begin, end, classes)
    row[0] += commands
    row[3] += symbols
    if outside:
        row[6] += characters + symbols


@kernel
def _next_mark(data, at, end):
    """The position of the first backslash or dollar in `data[at:end]`; `end` if there is none."""
    while at + 8 <= end:
        block = load64(data, at)
        slash, dollar = block ^ _BACKSLASHES, block ^ _DOLLAR_SIGNS
        found = ((slash - ONES) & ~slash | (dollar - ONES) & ~dollar) & HIGH_BITS
        if found:
            return at + (trailing_zeros(found) >> 3)
        at += 8
    while at < end and data[at] != ord("\\") and data[at] != ord("$"):
        at += 1
    return at


@kernel
def _paragraph_end(data, at, end):
    """Where the next blank line begins, or the text ends."""
    while at < end:
        at = find_byte(data, at, end, 10)
        after = at + 1
        while after < end and (data[after] == ord(" ") or data[after] == 9 or data[after] == 13):
            after += 1
        if after >= end or data[after] == 10:
            return at
        at = after
    return end


@kernel
def _opening(data, at, end):
    """The kind of formula that may open at `at`, 0 if none."""
    if at + 2 >= end:
        return 0
    following = data[at + 1]
    if data[at] == ord("$"):
        if following == ord("$"):
            return _DOLLARS
        return 0 if _is_space(following) else _DOLLAR
    if following == ord("("):
        return _PARENTHESIS
    if following == ord("["):
        return _BRACKET
    if following == ord("b") and starts_with(data, at, end, b"\\begin{"):
        for name in _ENVIRONMENTS:
            if starts_with(data, at + 7, end, name):
                return _ENVIRONMENT
    return 0


@kernel
def _formula_end(data, start, end, kind):
    """The byte behind the closing mark of the formula that opens at `start`; `start` if there is none."""
    at = start + (1 if kind == _DOLLAR else 2)
    bracket = ord(")") if kind == _PARENTHESIS else ord("]") if kind == _BRACKET else 0
    while True:
        at = _next_mark(data, at, end)
        if at >= end:
            return start
        following = data[at + 1] if at + 1 < end else 0
        if data[at] == ord("$"):
            if kind == _DOLLAR:
                closes = not _is_space(data[at - 1]) and not 48 <= following <= 57 and following != ord("$")
                return at + 1 if closes else start
            if kind == _DOLLARS and following == ord("$"):
                return at + 2
            at += 1
        elif bracket and following == bracket:
            return at + 2
        elif kind == _ENVIRONMENT and _closes(data, start, at, end):
            return find_byte(data, at, end - 1, ord("}")) + 1
        else:
            at += 2


@kernel
def _closes(data, start, at, end):
    """Whether at `at` the environment ends that begins at `start`."""
    if not starts_with(data, at, end, b"\\end{"):
        return False
    for name in _ENVIRONMENTS:
        if starts_with(data, start + 7, end, name):
            return starts_with(data, at + 5, end, name)
    return False


@kernel
def _is_space(byte):
    return byte == ord(" ") or 9 <= byte <= 13


@kernel
def _count_commands(data, begin, end):
    """LaTeX commands, and their characters."""
    commands = characters = 0
    at = find_byte(data, begin, end, ord("\\"))
    while at < end:
        after = at + 1
        while after < end and 97 <= data[after] <= 122:
            after += 1
        if after > at + 2:
            commands += 1
            characters += after - at
        at = find_byte(data, max(after, at + 2), end, ord("\\"))
    return commands, characters


@kernel
def _count_symbols(data, begin, end, classes):
    """Mathematical symbols beyond ASCII."""
    symbols = 0
    at = begin
    while at < end:
        if data[at] < 0x80:
            at = ascii_end(data, at, end)
            continue
        symbols += classes[decode(data, at, end)] & MATH != 0
        at = step(data, at, end)
    return symbols


@kernel
def _count_digits_and_operators(data, begin, end):
    digits = operators = 0
    for at in range(begin, end):
        byte = data[at]
        digits += 48 <= byte <= 57
        operators += (byte == 43) | (byte == 42) | (byte == 47) | (60 <= byte <= 62) | (byte == 94)
    return digits, operators
