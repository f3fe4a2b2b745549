"""A sibling's tokenizer with the vocabulary that another descendant of the same base was given.

All that is the sibling's own stays: its added tokens with their ids, its chat template, its configuration.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS
from tokenizer_tools.vocabulary.added import added_tokens


@dataclass(frozen=True)
class CarriedTokenizer:
    """The tokenizer, and where its tokens come from."""

    files: TokenizerFiles
    pieces: dict[int, tuple[int, ...]]
    """New tokens, by their id in the adapted tokenizer, with the base's ids for the same text."""
    moved: dict[int, int]
    """New tokens whose id is one of the sibling's own: their ids in the adapted tokenizer and in this one."""
    shared: list[int]
    """Ids of ordinary tokens that all three have."""
    own: list[int]
    """Ids of added tokens that are the sibling's: control tokens, and those that it alone has."""

    def place(self, number: int) -> int:
        """The id here of an id of the adapted tokenizer."""
        return self.moved.get(number, number)


def carry_tokenizer(
    base: TokenizerFiles, adapted: TokenizerFiles, sibling: TokenizerFiles
) -> CarriedTokenizer:
    """Give the sibling's tokenizer the adapted one's vocabulary.

    A new token whose id one of the sibling's own tokens has already gets an id above all others.

    Raises:
        TokenizerError: The sibling's tokenizer is not the base's, the adapted one is no change of it, or the
            two cannot be one.
    """
    _check_siblings(base, sibling)
    new = added_tokens(base, adapted)
    if not new:
        raise TokenizerError(
            f"{adapted.source} has the tokenizer of {base.source}: there is nothing to carry over."
        )
    added = _added(sibling)
    foreign = {name: number for name, number in added.items() if base.vocabulary.get(name) != number}
    names = {number: name for name, number in adapted.vocabulary.items()}
    dropped = set(_doubles({number: names[number] for number in new}, foreign, _added(adapted)))
    new = {number: pieces for number, pieces in new.items() if number not in dropped}
    free = max(*adapted.vocabulary.values(), *sibling.vocabulary.values()) + 1
    taken = sorted(new.keys() & set(foreign.values()))
    moved = {number: free + rank for rank, number in enumerate(taken)}
    files = _merged(adapted, sibling, foreign, dropped, moved)
    ordinary = set(base.vocabulary.values()) - set(_added(base).values())
    carried = CarriedTokenizer(
        files, new, moved, sorted(ordinary - new.keys() - set(added.values())), sorted(added.values())
    )
    _check_ids(carried, adapted, names)
    return carried


def _check_siblings(base: TokenizerFiles, sibling: TokenizerFiles) -> None:
    """Raise TokenizerError unless the sibling has the base's ordinary tokens and merges."""
    added = _added(base)
    for token, number in base.vocabulary.items():
        if token not in added and sibling.vocabulary.get(token) != number:
            raise TokenizerError(
                f"{sibling.source} was not made from {base.source}: the token {token!r} has the id {number}"
                f" in the latter and {sibling.vocabulary.get(token, 'none')} in the former."
            )
    if _merges(base) != _merges(sibling):
        raise TokenizerError(f"{sibling.source} was not made from {base.source}: it has other merges.")


def _merges(files: TokenizerFiles) -> list[tuple[str, ...]]:
    merges = files.definition["model"].get("merges") or ()
    return [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in merges]


def _added(files: TokenizerFiles) -> dict[str, int]:
    return {token["content"]: token["id"] for token in files.definition.get("added_tokens", ())}


def _doubles(new: Mapping[int, str], foreign: Mapping[str, int], added: Mapping[str, int]) -> Iterator[int]:
    """The new tokens that the sibling has itself, as control tokens that both were given."""
    for number, name in new.items():
        if name in foreign and name not in added:
            raise TokenizerError(
                f"The sibling's own token {name!r} is a new token of the adapted tokenizer too, but as"
                " ordinary text: change the vocabulary without it."
            )
        if name in foreign:
            yield number


def _merged(
    adapted: TokenizerFiles,
    sibling: TokenizerFiles,
    foreign: dict[str, int],
    dropped: set[int],
    moved: Mapping[int, int],
) -> TokenizerFiles:
    """The sibling's files with the adapted tokenizer's model, and all added tokens."""
    model = dict(adapted.definition["model"])
    if isinstance(model.get("vocab"), dict):
        ours = set(foreign.values())
        kept = {
            token: moved.get(number, number)
            for token, number in model["vocab"].items()
            if number not in dropped and (number not in ours or number in moved)
        }
        # Written into the vocabulary too: loading would renumber those that are not.
        model["vocab"] = dict(sorted((kept | foreign).items(), key=lambda item: item[1]))
    elif moved:
        raise TokenizerError(
            f"The ids {', '.join(map(str, sorted(moved)))} are new tokens of {adapted.source} and own tokens"
            f" of {sibling.source}, and in a Unigram tokenizer none of them can move."
        )
    present = _added(sibling)
    more = [
        token | {"id": moved.get(token["id"], token["id"])}
        for token in adapted.definition.get("added_tokens", ())
        if token["content"] not in present
        and token["id"] not in dropped
        and (token["id"] not in present.values() or token["id"] in moved)
    ]
    tokens = sorted([*sibling.definition.get("added_tokens", ()), *more], key=lambda token: token["id"])
    definition = sibling.definition | {"model": model, "added_tokens": tokens}
    return replace(
        sibling,
        tokenizer_json=json.dumps(definition, ensure_ascii=False).encode(),
        source=f"{sibling.source} with the vocabulary of {adapted.source}",
    )


def _check_ids(carried: CarriedTokenizer, adapted: TokenizerFiles, names: Mapping[int, str]) -> None:
    """Raise TokenizerError unless text gets the adapted tokenizer's ids, and added tokens keep theirs."""
    from tokenizers import Tokenizer

    opened = Tokenizer.from_str(carried.files.tokenizer_json.decode())
    for token, number in _added(carried.files).items():
        if opened.token_to_id(token) != number:
            raise TokenizerError(
                f"The token {token!r} cannot keep its id {number} in {carried.files.source}."
            )
    new = [number for number in carried.pieces if names[number] not in _added(adapted)]
    texts = [
        *HOSTILE_TEXTS,
        *Tokenizer.from_str(adapted.tokenizer_json.decode()).decode_batch([[n] for n in new]),
    ]
    expected = [[carried.place(number) for number in ids] for ids in _plain_ids(adapted, texts)]
    for text, ids, wanted in zip(texts, _plain_ids(carried.files, texts), expected, strict=True):
        if ids != wanted:
            raise TokenizerError(
                f"{carried.files.source} cuts {text[:40]!r} otherwise than the latter alone."
            )


def _plain_ids(files: TokenizerFiles, texts: Sequence[str]) -> list[list[int]]:
    """The ids of text in which nothing is an added token."""
    from tokenizers import Tokenizer

    definition: dict[str, Any] = files.definition | {
        "added_tokens": [],
        "post_processor": None,
        "truncation": None,
        "padding": None,
    }
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
