"""Extending a tokenizer's vocabulary for a domain or a language by continued BPE.

New merges are learnt on top of the base tokenizer's own segmentation and come after all of its merges. So
text is first cut exactly as before and only then joined further: every new token can be reached, and
replacing each new token by its pieces gives the old ids back. That is the gate each extension has to pass.
"""

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from typing_extensions import override

from tokenizer_tools.backends import Backend, Ids, Offsets, Reference
from tokenizer_tools.encode import encoding_definition
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS, first_difference
from tokenizer_tools.span_masks import token_bytes
from tokenizer_tools.vocabulary.config import VocabularyExtension

Pair = tuple[int, int]
Pieces = tuple[int, ...]


@dataclass(frozen=True)
class ExtendedTokenizer:
    """A tokenizer with new tokens, and what each of them stands for."""

    files: TokenizerFiles
    pieces: dict[int, Pieces]
    """New id to the base tokenizer's ids for the same text: the rows to average for a new embedding."""


def extend_tokenizer(
    base: TokenizerFiles, texts: Iterable[pa.Array], config: VocabularyExtension
) -> ExtendedTokenizer:
    """Add the tokens that shorten `texts` most. Their order does not matter.

    Raises:
        TokenizerError: The tokenizer is not byte-level BPE, nothing can be learnt, or the gate does not hold.
    """
    from tokenizers.decoders import ByteLevel

    if "merges" not in base.definition["model"] or token_bytes(encoding_definition(base)) is None:
        raise TokenizerError(
            f"{base.source} is not a byte-level BPE tokenizer; no other kind can be extended."
        )
    words = _count_words(base, texts)
    learner = _Learner(base, words)
    merges = learner.learn(config.tokens or len(words))
    if not merges:
        raise TokenizerError("The texts hold no pair of tokens that occurs twice. Extend on more text.")
    definition = _extended_definition(base, merges, learner.names)
    files = replace(
        base,
        tokenizer_json=json.dumps(definition, ensure_ascii=False).encode(),
        source=f"{base.source} extended",
    )
    extended = ExtendedTokenizer(files, {number: learner.pieces[number] for number in merges})
    decoder = ByteLevel()
    check_extension(base, extended, [*HOSTILE_TEXTS, *(decoder.decode([word]) for word in words)])
    return extended


def check_extension(base: TokenizerFiles, extended: ExtendedTokenizer, texts: list[str]) -> None:
    """The gate: on each text the new tokens, replaced by their pieces, give the base tokenizer's ids.

    Raises:
        TokenizerError: It does not hold; the message quotes the text.
    """
    difference = first_difference(_Undone(extended), _reference(base), texts)
    if difference is not None:
        raise TokenizerError(f"The extension changes how old tokens are cut: {difference}.")


def added_tokens(base: TokenizerFiles, extended: TokenizerFiles) -> dict[int, Pieces]:
    """The ids that only `extended` has, each with the base's ids for the same text.

    A token that a merge makes is what the merge joins. Any other is encoded as a text of its own, which may
    give no ids at all.

    Raises:
        TokenizerError: A token of the base has another id in `extended`, or none; only its added tokens may
            have other names.
    """
    known, ids = base.vocabulary, set(base.vocabulary.values())
    new = {token: number for token, number in extended.vocabulary.items() if number not in ids}
    renamable = {token["content"] for token in base.definition.get("added_tokens", ())}
    for token, number in known.items():
        if token not in renamable and extended.vocabulary.get(token) != number:
            raise TokenizerError(
                f"{extended.source} is no extension of {base.source}: the token {token!r} has the id {number}"
                f" in the latter and {extended.vocabulary.get(token, 'none')} in the former."
            )
    pieces: dict[str, Pieces] = {token: (number,) for token, number in known.items()}
    for merge in extended.definition["model"].get("merges", ()):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        if left + right in new and left in pieces and right in pieces:
            pieces.setdefault(left + right, pieces[left] + pieces[right])
    reference = _reference(base)
    for token in new.keys() - pieces.keys():
        pieces[token] = tuple(reference.encode(pa.array([token], pa.large_string()))[0].tolist())
    return {number: pieces[token] for token, number in sorted(new.items(), key=lambda item: item[1])}


class _Undone(Backend):
    """The extended tokenizer with each new token replaced by its pieces."""

    name = "the extended tokenizer, undone,"

    def __init__(self, extended: ExtendedTokenizer) -> None:
        self._reference = _reference(extended.files)
        numbers = range(max(extended.files.vocabulary.values()) + 1)
        pieces = [extended.pieces.get(number, (number,)) for number in numbers]
        self._lengths = np.array([len(each) for each in pieces])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._pieces = np.array([piece for each in pieces for piece in each], np.uint32)

    @override
    def encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        ids, offsets = self._reference.encode(texts)
        lengths = self._lengths[ids]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
        return self._pieces[np.repeat(self._starts[ids], lengths) + within], ends[offsets]


def _reference(files: TokenizerFiles) -> Reference:
    return Reference(json.dumps(encoding_definition(files)), control_tokens=False)


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
        self._next = max(self.names) + 1
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
        """New id to the pair it joins: each time the most frequent, of equals the one with smaller ids."""
        merges: dict[int, Pair] = {}
        heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(heap)
        while heap and len(merges) < wanted:
            negative, pair = heapq.heappop(heap)
            count = self._counts[pair]
            if count < 2 or not self._may_join(pair):
                continue
            if count != -negative:  # it has changed since it was put here
                heapq.heappush(heap, (-count, pair))
                continue
            number = self._name(pair)
            merges[number] = pair
            for changed in self._join(pair, number):
                heapq.heappush(heap, (-self._counts[changed], changed))
        return merges

    def _may_join(self, pair: Pair) -> bool:
        """Whether the joined text is no token yet, and standing alone is cut into the same pieces."""
        name = self.names[pair[0]] + self.names[pair[1]]
        if name in self._taken:
            return False
        if not self._whole_words_first:
            return True
        alone = tuple(token.id for token in self._model.tokenize(name))
        return alone == self.pieces[pair[0]] + self.pieces[pair[1]]

    def _name(self, pair: Pair) -> int:
        number = self._next
        self._next += 1
        self.names[number] = self.names[pair[0]] + self.names[pair[1]]
        self.pieces[number] = self.pieces[pair[0]] + self.pieces[pair[1]]
        self._taken.add(self.names[number])
        return number

    def _join(self, pair: Pair, number: int) -> set[Pair]:
        """Join the pair in every word that holds it; returns the pairs that have become more frequent."""
        grown: set[Pair] = set()
        for place in self._places.pop(pair):
            self._count(place, -1)
            self._words[place] = _joined(self._words[place], pair, number)
            self._count(place, 1)
            grown.update(other for other in pairwise(self._words[place]) if number in other)
        return grown

    def _count(self, place: int, sign: int) -> None:
        for pair in pairwise(self._words[place]):
            self._counts[pair] += sign * self._weights[place]
            self._places[pair].add(place)


def _joined(ids: list[int], pair: Pair, number: int) -> list[int]:
    """The ids with every occurrence of the pair replaced, from left to right."""
    joined: list[int] = []
    position = 0
    while position < len(ids):
        found = tuple(ids[position : position + 2]) == pair
        joined.append(number if found else ids[position])
        position += 2 if found else 1
    return joined


def _extended_definition(
    base: TokenizerFiles, merges: Mapping[int, Pair], names: Mapping[int, str]
) -> dict[str, Any]:
    """tokenizer.json with the new tokens and merges.

    Added tokens are written into the model's vocabulary as well: loading counts its entries to number those
    that are not in it, and would give them other ids than before.
    """
    model = base.definition["model"]
    pairs: list[Any] = [[names[left], names[right]] for left, right in merges.values()]
    if model["merges"] and isinstance(model["merges"][0], str):  # the older way to write them
        pairs = [" ".join(pair) for pair in pairs]
    vocabulary = base.vocabulary | {names[number]: number for number in merges}
    in_order = dict(sorted(vocabulary.items(), key=lambda item: item[1]))
    return base.definition | {"model": model | {"vocab": in_order, "merges": [*model["merges"], *pairs]}}
