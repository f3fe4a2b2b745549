"""What was published of runs: how it lies there, and how it is read back and checked.

Each result lies in a folder that its content names, and never changes there. `published.json` says which
folders are the run's: it is written last, so whoever reads it finds all that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import xxhash
from pydantic import BaseModel, ConfigDict, ValidationError

from mixers.files import hash_file
from mixers.shard_index import INDEX_FILE, LEDGER_FILE, ShardError
from pipelines.errors import UserError, WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.manifest import Damaged, FileRecord, unsealed
from pipelines.sources.remote.copies import AT_ONCE, BLOCK, copied, local_copy
from pipelines.sources.remote.file import open_remote
from pipelines.sources.remote.places import find_remote
from pipelines.sources.remote.secrets import masked, require_no_secret

POINTER = "published.json"
SHARDS = "shards"
TOKENIZER = "tokenizer"
REPORT = "report"
MOST_LEVELS = 3
"""Folders of a URL in which a pointer is looked for: PREFIX/shards/NAME has it two above."""


class PublishedResult(BaseModel):
    """A result of a run: the folder that its content names, and the files there."""

    model_config = ConfigDict(extra="forbid")

    folder: str
    files: list[FileRecord]

    @classmethod
    def of(cls, name: str, files: Iterable[FileRecord]) -> PublishedResult:
        """The result called `name`."""
        ordered = sorted(files, key=lambda file: file.name)
        content = fingerprint([[file.name, file.hash] for file in ordered])
        return cls(folder=f"{name}/{content[:16]}", files=ordered)


class Publication(BaseModel):
    """What `published.json` holds."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    recipe: str
    """The recipe's name: another's results are not put in the place of these."""
    results: dict[str, PublishedResult]
    """By their paths in the run's folder, such as `shards/stage1`."""


def read_publication(url: str) -> Publication | None:
    """What was published at a URL; None where nothing was.

    Raises:
        UserError: Nothing reads such URLs, or they may not be read.
        WorkError: The store cannot be asked.
        Damaged: `published.json` is not what was written.
    """
    pointer = f"{url}/{POINTER}"
    try:
        with open_remote(pointer) as file:
            content = file.read()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise UserError(masked(str(error)), hint="Check the credentials of the store.") from error
    try:
        return Publication.model_validate(unsealed(content, masked(pointer)))
    except ValidationError as error:
        raise Damaged("is of another version", file=masked(pointer)) from error


@dataclass(frozen=True)
class PublishedRun:
    """A publication and where it lies."""

    url: str
    publication: Publication

    def copy(self, name: str, only: Iterable[str] | None = None) -> Path:
        """A local copy of a result, or of some files of it, that has the bytes which were published."""
        result = self.publication.results[name]
        wanted = None if only is None else set(only)
        files = {file.name: file for file in result.files if wanted is None or file.name in wanted}
        where = f"{self.url}/{result.folder}"
        fetches = {file.name: partial(_fetch, where, file) for file in files.values()}
        sizes = {file.name: file.bytes for file in files.values()}
        return copied(f"{where} {sorted(files)}", sizes, fetches)

    def missing(self, name: str) -> list[str]:
        """The files of a result that are not there, or have another size, as the store lists them."""
        result = self.publication.results[name]
        where = f"{self.url}/{result.folder}"
        there = {file.path: file.size for file in find_remote(where)}
        return [f"{where}/{file.name}" for file in result.files if there.get(file.name) != file.bytes]

    def damages(self) -> Iterator[tuple[str, str]]:
        """Each file that is not what was published, and how. Reads all."""
        files = [
            (f"{self.url}/{result.folder}/{file.name}", file)
            for result in self.publication.results.values()
            for file in result.files
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for (url, _), what in zip(files, pool.map(lambda each: _damage(*each), files), strict=True):
                if what is not None:
                    yield url, what

    def require(self, name: str) -> None:
        """Raise UserError where the run published no such result."""
        if name not in self.publication.results:
            there = ", ".join(self.publication.results)
            raise UserError(f"there is no {name}", file=masked(self.url), hint=f"Published are: {there}.")


def find_published(url: str) -> tuple[PublishedRun, str] | None:
    """The run that a URL is of, and what of it the URL names: `shards/stage1`, or nothing.

    None where no run was published there.

    Raises as `read_publication` does.
    """
    require_no_secret(url)
    above, below = url.rstrip("/"), ""
    for _ in range(MOST_LEVELS):
        if (publication := read_publication(above)) is not None:
            return PublishedRun(above, publication), below
        above, _, name = above.rpartition("/")
        below = f"{name}/{below}".rstrip("/")
        if above.endswith(":/"):
            break
    return None


def published_run(url: str) -> PublishedRun:
    """The run that was published at a URL. Raises UserError where there is none."""
    found = find_published(url)
    if found is None or found[1]:
        raise no_publication(url)
    return found[0]


def shards_copy(url: str) -> Path:
    """A checked local copy of a folder of shards, published by a run or copied there by somebody.

    Raises:
        UserError: There are no shards.
        WorkError: They cannot be fetched, or are not what was written.
    """
    found = find_published(url)
    if found is not None:
        run, name = found
        _require_shards(run, name)
        return run.copy(name)
    if not any(file.path == INDEX_FILE for file in find_remote(url)):
        raise no_publication(url)
    folder = local_copy(url)
    _check_shards(folder, url)
    return folder


def account_copy(url: str) -> Path:
    """The same of index and ledger alone; that the other files are there, the store's listing says."""
    found = find_published(url)
    if found is not None:
        run, name = found
        _require_shards(run, name)
        if missing := run.missing(name):
            raise WorkError("is missing, or has another size", file=masked(missing[0]), hint=AGAIN)
        return run.copy(name, (INDEX_FILE, LEDGER_FILE))
    return shards_copy(url)


AGAIN = "Publish the run again: what is missing there is sent."


def no_publication(url: str) -> UserError:
    """What to say of a URL where no run was published."""
    return UserError(
        "no run was published here",
        file=masked(url),
        hint=f"Give the address that `coupage publish RUN ADDRESS` was given, which holds {POINTER}.",
    )


def _require_shards(run: PublishedRun, name: str) -> None:
    if not name.startswith(f"{SHARDS}/"):
        there = [each for each in run.publication.results if each.startswith(f"{SHARDS}/")]
        raise UserError(
            "this is a published run, not a folder of its shards",
            file=masked(run.url),
            hint=f"Give one of: {', '.join(f'{masked(run.url)}/{each}' for each in there)}.",
        )
    run.require(name)


def _check_shards(folder: Path, url: str) -> None:
    from mixers.shards import Shards

    try:
        Shards.open(folder).verify()
    except ShardError as error:
        raise WorkError(str(error), file=masked(url)) from error


def _fetch(where: str, file: FileRecord, path: Path) -> None:
    url = f"{where}/{file.name}"
    try:
        with open_remote(url) as source, path.open("wb") as target:
            while block := source.read(BLOCK):
                target.write(block)
    except FileNotFoundError as error:
        raise Damaged("is missing", file=masked(url), hint=AGAIN) from error
    if hash_file(path) != file.hash:
        raise Damaged("is not what was published: its hash is another", file=masked(url), hint=AGAIN)


def _damage(url: str, file: FileRecord) -> str | None:
    """How a file there differs from what was published."""
    try:
        found = remote_hash(url)
    except FileNotFoundError:
        return "is missing"
    return None if found == file.hash else "is not what was published: its hash is another"


def remote_hash(url: str) -> str:
    """The hash of a file elsewhere, as `hash_file` has it. Reads it."""
    digest = xxhash.xxh3_128()
    with open_remote(url) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
