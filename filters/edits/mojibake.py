"""Mojibake: text whose bytes were read in the wrong encoding, found by a kernel and repaired.

UTF-8 that was read as another encoding leaves pairs of characters which stand next to each other nowhere
else, such as `Ã©` for `é` or `Рё` for `и`. A kernel looks for them; the few documents that have any are
repaired line by line. Runs of Cyrillic are put right here, everything else by ftfy (Robyn Speer,
https://ftfy.readthedocs.io), which knows the Western encodings well and of the Cyrillic ones Windows-1251,
where a whole line is wrong.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache, partial

import ftfy
import numpy as np
import pyarrow as pa

from filters.text.characters import decode, step
from filters.text.hashing import load64
from filters.text.kernel import kernel
from filters.text.texts import Edited, Texts, replaced, text_buffers

_WESTERN = ("sloppy-windows-1252", "latin-1")
_OTHERS = ("sloppy-windows-1250", "sloppy-windows-1253", "sloppy-windows-1257", "macroman", "cp437")
_CYRILLIC = ("sloppy-windows-1251", "koi8-r", "cp866", "mac-cyrillic")
_ENCODINGS = (*_WESTERN, *_OTHERS, *_CYRILLIC)
_CYRILLIC_BITS = np.uint64(sum(1 << _ENCODINGS.index(name) for name in _CYRILLIC))
_LEAD_TWO, _LEAD_THREE, _FOLLOWS = np.uint64(0), np.uint64(16), np.uint64(32)
_ENCODING_BITS = np.uint64(0xFFFF)
_CONTROL = np.uint64(1 << 63)
_TABLE_SIZE = 0x2600
"""Code points from here on are in none of these encodings."""

_LONGEST_LINE = 1_000_000
"""Characters that are repaired at once; a longer line is repaired piece by piece."""

_RUSSIAN = "А-Яа-яЁёІіЇїЄєҐґЎў"
_PLAUSIBLE = re.compile(f"[\x00-\x7f{_RUSSIAN}\u00a0«»—–“”„‘’‚…№°©®™•·§\ufeff\u200b\u00ad€]*")
"""What Russian, Ukrainian and Belarusian are written with."""
_FEWEST_LETTERS = 3
_NO_BREAK = "\u00a0"


def repair(texts: Texts) -> Edited:
    """Repairs mojibake, and nothing else: no quotation mark, width or ligature is changed.

    Besides UTF-8 read as another encoding these are control characters U+0080 to U+009F, which are read as
    Windows-1252. A line that cannot be repaired with certainty stays as it is.

    Args:
        texts: A string or large_string column without nulls.

    Returns:
        The texts, and the number of `lines` that were repaired.
    """
    rows = np.flatnonzero(suspicious(texts))
    if len(rows) == 0:
        return Edited(replaced(texts, rows, []), {"lines": 0})
    repaired = [_repair_document(text) for text in texts.take(pa.array(rows)).to_pylist()]
    return Edited(
        replaced(texts, rows, [text for text, _ in repaired]), {"lines": sum(n for _, n in repaired)}
    )


def _repair_document(text: str) -> tuple[str, int]:
    lines = text.split("\n")
    repaired = [line if line.isascii() else _repair_line(line) for line in lines]
    changed = sum(old != new for old, new in zip(lines, repaired, strict=True))
    return "\n".join(repaired), changed


def _repair_line(line: str) -> str:
    pieces = (line[start : start + _LONGEST_LINE] for start in range(0, len(line), _LONGEST_LINE))
    fixed = "".join(ftfy.fix_encoding(_repair_cyrillic(piece)) for piece in pieces)
    try:
        fixed.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return line
    return fixed


def _repair_cyrillic(text: str) -> str:
    """Puts right runs of Cyrillic that was written in UTF-8 and read as something else."""
    for run, encoding in _cyrillic_runs():
        text = run.sub(partial(_decoded, encoding=encoding), text)
    return text


@lru_cache(maxsize=1)
def _cyrillic_runs() -> tuple[tuple[re.Pattern[str], str], ...]:
    """For each encoding what Russian in UTF-8 looks like in it: letters, signs and ASCII between them.

    A run has three letters side by side at least once. Where the second byte of `Р` became a no-break space,
    that in turn often became a plain one.
    """
    patterns = []
    for encoding in (*_CYRILLIC, *_WESTERN):
        follows = f"[{re.escape(_characters(encoding, range(0x80, 0xC0)))}]"
        letter = f"[{_characters(encoding, (0xD0, 0xD1))}]{follows}"
        if _NO_BREAK in follows:
            letter = f"{letter}|{_characters(encoding, (0xD0,))} "
        sign = f"{_characters(encoding, (0xC2,))}{follows}"
        mark = f"{_characters(encoding, (0xE2,))}[{_characters(encoding, (0x80, 0x82, 0x84))}]{follows}"
        between = rf"(?:[\x00-\x7f]*+(?:{letter}|{sign}|{mark}))*+"
        patterns.append((re.compile(f"(?:{letter}){{{_FEWEST_LETTERS}}}{between}"), encoding))
    return tuple(patterns)


def _characters(encoding: str, values: Iterable[int]) -> str:
    return bytes(values).decode(encoding)


def _decoded(found: re.Match[str], encoding: str) -> str:
    """The run as it was meant; unchanged if that is no UTF-8, or no text in Cyrillic."""
    run = found.group()
    lead = _characters(encoding, (0xD0,))
    try:
        meant = run.replace(f"{lead} ", lead + _NO_BREAK).encode(encoding).decode()
    except UnicodeError:
        return run
    letters = len(set(re.findall(f"[{_RUSSIAN}]", meant)))
    return meant if letters >= _FEWEST_LETTERS and _PLAUSIBLE.fullmatch(meant) else run


def suspicious(texts: Texts) -> np.ndarray:
    """Which texts have a trace of mojibake: bool, one a text. Most others are not looked at again."""
    buffers = text_buffers(texts)
    found = np.zeros(len(buffers.offsets) - 1, dtype=np.bool_)
    _find(buffers.data, buffers.offsets, _traces(), found)
    return found


@lru_cache(maxsize=1)
def _traces() -> np.ndarray:
    """For each code point, as bits, the encodings in which it is a byte of UTF-8, and which: uint64.

    From `_LEAD_TWO` and `_LEAD_THREE` on the first byte of two or three, from `_FOLLOWS` on a later one.
    """
    table = np.zeros(_TABLE_SIZE, dtype=np.uint64)
    for number, encoding in enumerate(_ENCODINGS):
        bit = np.uint64(1 << number)
        two, three = range(0xC2, 0xE0), range(0xE0, 0xF5)
        if encoding in _OTHERS:
            two, three = range(0xC2, 0xC6), range(0xE2, 0xE3)
        elif encoding in _CYRILLIC:
            two, three = range(0xD0, 0xD2), range(0xE2, 0xE3) if "1251" in encoding else range(0)
        for values, shift in ((two, _LEAD_TWO), (three, _LEAD_THREE), (range(0x80, 0xC0), _FOLLOWS)):
            for character in _characters(encoding, values):
                if ord(character) < _TABLE_SIZE:
                    table[ord(character)] |= bit << shift
    table[0x80:0xA0] |= _CONTROL
    table.setflags(write=False)
    return table


@kernel
def _find(data, offsets, traces, found):
    for document in range(found.size):
        found[document] = _is_suspicious(data, offsets[document], offsets[document + 1], traces)


@kernel
def _is_suspicious(data, begin, end, traces):
    """Whether there is a control, a sequence in a Western encoding, or two Cyrillic ones in a row."""
    lead_two = lead_three = lead_and_one = pair = pair_before = np.uint64(0)
    at = begin
    while at < end:
        if data[at] < 0x80:
            lead_two = lead_three = lead_and_one = pair = pair_before = np.uint64(0)
            at += 1
            while at + 8 <= end and not load64(data, at) & np.uint64(0x8080808080808080):
                at += 8
            continue
        point = decode(data, at, end)
        at = step(data, at, end)
        trace = traces[point] if point < traces.size else np.uint64(0)
        follows = trace >> _FOLLOWS & _ENCODING_BITS
        now = lead_two & follows
        if trace & _CONTROL or lead_and_one & follows or now & ~_CYRILLIC_BITS or now & pair_before:
            return True
        pair_before = pair
        pair = now
        lead_and_one = lead_three & follows
        lead_two = trace >> _LEAD_TWO & _ENCODING_BITS
        lead_three = trace >> _LEAD_THREE & _ENCODING_BITS
    return False
