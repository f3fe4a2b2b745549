"""Makes the WARC and ARC files that the tests read."""

import gzip
import lzma
from collections.abc import Iterable

import zstandard


def record(
    kind: str, block: bytes, url: str | None = "http://a.org/", length: int | None = None, **fields: str
) -> bytes:
    """A record of a WARC file; `length`: what it says of its block's length."""
    head = {
        "WARC-Type": kind,
        "WARC-Date": "2026-01-02T03:04:05Z",
        "WARC-Record-ID": "<urn:uuid:1>",
        "Content-Type": "application/http; msgtype=response" if block.startswith(b"HTTP/") else "text/plain",
        "Content-Length": str(len(block) if length is None else length),
        **({"WARC-Target-URI": url} if url else {}),
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    return b"WARC/1.0\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n"


def response(
    body: bytes, content_type: str = "text/html; charset=utf-8", status: str = "200 OK", **fields: str
) -> bytes:
    """An HTTP response."""
    head = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in fields.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def html(words: str) -> bytes:
    """A page that says one thing."""
    return (
        f"<html><head><title>T</title></head><body><article><p>{words} It is long enough to be taken for "
        "the main text of a page, as any paragraph with some sentences is.</p></article></body></html>"
    ).encode()


def page(words: str, **about: str) -> bytes:
    """The record of a page that says one thing."""
    return record("response", response(html(words)), **about)


def arc(url: str, block: bytes, length: int | None = None) -> bytes:
    """A record of an ARC file."""
    size = len(block) if length is None else length
    return f"{url} 127.0.0.1 20260102030405 text/html {size}\n".encode() + block + b"\n"


def gzipped(records: Iterable[bytes]) -> bytes:
    """The records, each a member of its own."""
    return b"".join(gzip.compress(each, mtime=0) for each in records)


def zstandarded(records: Iterable[bytes], dictionary: bytes | None = None) -> bytes:
    """The records, each a frame of its own, behind the frame with their dictionary."""
    found = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
    compressor = zstandard.ZstdCompressor(dict_data=found)
    head = b"\x5d\x2a\x4d\x18" + len(dictionary).to_bytes(4, "little") + dictionary if dictionary else b""
    return head + b"".join(compressor.compress(each) for each in records)


def lzma_of(records: Iterable[bytes]) -> bytes:
    """The records in one stream."""
    return lzma.compress(b"".join(records))
