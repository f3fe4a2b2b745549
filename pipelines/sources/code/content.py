"""Source files as text: UTF-8 first, then UTF-16 by its mark, then the likeliest older character set."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

VERSION = 1
"""To be raised when the same bytes become another text, or count as binary."""

MAX_SOURCE_BYTES = 1 << 20
"""Larger files of a repository are data or were written by programs; also linguist's bound."""

BINARY_HEAD = 8_000
"""A zero byte among so many makes a file binary, as in git."""
MAX_CONTROL_SHARE = 0.1
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CHARSETS = ["cp1251", "koi8_r", "cp866", "cp1253", "cp932", "euc_jp", "gb18030", "big5", "euc_kr"]
_WESTERN = "cp1252"
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_SEARCHED_BYTES = 1 << 20
_DETECTED_BYTES = 16 << 10


class Text(NamedTuple):
    """A file's text and how it was written."""

    text: str
    encoding: str


def is_binary(content: bytes) -> bool:
    """Whether a file holds no text: it has zero bytes near its beginning, or much that is no text at all."""
    head = content[:BINARY_HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decoded(content) is None
    if b"\0" in head or head.startswith(b"%PDF-"):
        return True
    return len(_CONTROL.findall(head)) > MAX_CONTROL_SHARE * len(head)


def is_large_file_pointer(content: bytes) -> bool:
    """Whether a file only says where git-lfs keeps the content."""
    return content.startswith(_LFS)


def decoded(content: bytes) -> Text | None:
    """The text of a file, without a byte order mark; None if it cannot be told."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            return _read_as(content.removeprefix(mark), encoding)
    return _read_as(content.removeprefix(codecs.BOM_UTF8), "utf-8") or _read_as(content, _charset(content))


def _read_as(content: bytes, encoding: str) -> Text | None:
    try:
        return Text(content.decode(encoding), encoding)
    except UnicodeDecodeError:
        return None


def _charset(content: bytes) -> str:
    """The likeliest character set of text that is not UTF-8.

    Western words have single letters beyond ASCII; words of other scripts consist of such.
    """
    from charset_normalizer import from_bytes

    beyond = _BEYOND_ASCII.findall(content[:_SEARCHED_BYTES])
    if 2 * sum(len(run) for run in beyond if len(run) > 1) < sum(map(len, beyond)):
        return _WESTERN
    lines = b"\n".join(line for line in content[:_SEARCHED_BYTES].split(b"\n") if not line.isascii())
    found = from_bytes(lines[:_DETECTED_BYTES], cp_isolation=_CHARSETS, enable_fallback=False).best()
    return found.encoding if found else _WESTERN
