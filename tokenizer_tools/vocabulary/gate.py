"""The gate that a changed vocabulary has to pass: old tokens are cut as before, new ones can be reached."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.backends import Reference
from tokenizer_tools.encode import encoding_definition
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.completions import completions
from tokenizer_tools.vocabulary.family import Family, Segmented
from tokenizer_tools.vocabulary.victims import Corpus

BEFORE = ("", "\n", "0", ".", " ", "\n\n")
"""What a new token may stand behind when it is looked for alone: it is not joined with all of these."""

COMPLETIONS = (32, 1 << 11, 1 << 17)
"""How many texts are tried, in turns, for a token that is part of a character."""

Place = tuple[bytes, int, int]
"""A word, and where in its bytes a token begins and ends."""


class Gate:
    """What has to hold for a change of a base.

    On every word of the corpora, on every token that stays and on hostile texts, the new tokens replaced by
    their pieces give the base's ids, where these are all there still. Every new token is given by some text.
    Every token has the id that the file gives it, once it is loaded.

    Args:
        family: That of the base.
        corpora: Words and how the base cuts them.
    """

    def __init__(self, family: Family, corpora: Sequence[Corpus]) -> None:
        self._family = family
        self._corpora = corpora

    def spoilers(self, changed: ChangedTokenizer, places: Mapping[int, Place]) -> set[int]:
        """New ids without which the gate would hold; none if it does.

        Tokens that no text gives, where the base looks up whole words; where it is Unigram those with which a
        cut wins that was almost as good.

        Args:
            changed: The changed tokenizer.
            places: For each new id a place where its token stands.

        Raises:
            TokenizerError: It does not hold.
        """
        family = Family(changed.files)
        undo = Undo(changed)
        _check_ids(changed.files)
        spoilers: set[int] = set()
        for texts, base, cut in self._checks(changed, family):
            now = cut(texts)
            bad = changed_cuts(base, undo(now), changed.replaced)
            if not len(bad):
                continue
            used = {number for at in bad for number in now[at]} & changed.pieces.keys()
            if not self._family.is_unigram or not used:
                raise TokenizerError(_difference(texts[bad[0]], base[bad[0]], now[bad[0]]))
            spoilers |= used
        return spoilers or set(unreached(family, changed.files, places))

    def _checks(
        self, changed: ChangedTokenizer, family: Family
    ) -> Iterator[tuple[list[str], Segmented, Callable[[list[str]], Segmented]]]:
        """Texts, the base's ids for them, and how the changed tokenizer cuts them."""
        for words, segmented in self._corpora:
            yield words.words.cast("large_string").to_pylist(), segmented, family.segment
        staying = [
            text
            for number, token in sorted(self._family.names.items())
            if number not in changed.replaced and (text := self._family.text(token)) is not None
        ]
        yield staying, self._family.segment(staying), family.segment
        hostile = [*HOSTILE_TEXTS]
        yield (
            hostile,
            encoded(reference(self._family.files), hostile),
            lambda texts: encoded(reference(changed.files), texts),
        )


def check_change(base: TokenizerFiles, changed: ChangedTokenizer, texts: list[str]) -> None:
    """On each text the new tokens, replaced by their pieces, give the base's ids, where all these remain.

    Raises:
        TokenizerError: It does not hold; the message quotes the text.
    """
    before = encoded(reference(base), texts)
    now = encoded(reference(changed.files), texts)
    bad = changed_cuts(before, Undo(changed)(now), changed.replaced)
    if len(bad):
        raise TokenizerError(_difference(texts[bad[0]], before[bad[0]], now[bad[0]]))


def _difference(text: str, before: list[int], now: list[int]) -> str:
    return (
        f"The new vocabulary changes how old tokens are cut: {text[:80]!r} was {before[:12]} and would be "
        f"{now[:12]}."
    )


class Undo:
    """Replaces each new token by its pieces."""

    def __init__(self, changed: ChangedTokenizer) -> None:
        size = max(changed.files.vocabulary.values()) + 1
        each = [changed.pieces.get(number, (number,)) for number in range(size)]
        self._lengths = np.array([len(these) for these in each])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._pieces = np.array([piece for these in each for piece in these], np.int64)

    def __call__(self, segmented: Segmented) -> Segmented:
        """The base's ids for the same texts."""
        lengths = self._lengths[segmented.ids]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
        at = np.repeat(self._starts[segmented.ids], lengths) + within
        return Segmented(self._pieces[at], ends[segmented.offsets])


def reference(files: TokenizerFiles) -> Reference:
    """What the tokenizers library makes of text in which nothing is a control token."""
    return Reference(json.dumps(encoding_definition(files)), control_tokens=False)


def encoded(backend: Reference, texts: list[str]) -> Segmented:
    """The ids of texts."""
    ids, offsets = backend.encode(pa.array(texts, pa.large_string()))
    return Segmented(ids.astype(np.int64), offsets)


def changed_cuts(base: Segmented, undone: Segmented, gone: Iterable[int]) -> npt.NDArray[np.int64]:
    """The texts that do not have the base's ids, of those that use none of the tokens that are gone."""
    uses_gone = _per_text(np.isin(base.ids, list(gone)), base.offsets)
    lengths, now = np.diff(base.offsets), np.diff(undone.offsets)
    alike = lengths == now
    unequal = np.zeros(len(base.ids), bool)
    comparable = np.repeat(alike, lengths)
    unequal[comparable] = base.ids[comparable] != undone.ids[np.repeat(alike, now)]
    return np.flatnonzero(~uses_gone & (~alike | _per_text(unequal, base.offsets)))


def _per_text(marks: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """For each text whether one of its ids is marked."""
    total = np.concatenate([[0], np.cumsum(marks)])
    return total[offsets[1:]] > total[offsets[:-1]]


def _check_ids(changed: TokenizerFiles) -> None:
    """Whether each token has the id of its file once it is loaded: added tokens are renumbered at times."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_str(changed.tokenizer_json.decode()).get_vocab(with_added_tokens=True)
    for token, number in changed.vocabulary.items():
        if loaded.get(token) != number:
            raise TokenizerError(
                f"{changed.source}: the token {token!r} would have the id {loaded.get(token)} once it is "
                f"loaded, not {number}."
            )


def unreached(family: Family, changed: TokenizerFiles, new: Mapping[int, Place]) -> list[int]:
    """The new ids that no text gives, of those tried.

    Args:
        family: That of the changed tokenizer.
        changed: The changed tokenizer.
        new: New id to a place where its token stands.
    """
    backend = reference(changed)
    left = dict(new)
    for texts_of in (_alone, _in_its_word, *(_with_other_characters(most) for most in COMPLETIONS)):
        tried = {number: texts_of(family, *place) for number, place in left.items()}
        found = encoded(backend, [text for texts in tried.values() for text in texts])
        wanted = np.repeat(np.array(list(tried), np.int64), [len(texts) for texts in tried.values()])
        hit = found.ids == np.repeat(wanted, np.diff(found.offsets))
        reached = set(wanted[_per_text(hit, found.offsets)].tolist())
        left = {number: place for number, place in left.items() if number not in reached}
    return list(left)


def _alone(family: Family, word: bytes, start: int, end: int) -> list[str]:
    """The token's own text, behind one thing or another."""
    return [before + text for text in _written(family, [word[start:end]]) for before in BEFORE]


def _in_its_word(family: Family, word: bytes, start: int, end: int) -> list[str]:
    """The word that it was learnt from, up to it, from it on, and whole."""
    return list(_written(family, [word[:end], word[start:], word]))


def _with_other_characters(most: int) -> Callable[[Family, bytes, int, int], list[str]]:
    """Where it is part of a character: within characters of which it could be."""

    def texts_of(family: Family, word: bytes, start: int, end: int) -> list[str]:
        return list(map(family.plain_text, islice(completions(word[start:end]), most)))

    return texts_of


def _written(family: Family, contents: Iterable[bytes]) -> Iterator[str]:
    """The contents that are whole characters, as text that begins with a space or where one is put there."""
    for content in contents:
        try:
            text = family.plain_text(content.decode())
        except UnicodeDecodeError:
            continue
        yield from dict.fromkeys([text, text.removeprefix(" ")])
