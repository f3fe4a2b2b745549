"""The encoder of this package: for the tokenizers that it knows, the ids of the tokenizers library."""

import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.fast.cutting import Cutter, known
from tokenizer_tools.fast.encoding import Memory, encode_segments
from tokenizer_tools.fast.memory import PADDING
from tokenizer_tools.fast.model import build_model
from tokenizer_tools.fast.word_cache import WordCache

CACHED_WORDS = 1 << 17
"""Words that are remembered, in 18 MiB."""


class FastEncoder:
    """Encodes texts without adding anything.

    Known are BPE tokenizers: byte-level ones that cut words as GPT-2 or GPT-4 do or nearly so, and those of
    SentencePiece's kind, which have a token for each byte. Texts may be put in normalisation form C.
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
        self._cutter = Cutter(definition, control_tokens=control_tokens)
        by_characters = bool(self._cutter.words.by_characters)
        self._model = known(build_model(definition["model"], by_characters=by_characters))
        self._cache = WordCache.of_size(cached_words)
        self._reserve(1 << 12)

    def encode(
        self, texts: pa.LargeStringArray
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Ids of all texts one after another, and len(texts) + 1 offsets into them. Nulls have none."""
        data, bounds, ends = self._cutter.segments(texts)
        sizes = self._cutter.growth * (bounds[:, 1] - bounds[:, 0] + 1)
        longest = int(sizes.max(initial=0))
        if longest > self._longest:
            self._reserve(longest)
        ids = np.empty(int(sizes.sum()) + PADDING, np.uint32)
        offsets = np.zeros(len(ends) + 1, np.int64)
        encode_segments(
            data, bounds, ends, self._cutter.words, self._model, self._cache, self._memory, ids, offsets
        )
        return ids[: offsets[-1]], offsets

    def _reserve(self, longest: int) -> None:
        """Make room for segments that become so many bytes."""
        self._longest = longest
        self._memory = Memory.of_size(longest)
