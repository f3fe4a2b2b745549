"""EPUB (W3C EPUB 3.3): a zip file of XHTML, read in the order of its spine."""

from __future__ import annotations

import io
import posixpath
import re
from typing import Any
from urllib.parse import unquote

from pipelines.sources.archives.members import MemberFile, Refused
from pipelines.sources.archives.streams import Archive
from pipelines.sources.archives.zip_files import members_between
from pipelines.sources.base import Reason
from pipelines.sources.compressed import broken
from pipelines.sources.documents.prose import parse_xml, prose
from pipelines.sources.documents.records import NoDocument
from pipelines.sources.listing import InputFile

MAX_CHAPTER_BYTES = 32 << 20
"""The longest novels have 5 MB in all; a tree takes ten times the memory of its text."""

MAX_BOOK_CHARACTERS = 128 << 20

_XHTML = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?=$|[-_])")
_RIGHTS_CHARACTERS = 200


def parse_epub(content: bytes) -> dict[str, Any]:
    """Text and description of a book.

    Raises:
        NoDocument: It is no EPUB, is encrypted, or has no text.
    """
    members = _members(content)
    package_path = _package_path(members)
    package = _xml(members, package_path)
    folder = posixpath.dirname(package_path)
    chapters = _spine(package, folder)
    if _encrypted(members) & set(chapters):
        raise NoDocument(Reason.ENCRYPTED)
    texts = []
    for chapter in chapters:
        if chapter in members:
            texts.append(prose(_xml(members, chapter)))
        if sum(map(len, texts)) > MAX_BOOK_CHARACTERS:
            raise NoDocument(Reason.TOO_LARGE)
    text = "\n\n".join(filter(None, texts))
    if not text:
        raise NoDocument(Reason.NO_TEXT_LAYER, f"{len(chapters)} chapters without text")
    return {"text": text, **_description(package)}


def _members(content: bytes) -> dict[str, MemberFile]:
    """The files of a book by their names."""
    book = InputFile("book", "book", len(content))
    found: dict[str, MemberFile] = {}
    for member in members_between(Archive(io.BytesIO(content)), book):
        if isinstance(member, MemberFile):
            found[member.path.removeprefix("book!/")] = member
        elif isinstance(member, Refused) and not member.is_one:
            raise NoDocument(member.reason, member.why)
    return found


def _xml(members: dict[str, MemberFile], name: str) -> Any:
    if name not in members:
        raise NoDocument(Reason.UNREADABLE, f"it has no {name}")
    try:
        stream = members[name].start()
        content = stream.read(MAX_CHAPTER_BYTES)
        if how := broken(stream):
            raise NoDocument(how, name)
        if stream.read(1):
            raise NoDocument(Reason.TOO_LARGE, name)
        return parse_xml(content)
    except (OSError, ValueError) as error:
        raise NoDocument(Reason.UNREADABLE, f"{name}: {error}") from error


def _package_path(members: dict[str, MemberFile]) -> str:
    for rootfile in _all(_xml(members, "META-INF/container.xml"), "rootfile"):
        if path := rootfile.get("full-path"):
            return posixpath.normpath(str(path))
    raise NoDocument(Reason.UNREADABLE, "its container names no package")


def _spine(package: Any, folder: str) -> list[str]:
    """The names of the chapters in the order of reading, without what stands beside it."""
    items = {item.get("id"): item for item in _all(package, "item")}
    chapters = []
    for reference in _all(package, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or reference.get("linear") == "no" or item.get("media-type") not in _XHTML:
            continue
        if "nav" not in (item.get("properties") or "").split():
            path = unquote((item.get("href") or "").partition("#")[0])
            chapters.append(posixpath.normpath(posixpath.join(folder, path)))
    return chapters


def _encrypted(members: dict[str, MemberFile]) -> set[str]:
    """The names of what is encrypted, fonts perhaps."""
    if "META-INF/encryption.xml" not in members:
        return set()
    references = _all(_xml(members, "META-INF/encryption.xml"), "CipherReference")
    return {posixpath.normpath(unquote(reference.get("URI") or "")) for reference in references}


def _description(package: Any) -> dict[str, Any]:
    """What the package says of the book (Dublin Core), as far as it says it."""
    authors = _said(package, "creator")
    languages = [match[0].lower() for each in _said(package, "language") if (match := _LANGUAGE.match(each))]
    rights = "; ".join(_said(package, "rights"))
    said = {
        "title": ": ".join(_said(package, "title")),
        "author": authors[0] if len(authors) == 1 else authors,
        "language": languages[0] if languages else "",
        "license": _licence_link(package) or rights[:_RIGHTS_CHARACTERS],
        "identifier": "; ".join(_said(package, "identifier")),
        "publisher": "; ".join(_said(package, "publisher")),
        "date": "; ".join(_said(package, "date")),
    }
    return {name: value for name, value in said.items() if value}


def _licence_link(package: Any) -> str | None:
    """The address of its licence, which tells more surely than its rights in words do."""
    for link in _all(package, "link"):
        kinds = [rel.rpartition(":")[2] for rel in (link.get("rel") or "").split()]
        if "license" in kinds and not link.get("refines"):
            return str(link.get("href") or "") or None
    return None


def _said(package: Any, name: str) -> list[str]:
    texts = (" ".join("".join(element.itertext()).split()) for element in _all(package, name))
    return [text for text in texts if text]


def _all(root: Any, name: str) -> list[Any]:
    """The elements of a name, whatever their namespace."""
    return list(root.iter(f"{{*}}{name}"))
