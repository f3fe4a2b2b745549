"""Which ids of a tokenizer stand for what the base's ids do not, and what they are made of."""

from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.vocabulary.changed import Pieces
from tokenizer_tools.vocabulary.family import Family
from tokenizer_tools.vocabulary.gate import encoded, reference


def added_tokens(base: TokenizerFiles, changed: TokenizerFiles) -> dict[int, Pieces]:
    """The ids whose text the base's ids do not stand for, each with the base's ids for the same text.

    They are new, or were another token's that is no more. A token that a merge makes is what the merge joins.
    Any other is encoded by the base: one of the model's as a word of its own, an added token as a text, which
    may give no ids at all.

    Raises:
        TokenizerError: A token of the base has another id in `changed`, or fewer than half of them are kept;
            only its added tokens may have other names.
    """
    _check_related(base, changed)
    old = {number: token for token, number in base.vocabulary.items()}
    renamable = {token["id"] for token in base.definition.get("added_tokens", ())}
    new = {
        token: number
        for token, number in changed.vocabulary.items()
        if old.get(number) != token and number not in renamable
    }
    pieces: dict[str, Pieces] = {
        token: (number,) for token, number in base.vocabulary.items() if token in changed.vocabulary
    }
    for merge in changed.definition["model"].get("merges", ()):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        if left + right in new and left in pieces and right in pieces:
            pieces.setdefault(left + right, pieces[left] + pieces[right])
    pieces |= _encoded(base, changed, sorted(new.keys() - pieces.keys()))
    return {number: pieces[token] for token, number in sorted(new.items(), key=lambda item: item[1])}


def _check_related(base: TokenizerFiles, changed: TokenizerFiles) -> None:
    """Single letters and bytes do not count for the half: unrelated tokenizers share them."""
    renamable = {token["content"] for token in base.definition.get("added_tokens", ())}
    ids = set(changed.vocabulary.values())
    longer = kept = 0
    for token, number in base.vocabulary.items():
        now = changed.vocabulary.get(token)
        if token not in renamable and now != number and (now is not None or number not in ids):
            raise TokenizerError(
                f"{changed.source} is no extension of {base.source}: the token {token!r} has the id {number} "
                f"in the latter and {'none' if now is None else now} in the former."
            )
        longer += len(token) > 1
        kept += len(token) > 1 and now == number
    if 2 * kept < longer:
        raise TokenizerError(
            f"{changed.source} is no extension of {base.source}: it has only {kept:,} of its {longer:,} "
            "tokens of several letters."
        )


def _encoded(base: TokenizerFiles, changed: TokenizerFiles, tokens: list[str]) -> dict[str, Pieces]:
    added = {token["content"] for token in changed.definition.get("added_tokens", ())}
    texts = [token for token in tokens if token in added]
    words = [token for token in tokens if token not in added]
    found = dict(zip(texts, encoded(reference(base), texts), strict=True))
    if words:
        family = Family(base)
        contents = [family.content(word).decode(errors="replace") for word in words]
        found |= zip(words, family.segment(contents), strict=True)
    return {token: tuple(ids) for token, ids in found.items()}
