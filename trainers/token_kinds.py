"""What kind of token each id is: whether text can give it, and whether it stands for whole characters.

The kinds are those of Land & Bartolo 2024, "Fishing for Magikarp" (section 2.1, and `TokenizerAnalyzer` of
github.com/cohere-ai/magikarp): a token is decoded, and what that gives is encoded again.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from tokenizer_tools.load import TokenizerFiles


class Kind(StrEnum):
    """What happens to a token that is decoded and encoded again."""

    ORDINARY = "ordinary"
    """It comes back."""
    SPECIAL = "special"
    """It is an added token, or written like one (`<word>`, `[word]`) and does not come back."""
    BYTE = "byte"
    """It is a single byte or an ASCII character."""
    PARTIAL_UTF8 = "partial UTF-8"
    """It is no whole characters, so what it decodes to says nothing."""
    UNREACHABLE = "unreachable"
    """Other ids come back: no text gives it."""


class Token(NamedTuple):
    """An id of the tokenizer."""

    text: str
    """Decoded."""
    kind: Kind
    unused: bool
    """Whether no text in training can have given it: by its name, or a byte that is never in UTF-8."""


NAMED_UNUSED = re.compile(
    r"[<\[]\|?_?(?:unused|reserved|extra|placeholder|dummy)[\w .:-]*\|?[>\]]|madeupword\d+", re.IGNORECASE
)
"""How models name tokens that they keep for later use: `<unused7>`, `[unused1]`, `<|extra_0|>`,
`<|reserved_special_token_3|>`, `<|placeholder1|>`."""
NEVER_IN_UTF8 = frozenset({0xC0, 0xC1, *range(0xF5, 0x100)})
_WRITTEN_SPECIAL = re.compile(r"[<\[].*[^\W\d_].*[>\]]", re.DOTALL)
_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")
_SIGN = "«"
_SPACES = " ▁Ġ"
_REPLACEMENT = "\ufffd"


def token_kinds(files: TokenizerFiles) -> dict[int, Token]:
    """Every id of a tokenizer with its kind."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(files.tokenizer_json.decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    decode, encode = _faithful(tokenizer)
    added = {token["id"] for token in files.definition.get("added_tokens", ())}
    names = {number: name for name, number in files.vocabulary.items()}
    byte_of = _byte_reader(files)
    texts = decode(list(names))
    back = encode(texts)
    kinds = {}
    for (number, name), text, ids in zip(names.items(), texts, back, strict=True):
        byte = byte_of(name)
        if number in added:
            kind = Kind.SPECIAL
        elif byte is not None:
            kind = Kind.BYTE
        elif ids == [number]:
            kind = Kind.ORDINARY
        elif _WRITTEN_SPECIAL.fullmatch(text):
            kind = Kind.SPECIAL
        else:
            kind = Kind.PARTIAL_UTF8 if _REPLACEMENT in text else Kind.UNREACHABLE
        unused = byte in NEVER_IN_UTF8 or (kind == Kind.SPECIAL and bool(NAMED_UNUSED.fullmatch(name)))
        kinds[number] = Token(text, kind, unused)
    return dict(sorted(kinds.items()))


def _faithful(
    tokenizer: Any,
) -> tuple[Callable[[list[int]], list[str]], Callable[[list[str]], list[list[int]]]]:
    """Decoding of single ids and encoding that keep a first space, where the tokenizer puts one itself too.

    There a sign stands before the text, and is taken away again.
    """

    def decode(ids: list[list[int]]) -> list[str]:
        texts: list[str] = tokenizer.decode_batch(ids, skip_special_tokens=False)
        return texts

    def encode(texts: list[str]) -> list[list[int]]:
        return [each.ids for each in tokenizer.encode_batch(texts, add_special_tokens=False)]

    first, sign = encode(["x", _SIGN])
    puts_space = bool(first) and tokenizer.id_to_token(first[0])[0] in _SPACES
    if not puts_space:
        return lambda ids: decode([[number] for number in ids]), encode
    return (
        lambda ids: [
            text.removeprefix(" ").removeprefix(_SIGN) for text in decode([[*sign, number] for number in ids])
        ],
        lambda texts: [ids[len(sign) :] for ids in encode([_SIGN + text for text in texts])],
    )


def _byte_reader(files: TokenizerFiles) -> Callable[[str], int | None]:
    """From a token's name to the one byte that it stands for; None for more, or another character."""
    from tokenizer_tools.encode import encoding_definition
    from tokenizer_tools.span_masks import token_bytes

    letters = _byte_letters() if token_bytes(encoding_definition(files)) is not None else {}

    def byte_of(name: str) -> int | None:
        if (fallback := _FALLBACK.fullmatch(name)) is not None:
            return int(fallback[1], 16)
        if len(name) != 1:
            return None
        return letters.get(name) if letters else ord(name) if name.isascii() else None

    return byte_of


def _byte_letters() -> dict[str, int]:
    """The letter that byte-level tokenizers write for each byte (GPT-2's table)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + rank): byte for rank, byte in enumerate(others)}
