"""C4's line rules as a text edit: lines that are no prose go, citation marks go, the rest stays.

After Raffel et al. 2020 (JMLR 21), section 2.2, and its reference implementation (`c4_utils.py` of TensorFlow
Datasets), which datatrove follows. The document rules of the preset `c4` suppose that this edit was made.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from filters.text.ascii_search import find_phrase
from filters.text.characters import (
    CLOSING,
    IDEOGRAPH,
    MARK,
    TERMINAL,
    character_classes,
    count_characters,
    decode,
    find_byte,
    find_space,
    skip_space,
    step,
    step_back,
)
from filters.text.kernel import kernel
from filters.text.lines import line_end, strip_right
from filters.text.texts import Edited, Texts, text_array, text_buffers

_REASONS = ("kept", "too_long_word", "no_terminal_punctuation", "too_few_words", "javascript", "policy")
_KEPT, _LONG_WORD, _NO_TERMINAL, _FEW_WORDS, _JAVASCRIPT, _POLICY, _CITATIONS = range(7)

_LONGEST_WORD = 1000
_FEWEST_WORDS = 3
_FIRST_IDEOGRAPH_BYTE = 0xE0


def edit_lines(texts: Texts, terminal_punctuation: bool = True) -> Edited:
    """Removes lines by C4's rules, and citation marks such as `[12]` and `[citation needed]`.

    A line goes if it has a word of more than 1,000 characters, does not end with one of `. ? ! " '` or ends
    with `...`, has fewer than three words, mentions JavaScript, or speaks of terms of use, privacy or
    cookies. Lines with "lorem ipsum" or `{` stay: the rules drop their document.

    Beyond the paper, the sentence marks of other scripts end a line as well, also with quotation marks or
    brackets behind them; in scripts without spaces three letters are enough; `[]` and `[0]` are no citations.

    Args:
        texts: A string or large_string column without nulls.
        terminal_punctuation: Whether lines must end with a terminal mark. C4 says yes, FineWeb no.

    Returns:
        The texts; `lines` = `kept` + those removed, by reason; `citations`: marks removed from kept lines.
    """
    buffers = text_buffers(texts)
    offsets = np.zeros(len(buffers.offsets), dtype=np.int64)
    edited = np.empty(int(buffers.offsets[-1] - buffers.offsets[0]), dtype=np.uint8)
    counts = np.zeros(_CITATIONS + 1, dtype=np.int64)
    _edit(buffers.data, buffers.offsets, character_classes(), terminal_punctuation, edited, offsets, counts)
    named = {reason: int(number) for reason, number in zip(_REASONS, counts, strict=False)}
    total = sum(named.values())
    return Edited(
        text_array(edited, offsets), {"lines": total, **named, "citations": int(counts[_CITATIONS])}
    )


@kernel
def _edit(data, offsets, classes, terminal_punctuation, edited, new_offsets, counts):
    """Writes the edited documents end to end into `edited`, and where each begins into `new_offsets`."""
    size = 0
    for document in range(offsets.size - 1):
        first = size
        at, end = offsets[document], offsets[document + 1]
        mentions = _mentions_any(data, at, end)
        while at < end:
            stop, after = line_end(data, at, end, classes)
            low = skip_space(data, at, stop, classes)
            high = strip_right(data, low, stop, classes)
            verdict = _judge(data, low, high, classes, terminal_punctuation, mentions)
            counts[verdict] += 1
            if verdict == _KEPT:
                counts[_CITATIONS] += _count_citations(data, low, high)
                size = _append_line(data, low, high, classes, edited, first, size)
            at = after
        size = strip_right(edited, first, size, classes)
        new_offsets[document + 1] = size


@kernel
def _judge(data, begin, end, classes, terminal_punctuation, mentions):
    """The verdict on a stripped line; `mentions`: its document has a phrase that may drop it."""
    if end - begin > _LONGEST_WORD and _has_long_word(data, begin, end, classes):
        return _LONG_WORD
    if terminal_punctuation and not _ends_sentence(data, begin, end, classes):
        return _NO_TERMINAL
    if _has_few_words(data, begin, end, classes):
        return _FEW_WORDS
    return _boilerplate(data, begin, end) if mentions else _KEPT


@kernel
def _has_long_word(data, begin, end, classes):
    while begin < end:
        stop = find_space(data, begin, end, classes)
        if (
            count_characters(data, begin, stop) - _count_ideographs(data, begin, stop, classes)
            > _LONGEST_WORD
        ):
            return True
        begin = skip_space(data, stop, end, classes)
    return False


@kernel
def _has_few_words(data, begin, end, classes):
    at = begin
    for _ in range(_FEWEST_WORDS):
        if at >= end:
            return _count_ideographs(data, begin, end, classes) < _FEWEST_WORDS
        at = skip_space(data, find_space(data, at, end, classes), end, classes)
    return False


@kernel
def _count_ideographs(data, begin, end, classes):
    found = 0
    while begin < end:
        if data[begin] >= _FIRST_IDEOGRAPH_BYTE:
            found += classes[decode(data, begin, end)] & IDEOGRAPH != 0
        begin = step(data, begin, end)
    return found


@kernel
def _count_citations(data, begin, end):
    found = 0
    at = find_byte(data, begin, end, ord("["))
    while at < end:
        found += _citation(data, at, end) > 0
        at = find_byte(data, at + 1, end, ord("["))
    return found


@kernel
def _citation(data, at, end):
    """Bytes of the citation mark at `at`, 0 if there is none: a number from 1 on, or a fixed phrase."""
    if data[at] != ord("["):
        return 0
    after = at + 1
    while after < end and 48 <= data[after] <= 57:
        after += 1
    if after > at + 1 and data[at + 1] != ord("0") and after < end and data[after] == ord("]"):
        return after + 1 - at
    for phrase in (b"[edit]", b"[citation needed]"):
        if at + len(phrase) <= end:
            same = True
            for index in range(len(phrase)):
                same &= data[at + index] == phrase[index]
            if same:
                return len(phrase)
    return 0


@kernel
def _ends_sentence(data, begin, end, classes):
    """Whether the line ends with a terminal mark, and not with an ellipsis, once citation marks are gone."""
    stops = 0
    while end > begin:
        mark = _citation_before(data, begin, end)
        if mark:
            end -= mark
            continue
        last = data[end - 1]
        if last != ord("."):
            closed = last == ord("?") or last == ord("!") or last == ord('"') or last == ord("'")
            return stops > 0 or closed or _ends_foreign_sentence(data, begin, end, classes)
        stops += 1
        if stops == 3:
            return False
        end -= 1
    return stops > 0


@kernel
def _ends_foreign_sentence(data, begin, end, classes):
    """Whether a terminal mark beyond ASCII is the last character, closing marks and invisible ones aside."""
    while end > begin:
        at = step_back(data, end, begin)
        last = classes[decode(data, at, end)]
        if not last & (MARK | CLOSING):
            return data[at] >= 0x80 and last & TERMINAL != 0
        end = at
    return False


@kernel
def _citation_before(data, begin, end):
    """Bytes of the citation mark that ends at `end`, 0 if there is none."""
    if data[end - 1] != ord("]"):
        return 0
    at = end - 1
    while at > begin and data[at] != ord("["):
        at -= 1
    return end - at if _citation(data, at, end) == end - at else 0


@kernel
def _boilerplate(data, begin, end):
    """The verdict by what the line mentions, in the order of the reference implementation."""
    if _mentions(data, begin, end, b"lorem ipsum"):
        return _KEPT
    if _mentions(data, begin, end, b"javascript"):
        return _JAVASCRIPT
    if find_byte(data, begin, end, ord("{")) < end:
        return _KEPT
    return _POLICY if _mentions_policy(data, begin, end) else _KEPT


@kernel
def _mentions_any(data, begin, end):
    return _mentions(data, begin, end, b"javascript") or _mentions_policy(data, begin, end)


@kernel
def _mentions_policy(data, begin, end):
    return (
        _mentions(data, begin, end, b"terms of use")
        or _mentions(data, begin, end, b"privacy policy")
        or _mentions(data, begin, end, b"cookie policy")
        or _mentions(data, begin, end, b"uses cookies")
        or _mentions(data, begin, end, b"use of cookies")
        or _mentions(data, begin, end, b"use cookies")
    )


@kernel
def _mentions(data, begin, end, phrase):
    return find_phrase(data, begin, end, phrase) < end


@kernel
def _append_line(data, begin, end, classes, edited, first, size):
    """Writes a line without its citation marks behind what there is; the text starts with no white space."""
    if size > first:
        edited[size] = 10
        size += 1
    at = begin
    while at < end:
        mark = _citation(data, at, end)
        at += mark
        stop = end if at >= end else find_byte(data, at + (mark == 0), end, ord("["))
        if size == first:
            at = skip_space(data, at, stop, classes)
        for index in range(at, stop):
            edited[size + index - at] = data[index]
        size += stop - at
        at = stop
    return size
