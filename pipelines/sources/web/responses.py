"""What a record of a web archive holds: a page, no page, or something broken."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import zstandard

from pipelines.sources.base import Reason
from pipelines.sources.web.records import HEAD_BYTES, Head, Record, header_fields

HTML = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")
PLAIN = ("text/plain",)
UNTOLD = ("", "application/octet-stream", "unknown/unknown", "no-type", "unk")
"""Media types that say nothing: what the content begins with decides."""
ABOUT_THE_CRAWL = ("metadata", "urn", "dns", "whois", "filedesc")
"""Schemes of addresses under which crawlers keep what is no page."""
MAIN_TYPES = ("application", "audio", "font", "image", "message", "model", "multipart", "text", "video")

_KINDS = ("warcinfo", "request", "metadata", "revisit", "continuation", "response", "resource", "conversion")
_WITH_PAGES = ("response", "resource", "conversion")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"(?:HTTP/\d(?:\.\d)?|ICY) +(\d{3})(?!\d)[^\n]*\r?\n")
_LOOKS_LIKE_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml.*?\?>)*<(?:!doctype\s+html|html|head|body|title|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class RawPage(NamedTuple):
    """A page as it was sent."""

    content: bytes
    is_html: bool
    charset: str | None
    """What the HTTP header says."""
    mime: str
    status: int | None


class NoPage(NamedTuple):
    """Something that was never a page, such as a request or an image."""

    kind: str


class BadPage(NamedTuple):
    """A page that cannot be had."""

    reason: Reason


def page_of(record: Record, longest: int) -> RawPage | NoPage | BadPage:
    """What a record holds; `longest`: bytes that a page may have."""
    head = record.head
    if head.kind not in _WITH_PAGES:
        return NoPage(head.kind if head.kind in _KINDS else "record of an unknown kind")
    scheme = (head.url or "").partition(":")[0].lower()
    if scheme in ABOUT_THE_CRAWL:
        return NoPage(f"{head.kind} about the crawl")
    is_http = head.fields.get("content-type", "").lower().startswith("application/http")
    if record.block is None:
        return _without_block(head, is_http)
    if not is_http:
        return _page(record.block, head.fields.get("content-type", ""), None)
    return _of_response(record.block, longest)


def _without_block(head: Head, is_http: bool) -> NoPage | BadPage:
    if not is_http and (other := _other_type(_media_type(head.fields.get("content-type", "")))):
        return NoPage(other)
    return BadPage(Reason.TOO_LARGE)


def _of_response(block: bytes, longest: int) -> RawPage | NoPage | BadPage:
    status = _STATUS.match(block)
    end = _HEAD_END.search(block, 0, HEAD_BYTES)
    if status is None:
        return BadPage(Reason.NO_HTTP_HEADER)
    fields = header_fields(block[: end.start() if end else len(block)].decode("latin-1"))
    code = int(status[1])
    if not 200 <= code < 300:
        return NoPage(f"status {code}")
    if other := _other_type(_media_type(fields.get("content-type", ""))):
        return NoPage(other)
    body = block[end.end() :] if end else b""
    if "chunked" in fields.get("transfer-encoding", "").lower() and _CHUNK.match(body):
        joined = _joined_chunks(body)
        if joined is None:
            return BadPage(Reason.TRANSFER_ENCODING)
        body = joined
    for encoding in reversed(fields.get("content-encoding", "").lower().split(",")):
        unpacked = _unpacked(body, encoding.strip(), longest)
        if isinstance(unpacked, Reason):
            return BadPage(unpacked)
        body = unpacked
    return _page(body, fields.get("content-type", ""), code)


def _page(body: bytes, content_type: str, status: int | None) -> RawPage | NoPage:
    mime = _media_type(content_type)
    other = _other_type(mime)
    if other is not None:
        return NoPage(other)
    looks_like_html = _LOOKS_LIKE_HTML.match(body, 0, HEAD_BYTES) is not None
    if mime in UNTOLD and not looks_like_html:
        return NoPage("content of no type")
    charset = _CHARSET.search(content_type)
    return RawPage(body, mime in HTML or looks_like_html, charset[1] if charset else None, mime, status)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _other_type(mime: str) -> str | None:
    """The kind of media that is neither a page nor untold; None for those."""
    if mime in (*HTML, *PLAIN, *UNTOLD):
        return None
    main = mime.partition("/")[0]
    return f"media type {main}" if main in MAIN_TYPES else "media of another type"


def _joined_chunks(body: bytes) -> bytes | None:
    """A body without the lengths of its chunks (RFC 9112, 7.1); None if they do not fit.

    The last, empty chunk may be missing.
    """
    parts, at = [], 0
    while at < len(body):
        match = _CHUNK.match(body, at)
        if match is None:
            return None
        size = int(match[1], 16)
        if not size:
            break
        end = match.end() + size
        if end > len(body):
            return None
        parts.append(body[match.end() : end])
        at = end + (2 if body.startswith(b"\r\n", end) else body.startswith(b"\n", end))
    return b"".join(parts)


def _unpacked(body: bytes, encoding: str, longest: int) -> bytes | Reason:
    """A body without its compression. One that only says that it is compressed stays as it is."""
    if encoding in ("", "identity", "none", "utf-8") or _LOOKS_LIKE_HTML.match(body, 0, HEAD_BYTES):
        return body
    unpack = _UNPACK.get(encoding)
    if unpack is None:
        return Reason.CONTENT_ENCODING
    try:
        found = unpack(body, longest + 1)
    except _BROKEN:
        return Reason.CONTENT_ENCODING
    return found if len(found) <= longest else Reason.TOO_LARGE


class _BrokenBody(Exception):
    """Raised where a body is no compressed one, or not a whole one."""


_BROKEN = (zlib.error, zstandard.ZstdError, _BrokenBody)


def _inflated(body: bytes, most: int) -> bytes:
    """Of gzip, zlib or, as some servers send for deflate, of nothing around it."""
    wbits = 47 if body[:2] == b"\x1f\x8b" or (body[:1] and body[0] & 0x0F == 8) else -15
    stream = zlib.decompressobj(wbits)
    found = stream.decompress(body, most)
    if not stream.eof and len(found) < most:
        raise _BrokenBody
    return found


def _unbrotlied(body: bytes, most: int) -> bytes:
    try:
        import brotli
    except ImportError as error:
        raise _BrokenBody from error
    stream: Any = brotli.Decompressor()
    try:
        found = bytes(stream.process(body, output_buffer_limit=most))
    except brotli.error as error:
        raise _BrokenBody from error
    if not stream.is_finished() and len(found) < most:
        raise _BrokenBody
    return found


def _unzstd(body: bytes, most: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as stream:
        return bytes(stream.read(most))


_UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _inflated,
    "x-gzip": _inflated,
    "deflate": _inflated,
    "br": _unbrotlied,
    "zstd": _unzstd,
}
