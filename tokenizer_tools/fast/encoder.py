"""The encoder of this package: for the tokenizers that it knows, the ids of the tokenizers library."""

import json
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.fast.added_tokens import build_added_tokens, cut_at_added_tokens
from tokenizer_tools.fast.characters import character_kinds
from tokenizer_tools.fast.composing import changeable, find_changeable
from tokenizer_tools.fast.encoding import BLOCK, encode_segments
from tokenizer_tools.fast.memory import PADDING
from tokenizer_tools.fast.merging import Workspace
from tokenizer_tools.fast.model import build_model
from tokenizer_tools.fast.splitting import GPT_2, split_rules
from tokenizer_tools.fast.word_cache import WordCache

CACHED_WORDS = 1 << 17
"""Words that are remembered, in 16 MiB."""

Found = TypeVar("Found")
Ids = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]


class UnknownTokenizerError(ValueError):
    """A tokenizer of a kind that is not known here."""


class FastEncoder:
    """Encodes texts without adding anything.

    Known are BPE tokenizers: byte-level ones that cut words as GPT-2 or GPT-4 do or nearly so, and those of
    SentencePiece's kind, which have a token for each byte. Texts may be in normalisation form C.
    """

    def __init__(
        self, tokenizer_json: str, *, control_tokens: bool, cached_words: int = CACHED_WORDS
    ) -> None:
        """Get ready.

        Args:
            tokenizer_json: The tokenizer.
            control_tokens: Whether special added tokens are found in texts; else they are text.
            cached_words: How many words are remembered with their ids.

        Raises:
            UnknownTokenizerError: The tokenizer is of another kind; the message says why.
        """
        definition = json.loads(tokenizer_json)
        self._spaces = _spaces(definition)
        self._rules = _known(GPT_2 if self._spaces else split_rules(definition["pre_tokenizer"]))
        self._composes = not self._spaces and _composes(definition)
        self._added = _known(build_added_tokens(definition, control_tokens=control_tokens))
        self._model = _known(build_model(definition["model"], by_characters=bool(self._spaces)))
        self._pages, self._kinds = character_kinds()
        self._cache = WordCache.of_size(cached_words)
        self._block = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
        self._longest = 0
        self._reserve(1 << 12)

    def encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        """Ids of all texts one after another, and len(texts) + 1 offsets into them. Nulls have none."""
        data, offsets = text_buffers(texts)
        segments, rows = self._segments(data, offsets)
        if self._composes:
            data, segments = _composed(data, segments)
        size, longest = _size(segments)
        self._reserve(longest)
        ids = np.empty(self._growth * (size + len(segments)) + PADDING, np.uint32)
        ends = np.zeros(len(rows) + 1, np.int64)
        encode_segments(
            data,
            segments,
            rows,
            self._spaces,
            self._rules,
            self._pages,
            self._kinds,
            self._model,
            self._cache,
            self._work,
            self._text,
            *self._block,
            ids,
            ends,
        )
        return ids[: ends[-1]], ends

    @property
    def _growth(self) -> int:
        """How many times as long text can become."""
        return 3 if self._spaces else 1

    def _segments(
        self, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        cut = None if self._added is None else cut_at_added_tokens(self._added, data, offsets)
        if cut is not None:
            return cut
        whole = np.column_stack([offsets[:-1], offsets[1:], np.full(len(offsets) - 1, -1)])
        return whole, np.arange(1, len(offsets))

    def _reserve(self, longest: int) -> None:
        """Make room for texts of so many bytes."""
        if longest <= self._longest:
            return
        self._longest = longest
        size = self._growth * (longest + 1)
        self._text = np.empty(size + PADDING, np.uint8)
        self._work = Workspace.of_size(size)


def text_buffers(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of texts and the offsets into them."""
    if texts.null_count:
        texts = texts.fill_null("")
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset) if offsets else np.zeros(1, np.int64)
    return np.frombuffer(data or b"", np.uint8), starts


def _size(segments: npt.NDArray[np.int64]) -> tuple[int, int]:
    """The bytes of all segments, and of the longest."""
    sizes = segments[:, 1] - segments[:, 0]
    return int(sizes.sum()), int(sizes.max(initial=0))


def _composed(
    data: npt.NDArray[np.uint8], segments: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The same with each segment in normalisation form C; those that change stand behind the data."""
    from tokenizers.normalizers import NFC

    found = np.empty(len(segments), bool)
    find_changeable(data, segments, changeable(), found)
    numbers = np.flatnonzero(found)
    if not len(numbers):
        return data, segments
    compose = NFC().normalize_str
    texts = [data[start:stop].tobytes().decode() for start, stop, _ in segments[numbers].tolist()]
    changed = [compose(text).encode() for text in texts]
    ends = len(data) + np.cumsum([0, *map(len, changed)])
    segments = segments.copy()
    segments[numbers, 0], segments[numbers, 1] = ends[:-1], ends[1:]
    return np.concatenate([data, np.frombuffer(b"".join(changed), np.uint8)]), segments


def _known(found: Found | str) -> Found:
    if isinstance(found, str):
        raise UnknownTokenizerError(found)
    return found


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
    """What becomes of spaces: 1 if they are replaced as SentencePiece does it, 2 with one before each text."""
    normalizer, pre_tokenizer = definition.get("normalizer"), definition.get("pre_tokenizer")
    if pre_tokenizer not in (None, _SPLIT):
        return 0
    if normalizer == _REPLACE:
        return 1
    return 2 if normalizer == {"type": "Sequence", "normalizers": [_PREPEND, _REPLACE]} else 0
