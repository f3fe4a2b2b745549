"""From Arrow texts to segments, and from a segment to words: what comes before a model sees anything."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.compiled import inline_kernel
from tokenizer_tools.fast.added_tokens import build_added_tokens, cut_at_added_tokens
from tokenizer_tools.fast.characters import character_kinds
from tokenizer_tools.fast.composing import composed
from tokenizer_tools.fast.memory import PADDING
from tokenizer_tools.fast.pieces import build_joins, piece_end
from tokenizer_tools.fast.splitting import GPT_2, Rules, split_rules, word_end

Known = TypeVar("Known")


class UnknownTokenizerError(ValueError):
    """A tokenizer of a kind that is not known here."""


class Words(NamedTuple):
    """How a segment is cut into words."""

    by_characters: int
    """Whether words end where no token reaches over, as for SentencePiece; else by rules."""
    spaces: int
    """What becomes of spaces: 0 nothing, 1 `▁` as in SentencePiece, 2 the same with one before each segment."""
    rules: Rules
    pages: npt.NDArray[np.uint16]
    kinds: npt.NDArray[np.uint8]
    joins: npt.NDArray[np.uint8]


class Segments(NamedTuple):
    """Parts of texts."""

    data: npt.NDArray[np.uint8]
    """Bytes of text."""
    bounds: npt.NDArray[np.int64]
    """Of each segment its start and stop in the data, and the id that it stands for, else -1."""
    ends: npt.NDArray[np.int64]
    """For each text the number of segments before its end."""


class Cutter:
    """Cuts texts at added tokens, and puts them in the form in which the tokenizer's model wants them."""

    def __init__(self, definition: dict[str, Any], *, control_tokens: bool) -> None:
        """Get ready; raises `UnknownTokenizerError`, whose message says why."""
        spaces = _spaces(definition)
        self._composes = not spaces and _composes(definition)
        self._added = known(build_added_tokens(definition, control_tokens=control_tokens))
        self.words = Words(
            int(spaces > 0),
            spaces,
            known(GPT_2 if spaces else split_rules(definition.get("pre_tokenizer"))),
            *character_kinds(),
            known(build_joins(definition["model"])) if spaces else np.zeros(1, np.uint8),
        )
        self.growth = 3 if spaces else 1
        """How many times as long a segment can become."""

    def segments(self, texts: pa.LargeStringArray) -> Segments:
        """The segments of texts; a null has none of its own."""
        data, offsets = _buffers(texts)
        cut = None if self._added is None else cut_at_added_tokens(self._added, data, offsets)
        if cut is None:
            whole = np.column_stack([offsets[:-1], offsets[1:], np.full(len(offsets) - 1, -1)])
            cut = whole, np.arange(1, len(offsets))
        bounds, ends = cut
        if self._composes:
            data, bounds = composed(data, bounds)
        return Segments(data, bounds, ends)


def known(found: Known | str) -> Known:
    """What was found, unless it is the reason why nothing was."""
    if isinstance(found, str):
        raise UnknownTokenizerError(found)
    return found


def _buffers(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of texts and the offsets into them."""
    if texts.null_count:
        texts = texts.fill_null("")
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets if len(texts) else bytes(8), np.int64)
    starts = starts[texts.offset :][: len(texts) + 1]
    content = np.frombuffer(data or b"", np.uint8)
    for array in (content, starts):
        array.flags.writeable = False  # always, so that numba compiles for one type
    return content, starts


def _composes(definition: dict[str, Any]) -> bool:
    normalizer = definition.get("normalizer")
    if normalizer is None:
        return False
    if normalizer.get("type") != "NFC":
        raise UnknownTokenizerError(f"it normalises text in another way than NFC: {normalizer.get('type')}")
    return True


_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
_PREPEND = {"type": "Prepend", "prepend": "▁"}
_SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}


def _spaces(definition: dict[str, Any]) -> int:
    normalizer, pre_tokenizer = definition.get("normalizer"), definition.get("pre_tokenizer")
    if pre_tokenizer not in (None, _SPLIT):
        return 0
    if normalizer == _REPLACE:
        return 1
    return 2 if normalizer == {"type": "Sequence", "normalizers": [_PREPEND, _REPLACE]} else 0


@inline_kernel
def copy_segment(data, start, stop, spaces, text):
    """Write a segment to `text` in the form that is cut, zeros after it, and return its size."""
    size = stop - start
    if spaces == 0:
        for place in range(size):
            text[place] = data[start + place]
    else:
        size = 0
        if spaces == 2:
            text[0], text[1], text[2] = 0xE2, 0x96, 0x81
            size = 3
        for place in range(start, stop):
            if data[place] == 0x20:
                text[size], text[size + 1], text[size + 2] = 0xE2, 0x96, 0x81
                size += 3
            else:
                text[size] = data[place]
                size += 1
    for place in range(PADDING):
        text[size + place] = 0
    return size


@inline_kernel
def next_word(text, at, size, words):
    """The end of the word that begins at `at` in a text of this size."""
    if words.by_characters:
        return min(piece_end(text, at, size, words.joins), size)
    return min(word_end(text, at, size, words.rules, words.pages, words.kinds), size)
