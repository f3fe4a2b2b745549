"""What a BPE model of tokenizer.json knows, as arrays: what text begins as, and what is merged."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.fast.byte_strings import ByteStrings
from tokenizer_tools.fast.merging import ID_BITS, NONE, RANK_BITS, Merges, build_merges

NO_ID = np.uint32(0xFFFFFFFF)
_PAGE = 64


class Model(NamedTuple):
    """A BPE model."""

    by_characters: int
    """Whether merging begins with characters, as in SentencePiece; else with bytes."""
    byte_ids: npt.NDArray[np.uint32]
    byte_pairs: npt.NDArray[np.uint32]
    """The rank of each two bytes, by first * 256 + second."""
    joined_bytes: npt.NDArray[np.uint32]
    """What each two bytes become, `NO_ID` for those that are not merged."""
    taken_from_left: npt.NDArray[np.uint32]
    """The least rank at which a token that ends with a byte takes a single byte after it; by the two bytes."""
    taken_from_right: npt.NDArray[np.uint32]
    """The least rank at which a token that begins with a byte takes a single byte before it."""
    merges: Merges
    whole_words: int
    """Whether a word that is a token is not cut: `ignore_merges`."""
    tokens: ByteStrings
    token_ids: npt.NDArray[np.uint32]
    character_pages: npt.NDArray[np.uint16]
    """Page numbers by the code point's leading bits, for `character_ids`."""
    character_ids: npt.NDArray[np.uint32]


def byte_letters() -> dict[str, int]:
    """The letters by which byte-level tokenizers write bytes (GPT-2's `bytes_to_unicode`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}


def build_model(model: dict[str, Any], by_characters: bool) -> Model | str:
    """The model of tokenizer.json, or why it cannot be one here."""
    reason = _refusal(model)
    if reason:
        return reason
    vocabulary: dict[str, int] = model["vocab"]
    pairs = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"]]
    if max(vocabulary.values()) >> ID_BITS or len(pairs) >= (1 << RANK_BITS) - 1:
        return "its vocabulary is too large"
    names = [f"<0x{byte:02X}>" for byte in range(256)] if by_characters else byte_letters()
    if not all(name in vocabulary for name in names):
        return "it has no token for some byte"
    bytes_of = {} if by_characters else byte_letters()
    byte_ids = np.zeros(256, np.uint32)
    for byte, name in enumerate(names):
        byte_ids[bytes_of.get(name, byte)] = vocabulary[name]
    try:
        merges = build_merges(
            [vocabulary[left] for left, _ in pairs],
            [vocabulary[right] for _, right in pairs],
            [vocabulary[left + right] for left, right in pairs],
        )
    except KeyError as error:
        return f"a merge needs the token {error}, which is not in the vocabulary"
    if by_characters and not {*names}.isdisjoint(part for pair in pairs for part in pair):
        return "it merges bytes with other tokens"
    whole_words = bool(model.get("ignore_merges"))
    known = _texts(vocabulary, bytes_of, by_characters) if whole_words else {}
    pages, characters = _characters(vocabulary) if by_characters else (np.zeros(1, np.uint16), np.zeros(1, np.uint32))
    return Model(
        int(by_characters),
        byte_ids,
        *_byte_merges(pairs, merges, vocabulary, bytes_of),
        merges,
        int(whole_words),
        ByteStrings.of([*known]),
        np.array([*known.values()], np.uint32),
        pages,
        characters,
    )


def _refusal(model: dict[str, Any]) -> str | None:
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        return "it is not a BPE tokenizer"
    if model.get("dropout"):
        return "it merges at random (dropout)"
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        return "it marks the parts of a word"
    return None


def _texts(vocabulary: dict[str, int], bytes_of: dict[str, int], by_characters: bool) -> dict[bytes, int]:
    """The tokens by their UTF-8."""
    if by_characters:
        return {token.encode(): number for token, number in vocabulary.items()}
    written = {chr(byte): letter for letter, byte in bytes_of.items()}
    assert len(written) == 256
    return {
        bytes(map(bytes_of.__getitem__, token)): number
        for token, number in vocabulary.items()
        if bytes_of.keys() >= {*token}
    }


def _characters(vocabulary: dict[str, int]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """The ids of single characters."""
    ids = np.full(0x110000, NO_ID, np.uint32)
    for token, number in vocabulary.items():
        if len(token) == 1:
            ids[ord(token)] = number
    pages, numbers = np.unique(ids.reshape(-1, _PAGE), axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.uint16), pages.reshape(-1).copy()


def _byte_merges(
    pairs: Sequence[Sequence[str]], merges: Merges, vocabulary: dict[str, int], byte_of: dict[str, int]
) -> tuple[npt.NDArray[np.uint32], ...]:
    """Ranks and results of merges of two bytes, and the least ranks at which a byte is taken otherwise.

    Two bytes are sure to be joined where neither is taken otherwise at a lower rank. Merges whose result is
    taken at a lower rank than their own, which no training makes, are left out.
    """
    ranks, joined, from_left, from_right = (np.full(1 << 16, number, np.uint32) for number in (NONE, NO_ID, NONE, NONE))
    first_use: dict[str, int] = {}
    for rank, (left, right) in enumerate(pairs):
        first_use.setdefault(left, rank)
        first_use.setdefault(right, rank)
    for rank, (left, right) in enumerate(pairs):
        if len(left) > 1 and len(right) > 1 or not byte_of:
            continue
        place = byte_of[left[-1]] << 8 | byte_of[right[0]]
        if len(right) == 1:
            from_left[place] = min(from_left[place], rank)
        if len(left) == 1:
            from_right[place] = min(from_right[place], rank)
        if len(left) == len(right) == 1:
            ranks[place] = rank
            joined[place] = merges.results[rank] if first_use.get(left + right, NONE) > rank else NO_ID
    return ranks, joined, from_left, from_right
