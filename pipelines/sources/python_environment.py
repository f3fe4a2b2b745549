"""The Python installation that runs the program as a source: real code and real prose on every machine.

It consists of distributions: the standard library, called `python`, and whatever is installed beside it.
"""

import importlib.metadata
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources.base import (
    BATCH_BYTES,
    Labels,
    Quarantine,
    Reason,
    Source,
    SourceOptions,
    Unit,
    part_table,
)
from pipelines.sources.content import Contents
from pipelines.sources.fields import line_position, metadata_json
from pipelines.sources.first_records import RECORDS, Refusals
from pipelines.sources.preview import Preview
from pipelines.sources.python_code import docstring_of, documented, is_public, parse_python
from pipelines.sources.schema import PART_SCHEMA

Content = Literal["code", "docstrings", "documentation", "descriptions"]

VERSION = 1
"""To be raised when the same files give other documents."""

_SUFFIXES = {
    "code": (".py",),
    "docstrings": (".py",),
    "documentation": (".rst", ".md", ".txt"),
    "descriptions": (),
}
_SKIPPED_FOLDERS = frozenset(
    ["", "..", "__pycache__", "site-packages", "dist-packages", "test", "tests", "idle_test", "node_modules"]
)
_NO_PROSE = re.compile(
    "(licen[cs]e|copying|notice|authors|third.?party|requirements|cmakelists|grammar)", re.IGNORECASE
)
_INSTALLED_HERE = ("__editable__", "_sysconfigdata")  # files that installers write, with this machine's paths
_TOPICS = "pydoc_data/topics.py"
_STANDARD_LIBRARY = "python"
_LOOKED_INTO = 5  # distributions, for a preview


class PythonEnvironmentConfig(SourceOptions):
    """Code, docstrings, documentation or descriptions of the Python installation that runs the program."""

    reader: Literal["python_environment"]
    content: Content = Field(
        description="code: modules; docstrings: every module's, as prose; documentation: .rst, .md, .txt "
        "files and the language's help topics; descriptions: of the installed distributions."
    )
    distributions: tuple[str, ...] = Field(
        default=("*",),
        description="Names or globs; one that begins with ! excludes. The standard library is `python`.",
    )

    @override
    def build(
        self, name: str, base_folder: Path, contents: Contents | None = None
    ) -> "PythonEnvironmentSource":
        return PythonEnvironmentSource(name, self)


@dataclass(frozen=True)
class PythonEnvironmentSource(Source):
    """One kind of content of the selected distributions."""

    name: str
    config: PythonEnvironmentConfig

    @override
    def identity(self) -> dict[str, Any]:
        """Python's version, and version and size of each distribution that has something to read."""
        distributions = [[chosen.name, chosen.version, sum(sizes)] for chosen, sizes in self._sizes()]
        return {
            "reader": "python_environment",
            "version": VERSION,
            "content": self.config.content,
            "python": platform.python_version(),
            "distributions": distributions,
            **self.config.sampling(),
        }

    @override
    def size(self) -> int:
        """Bytes of the files, or of the descriptions, within the limit."""
        return self.config.limited_size(sum(sum(sizes) for _, sizes in self._sizes()))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """Ranges of a distribution's files; a unit's records are files, `start` and `stop` their numbers."""
        cuts = {chosen.name: partial(self._cut, chosen.name, sizes) for chosen, sizes in self._sizes()}
        total = sum(sum(sizes) for _, sizes in self._sizes())
        return self.config.limited(cuts, total, part_bytes, lambda unit: unit.stop - unit.start)

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        """Documents of a range of files; a blank file has none."""
        chosen = _find(unit.file)
        stop = unit.stop if unit.rows is None else min(unit.stop, unit.start + unit.rows)
        documents: list[tuple[str, str, dict[str, Any]]] = []
        size = 0
        for path, filed in chosen.pieces(self.config.content)[unit.start : stop]:
            found = _documents(chosen, path, filed, self.config.content, quarantine)
            for document_id, text, metadata in found:
                documents.append((document_id, text, metadata))
                size += len(text)
            if size > BATCH_BYTES:
                yield self._table(chosen, documents)
                documents, size = [], 0
        yield self._table(chosen, documents)

    @override
    def preview(self) -> Preview:
        """From the first files of some distributions, evenly spread."""
        units = self.units(sys.maxsize)
        bad = Refusals()
        tables = [PART_SCHEMA.empty_table()]
        files = size = 0
        for unit in units[:: max(1, len(units) // _LOOKED_INTO)]:
            stop = unit.start + min(RECORDS, unit.rows or 0)
            tables.extend(self.read(replace(unit, stop=stop, rows=None), bad))
            files += stop - unit.start
            size += sum(size for _, size in _find(unit.file).pieces(self.config.content)[unit.start : stop])
        documents = pa.concat_tables(tables)
        text = pc.sum(pc.binary_length(documents.column("text"))).as_py() or 0
        whole = sum(unit.bytes for unit in units)
        return Preview(
            documents,
            tuple(bad.shown),
            records=sum(unit.rows or 0 for unit in units) * documents.num_rows // max(1, files),
            text_bytes=whole * text // max(1, size),
            input_bytes=whole,
        )

    def _sizes(self) -> Iterator[tuple["_Distribution", list[int]]]:
        """The distributions that have something to read, and the sizes of it."""
        selected = _installed(self.config.distributions, tuple(sys.path))
        for chosen in selected:
            sizes = [size for _, size in chosen.pieces(self.config.content)]
            if sizes:
                yield chosen, sizes
        if not selected:
            raise UserError(
                f"no installed distribution matches {', '.join(self.config.distributions)}",
                hint="`pip list` shows what is installed; the standard library is called python.",
            )

    def _cut(self, distribution: str, sizes: list[int], part_bytes: int) -> list[Unit]:
        """The units of a distribution whose files have these sizes."""
        units: list[Unit] = []
        start = filled = 0
        for stop, size in enumerate(sizes, 1):
            filled += size
            if filled >= part_bytes or stop == len(sizes):
                rows = stop - start
                units.append(Unit(distribution, self.config.content, start, stop, start, filled, rows=rows))
                start, filled = stop, 0
        return units

    def _table(self, chosen: "_Distribution", documents: list[tuple[str, str, dict[str, Any]]]) -> pa.Table:
        labels = self.config.labels(self.name)
        ids, texts, metadata = zip(*documents, strict=True) if documents else ((), (), ())
        return part_table(
            Labels(labels.source, labels.domain, labels.language, chosen.license or labels.license),
            [f"{self.name}/{document_id}" for document_id in ids],
            list(texts),
            [
                metadata_json({"distribution": chosen.name, "version": chosen.version, **item})
                for item in metadata
            ],
            urls=[chosen.url] * len(ids),
        )


@dataclass(frozen=True)
class _Distribution:
    """What is installed under one name."""

    name: str
    version: str
    license: str | None
    url: str | None
    description: str
    root: Path
    files: tuple[tuple[str, int], ...]
    """Path relative to the root and size of each."""

    def pieces(self, content: Content) -> list[tuple[str, int]]:
        """Path and size of each file that holds such content, sorted; the description counts as a file."""
        if content == "descriptions":
            return [("METADATA", len(self.description))] if self.description.strip() else []
        return sorted(file for file in self.files if _holds(content, file[0]))


@lru_cache(maxsize=8)
def _installed(patterns: tuple[str, ...], path: tuple[str, ...]) -> list[_Distribution]:
    """The selected ones of the standard library and the distributions on the path, sorted by name."""
    found = {_STANDARD_LIBRARY: _standard_library()} if _selected(_STANDARD_LIBRARY, patterns) else {}
    for distribution in importlib.metadata.distributions(path=list(path)):
        name = _normal_name(distribution)
        if name and name not in found and _selected(name, patterns):
            found[name] = _described(distribution)
    return [found[name] for name in sorted(found)]


def _find(name: str) -> _Distribution:
    """The distribution called `name`, without looking at the others."""
    if name == _STANDARD_LIBRARY:
        return _standard_library()
    return _described(importlib.metadata.distribution(name))


@lru_cache(maxsize=1)
def _standard_library() -> _Distribution:
    root = Path(sysconfig.get_path("stdlib"))
    files = tuple(_walk(root))
    return _Distribution(_STANDARD_LIBRARY, platform.python_version(), "PSF-2.0", None, "", root, files)


def _described(distribution: importlib.metadata.Distribution) -> _Distribution:
    metadata: Any = distribution.metadata
    return _Distribution(
        _normal_name(distribution),
        distribution.version,
        _license(metadata),
        metadata.get("Home-page"),
        str(metadata.get_payload() or metadata.get("Description") or ""),
        Path(str(distribution.locate_file(""))),
        tuple((str(file), file.size or 0) for file in distribution.files or ()),
    )


def _normal_name(distribution: importlib.metadata.Distribution) -> str:
    metadata: Any = distribution.metadata  # None or empty if its uninstallation was cut short
    return re.sub(r"[-_.]+", "-", (metadata and metadata.get("Name")) or "").lower()


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        for name in files:
            path = Path(folder, name)
            if path.is_file():  # and no link to nowhere
                yield path.relative_to(root).as_posix(), path.stat().st_size


def _holds(content: Content, path: str) -> bool:
    """Whether a file may hold such content, by its path."""
    if content == "documentation" and path == _TOPICS:
        return True
    *folders, name = path.split("/")
    if not name.endswith(_SUFFIXES[content]) or name.startswith(_INSTALLED_HERE):
        return False
    if not _SKIPPED_FOLDERS.isdisjoint(folders):
        return False
    if content == "documentation":
        return not path.partition("/")[0].endswith((".dist-info", ".egg-info")) and not _NO_PROSE.match(name)
    return True


def _selected(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name matches a pattern, and none of those that exclude."""
    excluding = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    including = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    return _matches_any(name, including) and not _matches_any(name, excluding)


def _matches_any(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _license(metadata: Any) -> str | None:
    """The license expression, else the last words of the license classifiers, else a short license field."""
    if metadata.get("License-Expression"):
        return str(metadata.get("License-Expression"))
    classifiers = metadata.get_all("Classifier") or []
    names = [name.rpartition(" :: ")[2] for name in classifiers if name.startswith("License :: ")]
    named = " AND ".join(name for name in names if name != "OSI Approved")
    written = str(metadata.get("License") or "").strip()
    return named or (written if 0 < len(written) <= 60 and "\n" not in written else None)


def _documents(
    chosen: _Distribution, path: str, size: int, content: Content, quarantine: Quarantine
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Id, text and metadata of the documents of one file of this size."""
    place = f"{chosen.name}/{path}"
    if content == "descriptions":
        yield chosen.name, chosen.description, {}
        return
    if content == "documentation" and path == _TOPICS:
        from pydoc_data.topics import topics

        for topic in sorted(topics):
            yield f"{place}#{topic}", topics[topic], {"topic": topic}
        return
    text = _decoded(chosen.root / path, place, size, quarantine)
    if content == "docstrings" and text.strip():
        text = _module_prose(text, path, place, size, quarantine)
    if text.strip():
        yield place, text, {}


def _decoded(file: Path, place: str, size: int, quarantine: Quarantine) -> str:
    """The file's text, or none where it cannot be had."""
    try:
        data = file.read_bytes()
    except PermissionError:
        quarantine.add(place, "", Reason.PERMISSION, bytes=size)
        return ""
    except OSError as error:
        quarantine.add(place, "", Reason.UNREADABLE, str(error.strerror), bytes=size)
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start)
        byte = data.rfind(b"\n", 0, error.start) + 1
        position = line_position(line, byte)
        quarantine.add(place, position, Reason.INVALID_UTF8, data[byte:], bytes=len(data))
        return ""


def _module_prose(source: str, path: str, place: str, size: int, quarantine: Quarantine) -> str:
    """A module's docstrings below one another, each under the name that it documents."""
    tree = parse_python(source)
    if tree is None:
        quarantine.add(place, "", Reason.INVALID_PYTHON, source, bytes=size)
        return ""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    sections = [f"{module}\n\n{docstring_of(tree)}"] if docstring_of(tree) else []
    for item in documented(tree):
        if is_public(item.qualname):
            sections.append(f"{module}.{item.title}\n\n{item.docstring}")
    return "\n\n\n".join(sections) + "\n" if sections else ""
