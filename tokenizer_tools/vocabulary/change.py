"""A vocabulary with new tokens, above the old ones or in the place of some that nobody needs.

New merges are learnt on top of the base tokenizer's own segmentation and come after all of its merges. So
text is first cut exactly as before and only then joined further: every new token can be reached, and
replacing each new token by its pieces gives the old ids back. That is the gate each change has to pass.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.definition import changed_definition
from tokenizer_tools.vocabulary.family import Family
from tokenizer_tools.vocabulary.gate import Gate
from tokenizer_tools.vocabulary.new_tokens import NewToken, learn_tokens
from tokenizer_tools.vocabulary.victims import Corpus, victims_in_order
from tokenizer_tools.vocabulary.words import WordCounts


def change_vocabulary(
    base: TokenizerFiles,
    words: WordCounts,
    *,
    extension: VocabularyExtension | None,
    replacement: VocabularyReplacement | None,
    reference: WordCounts | None = None,
) -> ChangedTokenizer:
    """Give a tokenizer the tokens that shorten `words` most.

    With both changes the first tokens that are learnt take the places of old ones, the others are added.

    Args:
        base: Byte-level BPE, BPE over characters, or Unigram.
        words: What to learn from; tokens that they use stay.
        extension: How many tokens to add.
        replacement: How many tokens to put in the place of old ones, which are those that `reference` uses
            least, of the scripts that may go.
        reference: Words by which the use of old tokens is judged. None: those to learn from.

    Raises:
        TokenizerError: The tokenizer is of another kind, nothing can be learnt, too few tokens may go, or the
            gate does not hold.
    """
    family = Family(base)
    learnt = Corpus(words, family.segment(words.words))
    judged = learnt if reference is None else Corpus(reference, family.segment(reference.words))
    new = list(_as_many(learn_tokens(family, *learnt), learnt, extension, replacement))
    victims: list[int] = []
    if replacement is not None:
        wanted = min(replacement.tokens, len(new))
        victims = victims_in_order(family, wanted, replacement.scripts, learnt, judged)
    gate = Gate(family, [learnt] if judged is learnt else [learnt, judged])
    while new:
        numbered = _numbered(family, new, victims[: len(new)])
        changed = _changed(family, numbered, victims[: len(new)])
        spoilers = gate.spoilers(changed, _places(family, learnt, numbered))
        if not spoilers:
            return changed
        new = list(_without(numbered, spoilers))
    if extension and extension.min_gain:
        raise TokenizerError(
            f"No new token would save {extension.min_gain:g} of the tokens. Give more text, or ask "
            "for a smaller gain."
        )
    raise TokenizerError("The texts hold no pair of tokens that occurs twice. Give more text.")


def _without(numbered: dict[int, NewToken], spoilers: set[int]) -> Iterator[NewToken]:
    """The tokens but for these, and for those that are made of them."""
    gone: set[str] = set()
    for number, token in numbered.items():
        if number in spoilers or gone.intersection(token.merge or ()):
            gone.add(token.name)
        else:
            yield token


def _as_many(
    new: Iterator[NewToken],
    learnt: Corpus,
    extension: VocabularyExtension | None,
    replacement: VocabularyReplacement | None,
) -> Iterator[NewToken]:
    """As many as are asked for; gains are looked at only where the vocabulary grows."""
    places = replacement.tokens if replacement else 0
    most = places + ((extension.tokens or np.inf) if extension else 0)
    tokens = float(np.diff(learnt.segmented.offsets) @ learnt.words.counts)
    least = (extension.min_gain or 0) * tokens if extension else 0
    for rank, token in enumerate(new):
        if rank >= most or (rank >= places and token.gain < least):
            return
        yield token


def _numbered(family: Family, new: Sequence[NewToken], victims: Sequence[int]) -> dict[int, NewToken]:
    """Id to token, by rank: first the ids of tokens that go, ascending, then those above every id."""
    above = max(family.names) + 1
    numbers = [*sorted(victims), *range(above, above + len(new) - len(victims))]
    return dict(zip(numbers, new, strict=True))


def _changed(family: Family, new: dict[int, NewToken], victims: Sequence[int]) -> ChangedTokenizer:
    definition = changed_definition(family, new, victims)
    files = replace(
        family.files,
        tokenizer_json=json.dumps(definition, ensure_ascii=False).encode(),
        source=f"{family.files.source} {'with tokens replaced' if victims else 'extended'}",
    )
    return ChangedTokenizer(
        files,
        pieces={number: token.pieces for number, token in new.items()},
        replaced={number: family.names[number] for number in sorted(victims)},
        gains={number: token.gain for number, token in new.items()},
    )


def _places(family: Family, learnt: Corpus, new: dict[int, NewToken]) -> dict[int, tuple[bytes, int, int]]:
    """Where each new token was learnt: a word, and the bytes of it."""
    return {
        number: (
            learnt.words.words[token.word].as_py(),
            token.start,
            token.start + len(family.content(token.name)),
        )
        for number, token in new.items()
    }
