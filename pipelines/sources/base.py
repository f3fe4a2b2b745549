"""The interface of sources: units to read, each of which yields documents and sets bad records aside."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.sources import limit
from pipelines.sources.licences.column import declared_id, spdx_column
from pipelines.sources.limit import CountRecords, Cut, Limit
from pipelines.sources.passed_over import OTHER_KINDS, PassedOver
from pipelines.sources.preview import Preview
from pipelines.sources.schema import MESSAGES, PART_SCHEMA
from pipelines.sources.unit import Shares as Shares
from pipelines.sources.unit import Unit as Unit

if TYPE_CHECKING:
    from pipelines.sources.content import Contents

BATCH_BYTES = 16 << 20
"""About the size of the tables that `Source.read` yields; a longer document makes a larger one."""

SAMPLE_BYTES = 200


def stored_bytes(byte: int, size: int, rate: float) -> int:
    """The bytes of a file that stand for `size` bytes of its content, from `byte` on; without a rest."""
    return int((byte + size) * rate) - int(byte * rate)


class Reason(StrEnum):
    """Why a record was set aside."""

    INVALID_JSON = "invalid JSON"
    INVALID_UTF8 = "invalid UTF-8"
    INVALID_UNICODE = "invalid Unicode"
    INVALID_CSV = "invalid CSV"
    CSV_HEADER = "unusable CSV header"
    INVALID_PYTHON = "invalid Python"
    NOT_AN_OBJECT = "record is not an object"
    NO_TEXT = "no text field"
    NULL_TEXT = "text is null"
    NO_CONTENT = "its content is not in the store"
    ENCODING = "its content is not in the encoding that it names"
    TEXT_TYPE = "text is not a string"
    NO_MESSAGES = "no messages field"
    BAD_MESSAGES = "messages are malformed"
    BAD_TOOL_CALLS = "tool calls are malformed"
    BAD_TOOLS = "tools are malformed"
    BAD_WEIGHT = "a turn's weight is neither 0 nor 1, or contradicts itself"
    NOT_TEXT = "a message holds more than text"
    NO_LABEL = "no label"
    NO_WORDS = "no words in question, passage or solution"
    NO_FACT = "no question, or no answer to it"
    NOT_RENDERED = "the task cannot render its question"
    TRUNCATED_GZIP = "truncated gzip"
    CORRUPT_GZIP = "corrupt gzip"
    TRUNCATED_ZSTD = "truncated zstd"
    CORRUPT_ZSTD = "corrupt zstd"
    TRUNCATED_XZ = "truncated xz"
    CORRUPT_XZ = "corrupt xz"
    TRUNCATED_BZIP2 = "truncated bzip2"
    CORRUPT_BZIP2 = "corrupt bzip2"
    TRUNCATED_ZIP = "truncated zip"
    CORRUPT_ZIP = "corrupt zip"
    TRUNCATED_TAR = "truncated tar"
    CORRUPT_TAR = "corrupt tar"
    UNSAFE_MEMBER = "unsafe member of an archive"
    ENCRYPTED = "encrypted"
    BOMB = "archive that becomes too large"
    NO_TEXT_LAYER = "no text in the document"
    INVALID_CONLLU = "invalid CoNLL-U"
    INVALID_LATEX = "no LaTeX document"
    NESTED_ARCHIVE = "archive within an archive"
    TOO_LARGE = "record too large"
    NOT_A_RECORD = "no record of a web archive"
    RECORD_LENGTH = "the record's length is wrong"
    TRUNCATED_RECORD = "truncated record"
    NO_HTTP_HEADER = "no HTTP header"
    TRANSFER_ENCODING = "corrupt transfer encoding"
    CONTENT_ENCODING = "corrupt or unknown content encoding"
    CHARACTERS = "undecodable characters"
    SLOW_PAGE = "the extractor took too long"
    EXTRACTOR_FAILED = "the extractor failed"
    NO_ANSWER = "the model gave no text"
    UNREADABLE = "unreadable file"
    BINARY = "binary file"
    UNREADABLE_ROWS = "unreadable rows"
    PERMISSION = "permission denied"


QUARANTINE_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("position", pa.string()),
        ("reason", pa.string()),
        ("sample", pa.string()),
        ("bytes", pa.int64()),
        ("records", pa.int64()),
    ]
)
"""`bytes`: of input, that were lost, as `Unit.bytes` counts; `records`: how many, null where nobody knows."""

QUARANTINE_ROWS = 10_000
"""So many bad records are held in memory."""

KINDS_OF_A_TASK = 100
"""So many kinds of what archives hold and is not read are counted apart."""


class BadRecord(NamedTuple):
    """One entry of the quarantine: a record, or a run of them that cannot be told apart."""

    file: str
    position: str
    reason: str
    sample: str
    bytes: int
    records: int | None

    @property
    def described(self) -> str:
        """Why it is bad, and what it has in the place of what is missing."""
        missing = (Reason.NO_TEXT, Reason.NO_MESSAGES, Reason.NO_LABEL)
        telling = (*missing, Reason.CSV_HEADER, Reason.UNREADABLE, Reason.UNSAFE_MEMBER, Reason.NO_TEXT_LAYER)
        return f"{self.reason}: {self.sample}" if self.reason in telling and self.sample else self.reason


@dataclass
class Loss:
    """What was lost for one reason."""

    records: int = 0
    """Where nobody knows how many, one."""
    bytes: int = 0


@dataclass
class Quarantine:
    """Bad records. All are counted; they go to `write`, or else no more than the first ones are kept."""

    write: Callable[[pa.Table], None] | None = None
    rows: list[BadRecord] = field(default_factory=list)
    """Those that wait to be written."""
    first: BadRecord | None = None
    losses: dict[str, Loss] = field(default_factory=dict)
    """What was lost, by reason."""
    recognised: Counter[str] = field(default_factory=Counter)
    """Good records that were read as conversations because of their fields, by format."""
    passed_over: dict[str, PassedOver] = field(default_factory=dict)
    """What archives hold that is not read, by kind."""
    no_documents: Counter[str] = field(default_factory=Counter)
    """Good records that are no documents, such as the requests in a web archive, by kind."""

    def add(
        self,
        file: str,
        position: str,
        reason: Reason,
        record: bytes | str = b"",
        *,
        bytes: int,
        records: int | None = 1,
    ) -> None:
        """Set something aside; of its content the first 200 bytes are kept, undecodable ones as U+FFFD.

        Args:
            file: Path relative to the source's root.
            position: Where it begins in the file.
            reason: Why it is no document.
            record: What it says.
            bytes: What was lost with it, as `Unit.bytes` counts.
            records: How many records were lost with it; None where nobody knows.
        """
        if isinstance(record, str):
            record = record[:SAMPLE_BYTES].encode("utf-8", "replace")
        sample = record[:SAMPLE_BYTES].decode("utf-8", "replace")
        row = BadRecord(file, position, reason.value, sample, bytes, records)
        loss = self.losses.setdefault(row.reason, Loss())
        loss.records += 1 if records is None else records
        loss.bytes += bytes
        self.first = self.first or row
        if len(self.rows) == QUARANTINE_ROWS:
            if self.write is None:
                return
            self.flush()
        self.rows.append(row)

    def pass_over(self, kind: str, path: str) -> None:
        """Count something that is in an archive and is no document."""
        if kind not in self.passed_over and len(self.passed_over) >= KINDS_OF_A_TASK:
            kind = OTHER_KINDS
        earlier = self.passed_over.get(kind, PassedOver(kind, 0, path))
        self.passed_over[kind] = earlier._replace(files=earlier.files + 1)

    @property
    def lost_records(self) -> int:
        """How many records were lost."""
        return sum(loss.records for loss in self.losses.values())

    @property
    def without_document(self) -> int:
        """How many records became no document, lost or not."""
        return self.lost_records + self.no_documents.total()

    @property
    def lost_bytes(self) -> int:
        """How many bytes were lost."""
        return sum(loss.bytes for loss in self.losses.values())

    def table(self) -> pa.Table:
        """The rows that are held as a table of `QUARANTINE_SCHEMA`."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(QUARANTINE_SCHEMA)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, QUARANTINE_SCHEMA, strict=True)]
        return pa.table(arrays, schema=QUARANTINE_SCHEMA)

    def flush(self) -> None:
        """Write the rows that are held."""
        if self.write is not None and self.rows:
            self.write(self.table())
            self.rows.clear()


class Source(Protocol):
    """Documents from one place. Picklable: worker processes read its units."""

    def identity(self) -> dict[str, Any]:
        """What the content is, JSON-able, for the stage's fingerprint. Reads no content."""
        ...

    def size(self) -> int | None:
        """Bytes of input as stored; None where nobody knows before reading."""
        ...

    def units(self, part_bytes: int) -> list[Unit]:
        """Cut the input into units of about `part_bytes`; depends on the input and `part_bytes` alone."""
        ...

    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        """Tables of `PART_SCHEMA`, in the input's order; bad records go to `quarantine`, the rest goes on."""
        ...

    def passed_over(self) -> list[PassedOver]:
        """Files found beside those that are read, by kind."""
        return []

    def preview(self) -> Preview:
        """What its first records are like; reads little of it."""
        ...


def tasks(units: list[Unit], part_bytes: int) -> list[list[Unit]]:
    """Group consecutive units into tasks of up to `part_bytes`, so that many small files make one part."""
    grouped: list[list[Unit]] = []
    filled = 0
    for unit in units:
        if not grouped or filled + unit.bytes > part_bytes:
            grouped.append([])
            filled = 0
        grouped[-1].append(unit)
        filled += unit.bytes
    return grouped


@dataclass(frozen=True)
class Labels:
    """What is said of every document of a source whose record does not say it."""

    source: str
    """Begins every doc_id, unless it is empty."""
    domain: str
    language: str | None = None
    license: str | None = None


def part_table(
    labels: Labels,
    doc_ids: list[str],
    texts: list[str] | pa.Array,
    metadata: list[str],
    *,
    urls: list[str | None] | pa.Array | None = None,
    languages: list[str | None] | pa.Array | None = None,
    licenses: list[str | None] | pa.Array | None = None,
    parent_ids: list[str | None] | None = None,
    messages: pa.ListArray | None = None,
    template_fields: pa.StringArray | None = None,
) -> pa.Table:
    """A table of `PART_SCHEMA`; a language or licence that is null becomes the label's.

    Licences become SPDX expressions, and null where none is known.
    """
    rows = len(doc_ids)

    def column(values: Any, kind: pa.DataType, default: str | None = None) -> pa.Array:
        if values is None:
            return pa.nulls(rows, kind) if default is None else pa.repeat(pa.scalar(default, kind), rows)
        array = values if isinstance(values, pa.Array) else pa.array(values, kind)
        return array if default is None else array.fill_null(default)

    columns = {
        "doc_id": column(doc_ids, pa.string()),
        "text": column(texts, pa.large_string()),
        "source": column(None, pa.string(), labels.source),
        "domain": column(None, pa.string(), labels.domain),
        "language": column(languages, pa.string(), labels.language),
        "license": _licences(column(licenses, pa.string()), labels.license),
        "url": column(urls, pa.string()),
        "parent_id": column(parent_ids, pa.string()),
        "messages": column(messages, MESSAGES),
        "template_fields": column(template_fields, pa.string()),
        "metadata": column(metadata, pa.string()),
    }
    return pa.table([columns[name] for name in PART_SCHEMA.names], schema=PART_SCHEMA)


def _licences(declared: pa.Array, label: str | None) -> pa.Array:
    own, of_source = spdx_column(declared), declared_id(label)
    return own if of_source is None else own.fill_null(of_source)


def batched(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join tables until they hold `BATCH_BYTES` of text; copies nothing."""
    waiting: list[pa.Table] = []
    size = 0
    for table in tables:
        if table.num_rows:
            waiting.append(table)
            size += table.column("text").nbytes
        if size >= BATCH_BYTES:
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


class SourceOptions(BaseModel):
    """What every reader lets a recipe say about a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str | None = Field(
        default=None, description="Domain of the documents; default: the source's name."
    )
    language: str | None = Field(
        default=None, description="Language of documents that do not name theirs, e.g. ru."
    )
    license: str | None = Field(
        default=None, description="License of documents that do not name theirs, e.g. ODC-By-1.0."
    )
    priority: int = Field(
        default=0, description="Which copy of a duplicate stays: that of the highest priority."
    )
    increment: int = Field(
        default=0,
        ge=0,
        description="What is added to a corpus: it is compared with itself and with what was kept of lower "
        "increments, which stands.",
    )
    limit: str | None = Field(
        default=None,
        description="'100k documents' (exactly so many) or '2GB': a sample spread evenly over the files.",
    )

    @field_validator("limit")
    @classmethod
    def _limit_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            Limit.parse(value)
        return value

    def labels(self, name: str) -> Labels:
        """The labels of the documents of the source called `name`."""
        return Labels(name, self.domain or name, self.language, self.license)

    def limited(
        self, files: Mapping[str, Cut], total: int, part_bytes: int, count: CountRecords
    ) -> list[Unit]:
        """The units of files, by their paths, within this source's limit; `total`: the bytes of all files."""
        if self.limit is None:
            return [unit for cut in files.values() for unit in cut(part_bytes)]
        return Limit.parse(self.limit).sample(files, total, part_bytes, count)

    def sampling(self) -> dict[str, Any]:
        """What decides which records a limit leaves, for the source's identity."""
        return {"sampling": limit.VERSION} if self.limit else {}

    def limited_size(self, size: int) -> int:
        """Of `size` bytes those within a limit in bytes; a limit in documents cannot be told in bytes."""
        limit = Limit.parse(self.limit).bytes if self.limit else None
        return size if limit is None else min(size, limit)

    def build(self, name: str, base_folder: Path, contents: "Contents | None" = None) -> Source:
        """The source called `name`; relative paths start at `base_folder`, the recipe's own folder.

        `contents` remembers what files are.
        """
        raise NotImplementedError
