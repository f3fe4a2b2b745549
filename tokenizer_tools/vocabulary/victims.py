"""Which tokens give their places to new ones: the least used of scripts that may go."""

import heapq
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.family import Family, Segmented
from tokenizer_tools.vocabulary.scripts import SCRIPTS, check_scripts, used_scripts, written_in
from tokenizer_tools.vocabulary.words import WordCounts

Marks = npt.NDArray[np.bool_]


class Corpus(NamedTuple):
    """Words and how the base cuts them."""

    words: WordCounts
    segmented: Segmented


def victims_in_order(
    family: Family, wanted: int, scripts: Collection[str], learnt: Corpus, reference: Corpus
) -> list[int]:
    """Ids of tokens that go, the one that is needed least first.

    All letters of such a token are of scripts that may go; it is neither a byte, a part of a character, a
    digit, a control or an added token, nor used in the words to learn from. Nor is a token that stays made
    of it: so what stays is reached as before, and texts without victims are cut as before. The least used in
    the reference go first, of equals the one with the higher id.

    Args:
        family: The base.
        wanted: How many are to go.
        scripts: Those that may go; of none named, those that neither text uses.
        learnt: What is learnt from.
        reference: What use is judged by.

    Raises:
        TokenizerError: There is no such script, or too few tokens may go.
    """
    check_scripts(scripts)
    if not scripts:
        scripts = set(SCRIPTS) - used_scripts(learnt.words) - used_scripts(reference.words)
    structure = _Structure(family, learnt)
    may_go = structure.may_go(scripts)
    if may_go.sum() < wanted:
        raise TokenizerError(_too_few(structure, wanted, int(may_go.sum()), scripts))
    weights = np.repeat(reference.words.counts, np.diff(reference.segmented.offsets))
    counts = np.bincount(reference.segmented.ids, weights, len(may_go)).astype(np.float64)
    return structure.least_used(may_go, counts, wanted)


def _too_few(structure: "_Structure", wanted: int, found: int, scripts: Collection[str]) -> str:
    others = {name: int(structure.may_go([name]).sum()) for name in SCRIPTS if name not in scripts}
    best = sorted((name for name in others if others[name]), key=lambda name: (-others[name], name))[:5]
    further = ", ".join(f"{name} ({others[name]:,})" for name in best)
    return (
        f"{wanted:,} tokens are to be replaced, but only {found:,} may go: the others are used by the text "
        "to learn from, of scripts that stay, or part of tokens that stay. Ask for fewer"
        + (f", or name further scripts, of which so many could go: {further}." if further else ".")
    )


class _Structure:
    """The base's tokens with what they are made of."""

    def __init__(self, family: Family, learnt: Corpus) -> None:
        size = max(family.names) + 1
        names = [family.names.get(number) for number in range(size)]
        self._texts = [None if name is None else family.text(name) for name in names]
        self._stays = np.array([text is None for text in self._texts])
        self._stays[list(family.untouchable)] = True
        self._stays |= np.bincount(learnt.segmented.ids, minlength=size) > 0
        if not family.is_byte_level and not family.model.get("byte_fallback"):
            self._stays |= np.array([text is not None and len(text) < 2 for text in self._texts])
        ids = family.files.vocabulary
        merges = [(ids[left], ids[right], ids[left + right]) for left, right in family.merges]
        self._left, self._right, self._made = np.array(merges, np.int64).reshape(-1, 3).T

    def may_go(self, scripts: Collection[str]) -> Marks:
        """For each id whether its token may go, with all that are made of it."""
        texts = pa.array([text or "" for text in self._texts], pa.string())
        stays = self._stays | ~written_in(texts, scripts)
        while True:
            kept = stays[self._made]
            parts = np.concatenate([self._left[kept], self._right[kept]])
            if stays[parts].all():
                return ~stays
            stays[parts] = True

    def least_used(self, may_go: Marks, counts: npt.NDArray[np.float64], wanted: int) -> list[int]:
        """So many of those that may go, each after all that are made of it."""
        parts_of: dict[int, set[int]] = {}
        made_of = np.zeros(len(may_go), np.int64)
        for left, right, made in zip(self._left, self._right, self._made, strict=True):
            if may_go[made]:
                parts_of.setdefault(int(made), set()).update((int(left), int(right)))
        for parts in parts_of.values():
            made_of[list(parts)] += 1
        free = [(counts[number], -number) for number in np.flatnonzero(may_go & (made_of == 0)).tolist()]
        heapq.heapify(free)
        chosen: list[int] = []
        while free and len(chosen) < wanted:
            number = -heapq.heappop(free)[1]
            chosen.append(number)
            for part in parts_of.get(number, ()):
                made_of[part] -= 1
                if may_go[part] and made_of[part] == 0:
                    heapq.heappush(free, (counts[part], -part))
        return chosen
