"""CoNLL-U, the treebanks of Universal Dependencies: the texts that were annotated.

A document begins at `# newdoc`; a file without that is one document. Format:
https://universaldependencies.org/format.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.sources.base import Quarantine, Reason, Unit, stored_bytes
from pipelines.sources.compressed import Stream, broken, lost_behind, open_stream, stored_rate
from pipelines.sources.documents.records import DESCRIBED
from pipelines.sources.fields import FieldMap, documents_from_records, line_position
from pipelines.sources.lines import BYTE_ORDER_MARK, MAX_RECORD_BYTES, line_chunks
from pipelines.sources.listing import InputFile

_COLUMNS = 10


def conllu_units(file: InputFile, part_bytes: int) -> list[Unit]:
    """The whole file."""
    return [Unit(file.path, "conllu", 0, file.size, 0, file.size, rows=None if file.size else 0)]


def count_conllu(file: InputFile) -> int:
    """Number of documents."""
    with open_stream(file) as stream:
        return sum(1 for _ in _documents(stream))


def read_conllu(
    file: InputFile, unit: Unit, field_map: FieldMap, quarantine: Quarantine
) -> Iterator[pa.Table]:
    """The documents; one with a line that is none of CoNLL-U is set aside, and the next one goes on."""
    described = FieldMap(field_map.labels, DESCRIBED)
    with open_stream(file) as stream:
        end = 0
        for row, document in enumerate(_documents(stream)):
            if unit.rows is not None and row == unit.rows:
                return
            if broken(stream) and document.is_last:
                break
            end = document.byte + document.size
            lost = stored_bytes(document.byte, document.size, stored_rate(stream))
            if document.fault is not None:
                reason, line, byte, sample = document.fault
                quarantine.add(file.path, line_position(line, byte), reason, sample, bytes=lost)
                continue
            record = (row, document.line, document.byte, document.size, document.record())
            yield documents_from_records([record], described, file.path, quarantine, stored_rate(stream))
        how = broken(stream)
        if how is not None:
            lost = lost_behind(stream, unit, end)
            quarantine.add(file.path, f"from byte {end} on", how, bytes=lost, records=None)


@dataclass
class _Sentence:
    """What was read of a sentence."""

    begins_paragraph: bool = False
    text: str | None = None
    identifier: str | None = None
    forms: list[str] = field(default_factory=list)
    covered_to: int = 0
    """The last word of the last token of several words."""

    def written(self) -> str:
        """Its text, as a comment says it or put together from its tokens."""
        return self.text if self.text is not None else "".join(self.forms).strip()


@dataclass
class _Document:
    """What was read of a document."""

    line: int
    byte: int
    size: int = 0
    identifier: str | None = None
    comments: dict[str, str] = field(default_factory=dict)
    sentences: list[_Sentence] = field(default_factory=list)
    fault: tuple[Reason, int, int, bytes] | None = None
    is_last: bool = False
    """Whether the file ends with it."""

    def record(self) -> dict[str, Any]:
        """Text, identifier and what the comments say."""
        has_paragraphs = any(sentence.begins_paragraph for sentence in self.sentences)
        text = ""
        for sentence in self.sentences:
            if text:
                text += "\n\n" if sentence.begins_paragraph else " " if has_paragraphs else "\n"
            text += sentence.written()
        ids = [sentence.identifier for sentence in self.sentences if sentence.identifier]
        record: dict[str, Any] = {"text": text, **self.comments, "sentences": len(self.sentences)}
        if self.identifier:
            record["id"] = self.identifier
        if ids:
            record |= {"first_sent_id": ids[0], "last_sent_id": ids[-1]}
        return record


def _documents(stream: Stream) -> Iterator[_Document]:
    document = _Document(0, 0)
    sentence: _Sentence | None = None
    paragraph = False
    for number, byte, data in _lines(stream):
        size = len(data)
        if data.startswith(b"# newdoc") and data[8:9] in (b"", b" ", b"\t", b"\r", b"\n"):
            if document.sentences or document.fault:
                yield document
            document, sentence, paragraph = _Document(number, byte), None, False
            document.identifier = _value(data)
        document.size += size
        if document.fault is not None:
            continue
        try:
            line = data.decode().strip("\r\n")
        except UnicodeDecodeError:
            document.fault = (Reason.INVALID_UTF8, number, byte, data)
            continue
        if document.size > MAX_RECORD_BYTES:
            document.fault = (Reason.TOO_LARGE, number, byte, data)
        elif not line.strip():
            sentence = None
        elif line.startswith("# newpar"):
            paragraph = True
        elif line.startswith("# newdoc"):
            pass
        elif line.startswith("#"):
            sentence = _comment(line, document, sentence, paragraph)
            paragraph = paragraph and sentence is None
        else:
            if sentence is None or not document.sentences or document.sentences[-1] is not sentence:
                sentence = sentence or _Sentence(paragraph)
                paragraph = False
                document.sentences.append(sentence)
            if not _token(line, sentence):
                document.fault = (Reason.INVALID_CONLLU, number, byte, data)
    document.is_last = True
    if document.sentences or document.fault:
        yield document


def _comment(line: str, document: _Document, sentence: _Sentence | None, paragraph: bool) -> _Sentence | None:
    """Take what a comment says of the document or of the sentence that begins."""
    key, _, value = line[1:].partition("=")
    key, value = key.strip(), value.strip()
    if key in ("text", "sent_id"):
        sentence = sentence or _Sentence(paragraph)
        if key == "text":
            sentence.text = value
        else:
            sentence.identifier = value
    elif sentence is None and not document.sentences and key not in ("id", "text") and value:
        document.comments[key] = value
    return sentence


def _token(line: str, sentence: _Sentence) -> bool:
    """Take a token; False if the line is none."""
    columns = line.split("\t")
    if len(columns) != _COLUMNS:
        return False
    number, form, misc = columns[0], columns[1], columns[9]
    first, _, last = number.partition("-")
    if last.isdigit() and first.isdigit():
        sentence.covered_to = int(last)
    elif not number.isdigit():
        return "." in number  # an empty node, which is not in the text
    elif int(number) <= sentence.covered_to:
        return True
    sentence.forms.append(form if "SpaceAfter=No" in misc.split("|") else f"{form} ")
    return True


def _value(data: bytes) -> str | None:
    return data.decode("utf-8", "replace").partition("=")[2].strip() or None


def _lines(stream: Stream) -> Iterator[tuple[int, int, bytes]]:
    """The number, place and bytes of each line, with its end."""
    number = 0
    for chunk in line_chunks(stream):
        byte = chunk.offset
        for line in chunk.data.removeprefix(BYTE_ORDER_MARK).splitlines(keepends=True):
            yield number, byte, line
            number += 1
            byte += len(line)
