"""The formats of web pages: archives of records (WARC, ARC, WET), and files of HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.sources.base import Quarantine, Reason, Unit
from pipelines.sources.compressed import TRUNCATED, split_compression
from pipelines.sources.fields import FieldMap, documents_from_records
from pipelines.sources.listing import InputFile
from pipelines.sources.records import Record
from pipelines.sources.web.charset import decode
from pipelines.sources.web.content import Content
from pipelines.sources.web.members import pieces
from pipelines.sources.web.options import READ_AS_USUAL, Pages
from pipelines.sources.web.page_model import ask_model
from pipelines.sources.web.records import Broken, begins_record, read_records
from pipelines.sources.web.records import Record as ArchiveRecord
from pipelines.sources.web.responses import BadPage, NoPage, RawPage, page_of
from pipelines.sources.web.units import ARCHIVE
from pipelines.sources.web.workers import require_libraries, worker
from pipelines.sources.whole_files import BEGINNING, whole_content, whole_file_units

VERSION = 1
"""To be raised when the same pages give other documents."""

PAGE = "web page"
BATCH_BYTES = 4_000_000
BATCH_PAGES = 64
TITLE_CHARACTERS = 300
NO_TEXT = "page without text"
"""The kind of page in which the extractor finds nothing."""

_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,2000})</title", re.IGNORECASE)
_TITLE_WITHIN = 1 << 17


page_units = whole_file_units(PAGE)


def read_page(file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine) -> Iterator[pa.Table]:
    """The text of a file of HTML."""
    data = whole_content(file, unit, quarantine, largest=field_map.pages.largest)
    if data is not None:
        batch = _Batch(file, field_map, quarantine)
        page = RawPage(data, True, None, "text/html", None)
        batch.add(_Waiting(BEGINNING, "0", unit.bytes, page, {}))
        yield batch.table()


def read_archive(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The pages of an archive; records that are none are counted by kind, broken ones set aside."""
    batch = _Batch(file, field_map, quarantine)
    for number, found in enumerate(_records(file, unit, field_map.pages)):
        if number == unit.rows:
            break
        if isinstance(found, Broken):
            _set_aside(file, unit, found, quarantine)
            continue
        page = page_of(found, field_map.pages.largest)
        if isinstance(page, NoPage):
            quarantine.no_documents[page.kind] += 1
        elif isinstance(page, BadPage):
            sample = found.block or (found.head.url or "").encode()
            quarantine.add(file.path, found.place.position, page.reason, sample, bytes=found.stored)
        else:
            place = found.place
            batch.add(_Waiting(place.position, place.key, found.stored, page, _about(found, page)))
            if batch.is_full:
                yield batch.table()
    if batch.waiting:
        yield batch.table()


def count_archive(file: InputFile) -> int:
    """Number of records, of all kinds and broken ones."""
    return count_archive_unit(file, Unit(file.path, ARCHIVE, 0, file.size, 0, file.size))


def count_archive_unit(file: InputFile, unit: Unit) -> int:
    """The same of a part of the file."""
    return sum(1 for _ in _records(file, unit, READ_AS_USUAL))


def _records(file: InputFile, unit: Unit, pages: Pages) -> Iterator[ArchiveRecord | Broken]:
    compression = split_compression(file.path)[1]
    with file.open() as raw:
        size = unit.stop if compression is None else None
        found = pieces(raw, compression, unit.start, unit.stop, begins_record)
        yield from read_records(Content(found, size), pages.largest)


def _set_aside(file: InputFile, unit: Unit, found: Broken, quarantine: Quarantine) -> None:
    lost = unit.whole_file if found.reason in (*TRUNCATED, Reason.TRUNCATED_RECORD) else max(0, found.stored)
    records = 1 if found.is_one else None
    quarantine.add(file.path, found.place.position, found.reason, found.sample, bytes=lost, records=records)


def _about(record: ArchiveRecord, page: RawPage) -> dict[str, Any]:
    fields = record.head.fields
    about = {
        "url": record.head.url,
        "date": fields.get("warc-date"),
        "mime": page.mime or None,
        "status": page.status,
        "warc_record_id": fields.get("warc-record-id"),
    }
    return {name: value for name, value in about.items() if value is not None}


@dataclass
class _Waiting:
    """A page whose text is to be found."""

    position: str
    key: str
    stored: int
    """Bytes of the file."""
    page: RawPage
    about: dict[str, Any]
    text: str = ""


@dataclass
class _Batch:
    """Pages that are extracted together."""

    file: InputFile
    field_map: FieldMap
    quarantine: Quarantine
    waiting: list[_Waiting] = field(default_factory=list)
    _bytes: int = 0

    def add(self, page: _Waiting) -> None:
        """Take a page, if its characters can be told."""
        characters = decode(page.page.content, page.page.charset)
        if not characters.is_readable:
            self._set_aside(page, Reason.CHARACTERS)
            return
        if characters.replaced:
            page.about["replaced_characters"] = characters.replaced
        page.text = characters.text
        self._bytes += len(page.page.content)
        self.waiting.append(page)

    @property
    def is_full(self) -> bool:
        """Whether it is time to extract them."""
        return self._bytes >= BATCH_BYTES or len(self.waiting) >= BATCH_PAGES

    def table(self) -> pa.Table:
        """Their documents; those without text are counted or set aside."""
        taken, self.waiting, self._bytes = self.waiting, [], 0
        with_markup = [page for page in taken if page.page.is_html]
        texts = iter(_texts(self.field_map.pages, [page.text for page in with_markup]))
        records: list[Record] = []
        for page in taken:
            text = next(texts) if page.page.is_html else page.text.strip()
            if isinstance(text, Reason):
                self._set_aside(page, text)
            elif not text:
                self.quarantine.no_documents[NO_TEXT] += 1
            else:
                records.append((0, -1, -1, page.stored, self._record(page, text)))
        return documents_from_records(
            records, self.field_map.of_plain_text(), self.file.path, self.quarantine
        )

    def _record(self, page: _Waiting, text: str) -> dict[str, Any]:
        title = _TITLE.search(page.text, 0, _TITLE_WITHIN) if page.page.is_html else None
        if title is not None:
            page.about["title"] = " ".join(html.unescape(title[1]).split())[:TITLE_CHARACTERS]
        return {"text": text, "id": f"{self.file.path}:{page.key}", **page.about}

    def _set_aside(self, page: _Waiting, reason: Reason) -> None:
        sample = page.about.get("url") or page.page.content
        self.quarantine.add(self.file.path, page.position, reason, sample, bytes=page.stored)


def _texts(pages: Pages, found: list[str]) -> list[str | Reason]:
    """The text of each page, or why there is none."""
    if not found:
        return []
    require_libraries(pages)
    with worker(pages) as process:
        texts = list(process.texts(found))
    return ask_model(pages.endpoint, texts) if pages.endpoint is not None else texts
