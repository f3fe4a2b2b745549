"""tokenizer.json with new tokens in it, and without those that went."""

from collections.abc import Collection, Mapping
from typing import Any

from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.family import Family
from tokenizer_tools.vocabulary.new_tokens import NewToken

JOINED_BONUS = 1e-7
"""What a new Unigram token scores above its pieces, for each but the first.

So it wins over them, by far less than what another cut would lose, and by far more than sums are rounded.
"""

OUT_OF_REACH = -1e4
"""The score of an added token that Unigram's list has to hold: no text is ever cut into it."""


def changed_definition(family: Family, new: Mapping[int, NewToken], gone: Collection[int]) -> dict[str, Any]:
    """The definition in which ids stand for new tokens, and old tokens are gone.

    Added tokens are written into the model's vocabulary as well: loading counts its entries to number those
    that are not in it, and would give them other ids than before.

    Args:
        family: The base.
        new: Id to token, in the order of their rank.
        gone: Ids of the base's tokens that are no more.
    """
    model = _unigram(family, new) if family.is_unigram else _bpe(family, new, gone)
    return family.files.definition | {"model": family.model | model}


def _bpe(family: Family, new: Mapping[int, NewToken], gone: Collection[int]) -> dict[str, Any]:
    names = {number: name for number, name in family.names.items() if number not in gone}
    names |= {number: token.name for number, token in new.items()}
    lost = {family.names[number] for number in gone}
    merges = [pair for pair in family.merges if lost.isdisjoint([*pair, "".join(pair)])]
    merges += [token.merge for token in new.values() if token.merge is not None]
    spaced = any(" " in part for pair in merges for part in pair)
    older = isinstance(family.model["merges"][0], str) and not spaced
    return {
        "vocab": {name: number for number, name in sorted(names.items())},
        "merges": [" ".join(pair) if older else list(pair) for pair in merges],
    }


def _unigram(family: Family, new: Mapping[int, NewToken]) -> dict[str, Any]:
    """The list with its scores; a place in it is an id."""
    entries = [list(entry) for entry in family.model["vocab"]]
    scores = [score for _, score in entries]
    for number in range(len(entries), max([*new, *family.names]) + 1):
        entries.append([_to_be_listed(family, number) if number not in new else "", OUT_OF_REACH])
    for number, token in new.items():
        bonus = JOINED_BONUS * (len(token.pieces) - 1)
        entries[number] = [token.name, sum(scores[piece] for piece in token.pieces) + bonus]
    return {"vocab": entries}


def _to_be_listed(family: Family, number: int) -> str:
    """The added token of an id, where it can stand in the list without text being cut into it.

    Unknown characters cost more than any token of the list: a token that holds one would always win.
    """
    token = family.names.get(number)
    if token is None:
        raise TokenizerError(
            f"{family.files.source} has ids above {number}, but no token of that id; a Unigram vocabulary "
            "with such a gap cannot be extended."
        )
    if family.model.get("unk_id") in family.segment([token])[0]:
        raise TokenizerError(
            f"{family.files.source} cannot be extended: its added token {token!r} holds characters that the "
            "model does not know, and text that spells it would become that token."
        )
    return token
