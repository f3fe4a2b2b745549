"""Source code from git repositories at a commit: files that people wrote, with their language and licence."""

from __future__ import annotations

import glob
import os
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources.base import Quarantine, Reason, Source, SourceOptions, Unit, batched, part_table
from pipelines.sources.code import choice, dependencies, generated, source_files
from pipelines.sources.code.attributes import Attributes, folder_of
from pipelines.sources.code.choice import Choice
from pipelines.sources.code.choice import Source as SourceCode
from pipelines.sources.code.content import decoded
from pipelines.sources.code.dependencies import Imports, imports_of, in_dependency_order
from pipelines.sources.code.languages import language_called
from pipelines.sources.code.objects import Entry, Repository, is_repository, opened
from pipelines.sources.code.repository_licences import MAX_LICENCE_BYTES, Licences, is_licence_file
from pipelines.sources.code.vendored import is_vendored
from pipelines.sources.content import Contents
from pipelines.sources.fields import metadata_json
from pipelines.sources.first_records import RECORDS, Refusals
from pipelines.sources.licences import texts
from pipelines.sources.licences.spdx import spdx_of_all
from pipelines.sources.listing import printable
from pipelines.sources.passed_over import PassedOver
from pipelines.sources.preview import Preview
from pipelines.sources.schema import PART_SCHEMA

VERSION = 1
"""To be raised when the same commit gives other documents for a reason that no other version here tells."""

MAX_DOCUMENT_BYTES = 16 << 20
"""With `document: repository` a larger repository becomes several documents, cut between files."""

_THREADS = 8
_PREVIEW_BYTES = 1 << 20
_LOOKED_INTO = 5
_MOST_LOOKED_INTO = 50
"""Pieces of so many bytes are looked into for a preview, and at most so many."""


class GitConfig(SourceOptions):
    """A git repository, or a folder of them, at a commit: source code that people wrote."""

    reader: Literal["git"]
    path: str = Field(description="A repository (bare or not), a folder with repositories in it, or a glob.")
    commit: str = Field(default="HEAD", description="What is read: HEAD, a branch, a tag or a hash.")
    languages: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Languages that are read, as github-linguist names them; default: all of programs and "
        "markup.",
    )
    documentation: bool = Field(
        default=False, description="Also documentation, examples and prose such as Markdown."
    )
    document: Literal["file", "repository"] = Field(
        default="file", description="What a document is: a file, or all files of a repository."
    )
    order: Literal["path", "dependencies"] = Field(
        default="path",
        description="How files stand in a repository's document; dependencies: behind what they import.",
    )

    @field_validator("languages")
    @classmethod
    def _languages_are_known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return value and tuple(map(language_called, value))

    @field_validator("commit")
    @classmethod
    def _commit_is_a_name(cls, value: str) -> str:
        if not value or value.startswith("-") or not value.isprintable():
            raise ValueError(f"{value!r} is not the name of a commit: HEAD, a branch, a tag or a hash")
        return value

    @model_validator(mode="after")
    def _order_has_an_effect(self) -> GitConfig:
        if self.order == "dependencies" and self.document == "file":
            raise ValueError("`order` says how files stand in a document: set `document: repository`")
        return self

    @property
    def choice(self) -> Choice:
        """Which files are read."""
        languages = None if self.languages is None else frozenset(self.languages)
        return Choice(languages, self.documentation)

    @override
    def build(self, name: str, base_folder: Path, contents: Contents | None = None) -> GitSource:
        if "://" in self.path:
            raise UserError(
                f"{self.path}: the reader `git` reads repositories on this machine",
                hint="Clone it (`git clone --bare`) and give the folder as `path`.",
            )
        return GitSource(name, self, str(base_folder / os.path.expanduser(self.path)))


class _Listed(NamedTuple):
    sizes: array[int]
    """Bytes of the files that may be source code by their paths."""
    others: list[PassedOver]


class _Found(NamedTuple):
    name: str
    """Path below the source's root; of a single repository its folder's name."""
    location: Path
    commit: str


@dataclass(frozen=True)
class GitSource(Source):
    """The repositories that a path stands for, each at one commit."""

    name: str
    config: GitConfig
    pattern: str

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: its task names the repository and the commit."""
        return {"name": self.name, "config": self.config, "pattern": self.pattern}

    @override
    def identity(self) -> dict[str, Any]:
        """Names and commits of the repositories, and what is chosen of them."""
        asked = self.config.model_dump(include={"languages", "documentation", "document", "order"})
        versions = {
            "version": VERSION,
            "choice": choice.VERSION,
            "generated": generated.VERSION,
            "licence_texts": texts.VERSION,
            **source_files.versions(),
        }
        if self.config.order == "dependencies":
            versions["order"] = dependencies.VERSION
        found = [[each.name, each.commit] for each in self._repositories]
        return {
            "reader": "git",
            "versions": versions,
            "repositories": found,
            **asked,
        } | self.config.sampling()

    @override
    def size(self) -> int:
        """Bytes of the files that may be source code by their paths, within the limit."""
        return self.config.limited_size(sum(sum(listed.sizes) for listed in self._listed.values()))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """Ranges of a repository's files by number; the repository as a whole where that is the document."""
        cuts = {
            found.name: lambda size, found=found: self._cut(found, size)  # type: ignore[misc]
            for found in self._repositories
        }
        total = sum(sum(listed.sizes) for listed in self._listed.values())
        return self.config.limited(cuts, total, part_bytes, self._count)

    @override
    def passed_over(self) -> list[PassedOver]:
        """What is no source code by its path; what its content says is counted as it is read."""
        listed = [each for listed in self._listed.values() for each in listed.others]
        without = sorted(self._locations.keys() - self._listed.keys())
        return _together([*listed, *_by_kind(("repository without a commit", name) for name in without)])

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        """Documents of a range of files, or of a repository."""
        location = self._locations[unit.file]
        with opened(location) as repository:
            reading = _Reading(self.name, self.config, location, repository, unit, quarantine)
            tables = reading.files() if self.config.document == "file" else reading.documents()
            yield from batched(_up_to(tables, unit.rows, quarantine))

    @override
    def preview(self) -> Preview:
        """From some pieces of the source, evenly spread, and further ones while they hold no document."""
        units = self.units(sys.maxsize if self.config.document == "repository" else _PREVIEW_BYTES)
        step = max(1, len(units) // _LOOKED_INTO)
        bad = Refusals()
        documents = PART_SCHEMA.empty_table()
        seen = 0
        for unit in [unit for first in range(step) for unit in units[first::step]][:_MOST_LOOKED_INTO]:
            if documents.num_rows and seen >= _LOOKED_INTO * min(_PREVIEW_BYTES, unit.bytes):
                break
            documents = pa.concat_tables([documents, *self.read(unit, bad)])
            seen += unit.bytes
        whole = sum(unit.bytes for unit in units)
        text = pc.sum(pc.binary_length(documents.column("text"))).as_py() or 0
        rest = 1 if seen < whole else 0  # nobody knows what else there is
        return Preview(
            documents.slice(0, RECORDS),
            tuple(bad.shown),
            records=max(rest, whole * (documents.num_rows + bad.number) // max(1, seen)),
            text_bytes=whole * text // max(1, seen),
            input_bytes=whole,
        )

    def _count(self, unit: Unit) -> int:
        lost = Quarantine(write=lambda _: None)
        return sum(int(table.num_rows) for table in self.read(unit, lost)) + lost.lost_records

    def _cut(self, found: _Found, part_bytes: int) -> list[Unit]:
        sizes = self._listed[found.name].sizes
        if self.config.document == "repository":
            part_bytes = sys.maxsize
        units: list[Unit] = []
        mean = sum(sizes) // max(1, len(sizes))
        start = filled = 0
        for stop, size in enumerate(sizes, 1):
            filled += size
            if filled >= part_bytes or stop == len(sizes):
                unit = Unit(found.name, "git", start, stop, start, filled, content=found.commit)
                units.append(replace(unit, mean_file=mean))
                start, filled = stop, 0
        return units

    @cached_property
    def _locations(self) -> dict[str, Path]:
        return dict(repositories_at(self.pattern))

    @cached_property
    def _repositories(self) -> list[_Found]:
        def resolve(place: tuple[str, Path]) -> str | None:
            with opened(place[1]) as repository:
                return repository.resolve(self.config.commit)

        with ThreadPoolExecutor(_THREADS) as pool:
            commits = list(pool.map(resolve, self._locations.items()))
        found = [
            _Found(name, location, commit)
            for (name, location), commit in zip(self._locations.items(), commits, strict=True)
            if commit is not None
        ]
        missing = sorted(self._locations.keys() - {each.name for each in found})
        if not found or (missing and self.config.commit != "HEAD"):
            raise UserError(
                f"there is no commit {self.config.commit}",
                file=printable(str(self._locations[missing[0]])),
                hint="Name a branch, a tag or a hash that every repository has, or fetch it.",
            )
        return found

    @cached_property
    def _listed(self) -> dict[str, _Listed]:
        """What each repository holds, by the paths of its files."""

        def listed(found: _Found) -> _Listed:
            with opened(found.location) as repository:
                tree = _Tree(repository, found.commit, self.config.choice)
            sizes = array("q", (entry.size or 0 for entry in tree.candidates))
            return _Listed(sizes, _by_kind((kind, f"{found.name}/{path}") for kind, path in tree.others))

        with ThreadPoolExecutor(_THREADS) as pool:
            names = [found.name for found in self._repositories]
            return dict(zip(names, pool.map(listed, self._repositories), strict=True))


def repositories_at(pattern: str) -> Iterator[tuple[str, Path]]:
    """Name and place of each repository that a path, a folder or a glob stands for, sorted.

    Folders are looked through down to repositories, not into them; hidden folders and links are passed by.

    Raises:
        UserError: there is none.
    """
    path = Path(pattern)
    if is_repository(path):
        yield path.resolve().name, path
        return
    root = path if path.is_dir() else Path(os.path.dirname(pattern[: _first_magic(pattern)]))
    starts = [path] if path.is_dir() else sorted(map(Path, glob.glob(pattern, recursive=True)))
    found = {location for start in starts if start.is_dir() for location in _below(start)}
    if not found:
        raise UserError(
            "there is no git repository",
            file=printable(pattern),
            hint="Give a repository, a folder with repositories in it, or a glob; the reader `files` reads "
            "source code that is in no repository.",
        )
    for location in sorted(found):
        yield printable(location.relative_to(root).as_posix()), location


def _first_magic(pattern: str) -> int:
    return next((index for index, letter in enumerate(pattern) if letter in "*?["), len(pattern))


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, _ in os.walk(folder):
        if is_repository(Path(place)):
            folders.clear()
            yield Path(place)
        else:
            folders[:] = sorted(name for name in folders if not name.startswith("."))


class _Tree:
    """What a commit holds: the files that may be source code by their paths, and what is said of files."""

    def __init__(self, repository: Repository, commit: str, chosen: Choice) -> None:
        entries = list(repository.entries(commit))
        settings = [entry for entry in entries if os.path.basename(entry.path) == ".gitattributes"]
        self.attributes = Attributes((folder_of(path), text) for path, text in _texts(repository, settings))
        self._licence_files = [
            entry for entry in entries if is_licence_file(entry.path) and not is_vendored(entry.path)
        ]
        self.candidates: list[Entry] = []
        self.others: list[tuple[str, str]] = []
        """Kind and path of what is not read."""
        for entry in entries:
            kind = (
                "licence"
                if is_licence_file(entry.path)
                else chosen.unread_by_path(entry, self.attributes.of(entry.path))
            )
            if kind is None:
                self.candidates.append(entry)
            else:
                self.others.append((kind, printable(entry.path)))

    def licences(self, repository: Repository) -> Licences:
        """The licences of the repository's folders."""
        return Licences(_texts(repository, self._licence_files))


@lru_cache(maxsize=1)
def _tree_and_licences(location: Path, commit: str, chosen: Choice) -> tuple[_Tree, Licences]:
    """What a worker needs to know for each of a repository's units, which mostly follow one another."""
    with opened(location) as repository:
        tree = _Tree(repository, commit, chosen)
        return tree, tree.licences(repository)


def _texts(repository: Repository, entries: list[Entry]) -> Iterator[tuple[str, str]]:
    """Paths and texts of the files that are small texts."""
    small = [
        entry
        for entry in entries
        if entry.kind is None and (entry.size or 0) in range(1, MAX_LICENCE_BYTES + 1)
    ]
    for entry, content in repository.contents(small):
        if content and (text := decoded(content)):
            yield entry.path, text.text


class _Reading:
    """Documents of a unit."""

    def __init__(
        self,
        name: str,
        config: GitConfig,
        location: Path,
        repository: Repository,
        unit: Unit,
        quarantine: Quarantine,
    ) -> None:
        assert unit.content is not None, "units are of a commit"
        self._config = config
        self._labels = config.labels(name)
        self._repository = repository
        self._unit = unit
        self._commit = unit.content
        self._quarantine = quarantine
        self._tree, self._licences = _tree_and_licences(location, self._commit, config.choice)
        self._url = repository.origin
        self._entries = self._tree.candidates[unit.start : unit.stop]

    def files(self) -> Iterator[pa.Table]:
        """A document for each file."""
        for entry, source in self._sources(counted=True):
            metadata = {"path": printable(entry.path), "programming_language": source.language.name}
            if source.text.encoding != "utf-8":
                metadata["encoding"] = source.text.encoding
            yield self._table(
                f"{self._unit.file}/{printable(entry.path)}",
                source.text.text,
                metadata,
                self._licence(entry, source),
            )

    def documents(self) -> Iterator[pa.Table]:
        """The repository's files below their paths, in as few documents as MAX_DOCUMENT_BYTES allows."""
        waiting: list[tuple[Entry, SourceCode]] = []
        filled = number = 0
        for entry, source in self._ordered():
            size = entry.size or 0
            if waiting and filled + size > MAX_DOCUMENT_BYTES:
                yield self._document(number, waiting)
                waiting, filled, number = [], 0, number + 1
            waiting.append((entry, source))
            filled += size
        if waiting:
            yield self._document(number, waiting)

    def _document(self, number: int, files: list[tuple[Entry, SourceCode]]) -> pa.Table:
        text = "\n".join(f"==> {printable(entry.path)} <==\n\n{source.text.text}" for entry, source in files)
        languages = Counter(source.language.name for _, source in files)
        licences = [self._licence(entry, source) for entry, source in files]
        known = [licence for licence in licences if licence is not None]
        return self._table(
            f"{self._unit.file}:{number}",
            text,
            {"files": len(files), "programming_languages": dict(languages.most_common())},
            spdx_of_all(known) if len(known) == len(licences) else None,
        )

    def _ordered(self) -> Iterator[tuple[Entry, SourceCode]]:
        if self._config.order == "path":
            yield from self._sources(counted=True)
            return
        # Read twice, so that the texts of a large repository need not be in memory together.
        imports: list[Imports] = [
            imports_of(entry.path, source.language.name, source.text.text)
            for entry, source in self._sources(counted=True)
        ]
        entries = {entry.path: entry for entry in self._entries}
        self._entries = [entries[path] for path in in_dependency_order(imports)]
        yield from self._sources(counted=False)

    def _sources(self, counted: bool) -> Iterator[tuple[Entry, SourceCode]]:
        """The files of the unit that are read; the others are counted by kind, unless they were before."""
        for entry, content in self._repository.contents(self._entries):
            if content is None:
                if counted:
                    self._set_aside(entry)
                continue
            found = self._config.choice.read(entry.path, content, self._tree.attributes.of(entry.path))
            if not isinstance(found, str):
                yield entry, found
            elif counted:
                self._pass_over(found, entry.path)

    def _pass_over(self, kind: str, path: str) -> None:
        self._quarantine.pass_over(kind, f"{self._unit.file}/{printable(path)}")

    def _set_aside(self, entry: Entry) -> None:
        place = f"{self._unit.file}/{printable(entry.path)}"
        why = f"object {entry.object} is missing or damaged"
        self._quarantine.add(place, "", Reason.UNREADABLE, why, bytes=entry.size or self._unit.mean_file)

    def _licence(self, entry: Entry, source: SourceCode) -> str | None:
        return source_files.header_licence(source.text.text) or self._licences.of(entry.path)

    def _table(self, place: str, text: str, metadata: dict[str, Any], licence: str | None) -> pa.Table:
        return part_table(
            self._labels,
            [source_files.document_id(self._labels, place)],
            [text],
            [metadata_json({"repo": self._unit.file, "commit": self._commit, **metadata})],
            urls=[self._url],
            licenses=[licence],
        )


def _by_kind(found: Iterable[tuple[str, str]]) -> list[PassedOver]:
    counted: dict[str, PassedOver] = {}
    for kind, path in found:
        earlier = counted.get(kind, PassedOver(kind, 0, path))
        counted[kind] = earlier._replace(files=earlier.files + 1)
    return list(counted.values())


def _together(found: Iterable[PassedOver]) -> list[PassedOver]:
    """The sum by kind, the most frequent first."""
    counted: dict[str, PassedOver] = {}
    for each in found:
        earlier = counted.get(each.kind, each._replace(files=0))
        counted[each.kind] = earlier._replace(files=earlier.files + each.files)
    return sorted(counted.values(), key=lambda each: (-each.files, each.kind))


def _up_to(tables: Iterator[pa.Table], rows: int | None, quarantine: Quarantine) -> Iterator[pa.Table]:
    """The first records, those that were set aside included."""
    before = quarantine.lost_records
    read = 0
    while rows is None or read + quarantine.lost_records - before < rows:
        table = next(tables, None)
        if table is None:
            return
        read += table.num_rows
        yield table
