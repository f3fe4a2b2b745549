"""Every answer of a model, stored as it comes: what was answered once is never asked again.

A folder holds a file `NAME.jsonl` of each task or trial, to which a line is added for each answer in one
write. A line begins with its key and a check of the rest, both at a fixed place: opening the folder reads
keys without parsing lines, and a line that is torn or changed counts as none.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import xxhash

from mixers.printable import storable
from pipelines.errors import WorkError
from pipelines.execution.growing_file import GrowingFile
from pipelines.synthesis.asking.answer_index import AnswerIndex, Digits, Offsets

_KEY = slice(8, 40)
_CHECK = slice(51, 67)
_REST = slice(69, None)
_HEAD = b'{"key":"%s","check":"%s",'
_BLOCK = 8 * 1024 * 1024
_FIRST_READ = 16 * 1024
_OPEN_FILES = 64
_OWN = 0
"""The number of the file that is added to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """What a model said to one question, and when."""

    model: str
    prompt: str
    """The name of the prompt."""
    prompt_hash: str
    passage: str
    """The id of the passage that was asked about first."""
    draw: int
    text: str
    """As it came, thoughts included."""
    finish_reason: str
    input_tokens: int
    output_tokens: int
    began: float
    ended: float
    """Seconds since the epoch."""


class Answers:
    """The answers in a folder, of which one file is added to. One process at a time adds to a file.

    About 24 bytes of memory an answer. Raises WorkError where the folder cannot be read.

    Args:
        folder: Where the files are; it is made with the first answer.
        name: The file that is added to, without its ending.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._own = folder / f"{name}.jsonl"
        self._paths = [self._own, *(path for path in _files(folder) if path != self._own)]
        self._index = AnswerIndex(
            (keys, number, offsets)
            for number, path in enumerate(self._paths)
            for keys, offsets in _keys(path)
        )
        self._reading: dict[int, int] = {}
        self._writing = GrowingFile(self._own)

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; what was added is on the disk then. Raises WorkError where it is not."""
        for descriptor in self._reading.values():
            os.close(descriptor)
        self._reading.clear()
        try:
            self._writing.close()
        except OSError as error:
            raise _unwritable(self._own, error) from error

    def get(self, key: str) -> StoredAnswer | None:
        """The answer of a key of 32 hexadecimal digits, or None. Raises WorkError where it cannot be read."""
        for number, offset in self._index.places(key):
            if (found := _parse(self._line(number, offset))) and found[0] == key:
                return found[1]
        return None

    def add(self, key: str, answer: StoredAnswer) -> None:
        """Store an answer. Raises WorkError where it cannot be."""
        try:
            offset = self._writing.add(_line_of(key, answer))
        except OSError as error:
            raise _unwritable(self._own, error) from error
        self._index.add(key, _OWN, offset)

    def _line(self, number: int, offset: int) -> bytes:
        try:
            descriptor = self._reading.get(number)
            if descriptor is None:
                if len(self._reading) == _OPEN_FILES:
                    os.close(self._reading.pop(next(iter(self._reading))))
                descriptor = self._reading[number] = os.open(self._paths[number], os.O_RDONLY)
            return _line_at(descriptor, offset)
        except OSError as error:
            raise _unreadable(self._paths[number], error) from error


class Usage(NamedTuple):
    """What the answers in files took."""

    answers: int
    input_tokens: int
    output_tokens: int
    busy_seconds: float
    """How long at least one question was under way."""


def usage(paths: Iterable[Path]) -> Usage:
    """What the answers in files took, all files together. Raises WorkError where one cannot be read."""
    inputs = outputs = 0
    began, ended = array("d"), array("d")
    for path in paths:
        for answer in stored_answers(path):
            inputs += answer.input_tokens
            outputs += answer.output_tokens
            began.append(answer.began)
            ended.append(answer.ended)
    return Usage(len(began), inputs, outputs, busy_seconds(np.array(began), np.array(ended)))


def stored_answers(path: Path) -> Iterator[StoredAnswer]:
    """The answers in a file in the order of their coming. Raises WorkError where it cannot be read."""
    try:
        with path.open("rb") as file:
            for line in file:
                if found := _parse(line):
                    yield found[1]
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from error


def busy_seconds(began: np.ndarray[Any, Any], ended: np.ndarray[Any, Any]) -> float:
    """The length of the union of intervals."""
    if not len(began):
        return 0.0
    order = np.argsort(began, kind="stable")
    began, ended = began[order], np.maximum.accumulate(ended[order])
    idle = np.maximum(began[1:] - ended[:-1], 0).sum()
    return float(max(ended[-1] - began[0] - idle, 0))


def _line_of(key: str, answer: StoredAnswer) -> bytes:
    try:
        written = orjson.dumps(answer)
    except TypeError:  # half characters, as names of files can have
        values = asdict(answer).items()
        written = orjson.dumps({name: storable(v) if isinstance(v, str) else v for name, v in values})
    rest = written[1:] + b"\n"
    return _HEAD % (key.encode(), _check(key.encode(), rest)) + rest


def _check(key: bytes, rest: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(key + rest).encode()


def _parse(line: bytes) -> tuple[str, StoredAnswer] | None:
    """Key and answer of a line, None where it is torn or changed."""
    key, check, rest = line[_KEY], line[_CHECK], line[_REST]
    if line[: _REST.start] != _HEAD % (key, check) or check != _check(key, rest):
        return None
    value = orjson.loads(line)
    try:
        return key.decode(), StoredAnswer(**{field.name: value[field.name] for field in fields(StoredAnswer)})
    except KeyError:  # of another version
        return None


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(".jsonl"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error


def _keys(path: Path) -> Iterator[tuple[Digits, Offsets]]:
    """The keys of a file's lines and where the lines begin, a block at a time."""
    tail, start, begins = b"", 0, True
    for block in _blocks(path):
        data = np.frombuffer(tail + block, np.uint8)
        lines = np.flatnonzero(data == ord("\n")) + 1
        if begins:
            lines = np.concatenate(([0], lines))
        there = lines[lines <= len(data) - _REST.start]
        heads = data[there[:, None] + np.arange(_KEY.stop)]
        is_answer = (heads[:, : _KEY.start] == np.frombuffer(_HEAD[: _KEY.start], np.uint8)).all(axis=1)
        yield heads[is_answer][:, _KEY], start + there[is_answer]
        begins = len(there) < len(lines)
        cut = int(lines[len(there)]) if begins else len(data)
        tail = data[cut:].tobytes()
        start += cut


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from error


def _line_at(descriptor: int, offset: int) -> bytes:
    parts, size = [], _FIRST_READ
    while part := os.pread(descriptor, size, offset):
        end = part.find(b"\n") + 1
        parts.append(part[:end] if end else part)
        if end:
            break
        offset += len(part)
        size *= 2
    return b"".join(parts)


def _unreadable(path: Path, error: OSError) -> WorkError:
    return WorkError(
        f"answers of the model cannot be read: {error.strerror}",
        file=str(path),
        hint="Make it readable, or remove it; what it holds is then asked again.",
    )


def _unwritable(path: Path, error: OSError) -> WorkError:
    return WorkError(
        f"answers of the model cannot be stored: {error.strerror}",
        file=str(path),
        hint="Make room and give leave to write there, then run again: what is stored is not asked again.",
    )
