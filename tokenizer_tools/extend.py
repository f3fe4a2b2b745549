"""Extending a tokenizer's vocabulary for a domain or a language by continued BPE.

New merges are learnt on top of the base tokenizer's own segmentation and come after all of its merges. So text is
first cut exactly as before and only then joined further: every new token can be reached, and replacing each new
token by its pieces gives the old ids back. That is the gate every extension has to pass (`check_extension`).
"""

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from tokenizer_tools.alignment import token_bytes
from tokenizer_tools.backends import Reference
from tokenizer_tools.encode import encoding_definition
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS

Pair = tuple[int, int]
Pieces = tuple[int, ...]


class VocabularyExtension(BaseModel):
    """How to extend a vocabulary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int = Field(gt=0, description="Tokens to add at most; fewer if no pair is seen twice any more.")


@dataclass(frozen=True)
class ExtendedTokenizer:
    """A tokenizer with new tokens, and what each of them stands for."""

    files: TokenizerFiles
    pieces: dict[int, Pieces]
    """New id to the base tokenizer's ids for the same text: the rows to average for a new embedding."""


def extend_tokenizer(
    base: TokenizerFiles, texts: Iterable[pa.Array], config: VocabularyExtension
) -> ExtendedTokenizer:
    """Add the tokens that shorten `texts` most. The result depends on the texts and their order does not matter.

    Raises:
        TokenizerError: The tokenizer is not byte-level BPE, nothing can be learnt, or the gate does not hold.
    """
    if base.definition["model"].get("type") != "BPE" or token_bytes(encoding_definition(base)) is None:
        raise TokenizerError(f"{base.source} is not a byte-level BPE tokenizer; no other kind can be extended.")
    words = _count_words(base, texts)
    learner = _Learner(base, words)
    merges = learner.learn(config.tokens)
    if not merges:
        raise TokenizerError("The texts hold no pair of tokens that occurs twice. Extend on more text.")
    definition = _extended_definition(base, merges, learner.names)
    files = replace(
        base, tokenizer_json=json.dumps(definition, ensure_ascii=False).encode(), source=f"{base.source} extended"
    )
    extended = ExtendedTokenizer(files, {number: learner.pieces[number] for number in merges})
    check_extension(base, extended, [*HOSTILE_TEXTS, " ".join(map(learner.names.get, merges))])
    return extended


def check_extension(base: TokenizerFiles, extended: ExtendedTokenizer, texts: Iterable[str]) -> None:
    """The gate: on each text the new tokens, replaced by their pieces, give the base tokenizer's ids.

    Raises:
        TokenizerError: It does not hold; the message quotes the text.
    """
    old, new = (
        Reference(json.dumps(encoding_definition(files)), control_tokens=False)
        for files in (base, extended.files)
    )
    for text in texts:
        ids, _ = new.encode([text])
        replaced = [piece for number in ids.tolist() for piece in extended.pieces.get(number, (number,))]
        if not np.array_equal(replaced, old.encode([text])[0]):
            raise TokenizerError(f"The extended tokenizer cuts {text[:80]!r} in another way than its base.")


def _count_words(base: TokenizerFiles, texts: Iterable[pa.Array]) -> Counter[str]:
    """How often each piece of text occurs that the base tokenizer never joins with its neighbours."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(base.tokenizer_json.decode())
    words: Counter[str] = Counter()
    for array in texts:
        for text in array.drop_null().to_pylist():
            if tokenizer.normalizer is not None:
                text = tokenizer.normalizer.normalize_str(text)
            words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    return words


class _Learner:
    """Byte-pair merging of words that begin as the base tokenizer's ids, with counts kept up to date."""

    def __init__(self, base: TokenizerFiles, words: Mapping[str, int]) -> None:
        from tokenizers import Tokenizer

        self._model = Tokenizer.from_str(json.dumps(encoding_definition(base))).model
        self._whole_words_first = bool(base.definition["model"].get("ignore_merges"))
        self.names = {number: token for token, number in base.vocabulary.items()}
        self.pieces: dict[int, Pieces] = {number: (number,) for number in self.names}
        self._taken = set(base.vocabulary)
        self._words: list[list[int]] = []
        self._weights: list[int] = []
        self._counts: Counter[Pair] = Counter()
        self._places: defaultdict[Pair, set[int]] = defaultdict(set)
        for word, weight in words.items():
            ids = [token.id for token in self._model.tokenize(word)]
            if len(ids) > 1:
                self._words.append(ids)
                self._weights.append(weight)
                self._count(len(self._words) - 1, 1)

    def learn(self, wanted: int) -> dict[int, Pair]:
        """New id to the pair it joins: the most frequent pair each time, of equals the one with smaller ids."""
        merges: dict[int, Pair] = {}
        heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(heap)
        while heap and len(merges) < wanted:
            negative, pair = heapq.heappop(heap)
            count = self._counts[pair]
            if count < 2:
                continue
            if count != -negative:
                heapq.heappush(heap, (-count, pair))
            elif self._may_join(pair):
                merges[number] = pair if (number := self._add(pair)) else pair
                changed = self._join(pair, number)
                for other in changed:
                    heapq.heappush(heap, (-self._counts[other], other))
        return merges
