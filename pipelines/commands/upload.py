"""`coupage publish`: the results of a finished run in an object store, whole for whoever reads them there.

An object store renames nothing, so nothing is renamed: every result lies in a folder that its content names,
of shards the index goes last, and `published.json`, which names the folders, last of all. What is there
already is not sent again, so an interrupted publication goes on, and a second one changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich.progress
import xxhash
from rich.console import Console

from mixers.shard_index import INDEX_FILE
from pipelines.commands.console import SILENT, PlainConsole, is_redrawn
from pipelines.commands.published import (
    POINTER,
    REPORT,
    Publication,
    PublishedResult,
    read_publication,
    remote_hash,
)
from pipelines.errors import UserError, WorkError
from pipelines.execution.lock import only_run_in
from pipelines.execution.manifest import Damaged, FileRecord, sealed_bytes
from pipelines.execution.seal import RUN_SEAL, SENT_FILES, RunRecord, no_run, read_run
from pipelines.recipe.recipe import Recipe
from pipelines.sources.remote.attempts import persistently, translated
from pipelines.sources.remote.copies import AT_ONCE, BLOCK
from pipelines.sources.remote.http import is_http
from pipelines.sources.remote.origin import file_system, forget, tag_of
from pipelines.sources.remote.places import is_remote
from pipelines.sources.remote.secrets import masked

PART_BYTES = 16 << 20
"""Of a large file, sent at a time: each of the files that are sent at once has two parts in memory."""
MOST_PARTS = 10_000
"""S3 takes no more."""
FOLDERS = {"file", "memory", "sftp", "smb"}
"""Where a folder must be made before there can be a file in it."""


@dataclass(frozen=True)
class Sent:
    """What a publication came to."""

    url: str
    files: int
    """In all."""
    sent: int
    """Of these, those that were not there yet."""
    bytes: int
    """Sent."""


def show_published(folder: Path, url: str) -> None:
    """`coupage publish`."""
    publish(folder, url, console=PlainConsole(stderr=True))


def publish(folder: str | Path, url: str, *, console: Console = SILENT) -> Sent:
    """Send the shards, the tokenizer and the report of a finished run to where others read them.

    Args:
        folder: The run's folder.
        url: Where to, such as s3://bucket/folder.
        console: Where progress is shown.

    Returns:
        How many files there are, and what was sent of them.

    Raises:
        UserError: The run is not finished, the store cannot be written, or another run is published there.
        WorkError: The run is damaged, or something could not be sent.
    """
    folder, url = Path(folder), url.rstrip("/")
    with only_run_in(_existing(folder)):
        record = read_run(folder)
        if record is None:
            raise no_run(folder)
        before = check_target(url, Recipe.model_validate_json(record.recipe).name)
        publication, local = _publication(folder, record)
        sent = _send_all(url, local, console)
        if publication != before:
            _write(f"{url}/{POINTER}", sealed_bytes(publication.model_dump()))
    finished = Sent(url, len(local), len(sent), sum(sent))
    console.print(
        f"published at {masked(url)}: {finished.files:,} files, {finished.sent:,} of them sent now "
        f"({finished.bytes:,} bytes)",
        highlight=False,
        soft_wrap=True,
    )
    return finished


def check_target(url: str, recipe: str) -> Publication | None:
    """What was published there before.

    Raises:
        UserError: Nothing can be published there, or it holds the results of another recipe.
        WorkError: The store cannot be asked.
    """
    if not is_remote(url):
        raise UserError(
            "a run is published at an address such as s3://bucket/folder",
            file=url,
            hint="For a folder of this machine write file:///the/folder.",
        )
    if is_http(url) or url.startswith("hf://"):
        raise UserError(
            f"nothing can be published at {url.partition('://')[0]}://",
            file=masked(url),
            hint="Publish at an object store, or send the run's folder with `hf upload`.",
        )
    before = read_publication(url)
    if before is not None and before.recipe != recipe:
        raise UserError(
            f"the results of another recipe, `{before.recipe}`, are published here",
            file=masked(url),
            hint="Choose another address, or remove what is there.",
        )
    return before


def _existing(folder: Path) -> Path:
    if not (folder / RUN_SEAL).is_file():
        raise no_run(folder)
    return folder


@dataclass(frozen=True)
class _LocalFile:
    """A file to be sent: where it lies here, and below the URL."""

    path: Path
    target: str
    record: FileRecord


def _publication(folder: Path, record: RunRecord) -> tuple[Publication, list[_LocalFile]]:
    """What is to be published of a run."""
    reports = [
        FileRecord(name=name, rows=0, **record.files[name]) for name in SENT_FILES if name in record.files
    ]
    results = {name: PublishedResult.of(name, result.files) for name, result in record.published.items()}
    results[REPORT] = PublishedResult.of(REPORT, reports)
    name = Recipe.model_validate_json(record.recipe).name
    local = [
        _LocalFile(
            folder / ("" if name == REPORT else name) / file.name, f"{result.folder}/{file.name}", file
        )
        for name, result in results.items()
        for file in result.files
    ]
    return Publication(recipe=name, results=results), local


def _send_all(url: str, files: Sequence[_LocalFile], console: Console) -> list[int]:
    """Send what is not there yet, indexes last; the bytes of each file that was sent."""
    last = [file for file in files if file.path.name == INDEX_FILE]
    first = [file for file in files if file.path.name != INDEX_FILE]
    columns = (*rich.progress.Progress.get_default_columns(), rich.progress.DownloadColumn())
    sent: list[int] = []
    with rich.progress.Progress(*columns, console=console, disable=not is_redrawn(console)) as progress:
        task = progress.add_task("publishing", total=sum(file.record.bytes for file in files))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for wave in (first, last):
                for file, is_sent in zip(wave, pool.map(lambda file: _send(url, file), wave), strict=True):
                    progress.advance(task, file.record.bytes)
                    sent += [file.record.bytes] if is_sent else []
    return sent


def _send(url: str, file: _LocalFile) -> bool:
    """Send a file unless it is there, and see that it has arrived; whether it was sent."""
    digests = _Digests.of(file)
    target = f"{url}/{file.target}"
    if _is_there(target, file.record, digests):
        return False

    def put(system: Any, path: str) -> None:
        if FOLDERS & set(_protocols(system)):
            system.makedirs(system._parent(path), exist_ok=True)
        system.put_file(str(file.path), path, **_in_parts(system, digests))

    _on(target, put)
    if not _is_there(target, file.record, digests):
        raise WorkError(
            "was sent, and what has arrived is something else", file=masked(target), hint="Publish again."
        )
    return True


@dataclass(frozen=True)
class _Digests:
    """What stores say of a file with this content."""

    md5: bytes
    part_bytes: int
    of_parts: str
    """The tag that S3 gives a file that was sent in parts."""

    @classmethod
    def of(cls, file: _LocalFile) -> _Digests:
        """Those of a file as it lies here. Raises Damaged where it is not what the run built."""
        part_bytes = max(PART_BYTES, math.ceil(file.record.bytes / MOST_PARTS / BLOCK) * BLOCK)
        whole, content, parts = hashlib.md5(usedforsecurity=False), xxhash.xxh3_128(), []
        try:
            with file.path.open("rb") as opened:
                for start in range(0, file.record.bytes, part_bytes):
                    part = hashlib.md5(usedforsecurity=False)
                    for _ in range(start, min(start + part_bytes, file.record.bytes), BLOCK):
                        block = opened.read(BLOCK)
                        for digest in (whole, content, part):
                            digest.update(block)
                    parts.append(part.digest())
        except OSError as error:
            raise Damaged(f"cannot be read: {error.strerror}", file=str(file.path)) from error
        if content.hexdigest() != file.record.hash:
            raise Damaged("is not what the run built", file=str(file.path))
        joined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
        return cls(whole.digest(), part_bytes, f"{joined}-{len(parts)}")

    @property
    def tags(self) -> set[str]:
        """Each tag that says that the content is this."""
        return {self.md5.hex(), base64.b64encode(self.md5).decode(), self.of_parts}


def _in_parts(system: Any, digests: _Digests) -> dict[str, Any]:
    """How S3 is sent a file."""
    return {"chunksize": digests.part_bytes, "max_concurrency": 2} if "s3" in _protocols(system) else {}


def _protocols(system: Any) -> tuple[str, ...]:
    """The kinds of URL that a file system opens."""
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _is_there(url: str, record: FileRecord, digests: _Digests) -> bool:
    """Whether a file lies there with its content: the store's tag says so, or else its bytes are read."""
    try:
        info = _on(url, _info)
    except FileNotFoundError:
        return False
    if info["size"] != record.bytes:
        return False
    tag = info.get("md5Hash") or tag_of(info) or ""
    return tag.strip('"') in digests.tags or remote_hash(url) == record.hash


def _info(system: Any, path: str) -> dict[str, Any]:
    forget(system, path)
    found: dict[str, Any] = system.info(path)
    return found


def _write(url: str, content: bytes) -> None:
    """Write a small file: all of it or nothing, as stores do by themselves."""

    def write(system: Any, path: str) -> None:
        if FOLDERS & set(_protocols(system)):
            system.pipe_file(f"{path}.writing", content)
            system.mv(f"{path}.writing", path)
        else:
            system.pipe_file(path, content)

    _on(url, write)


def _on(url: str, work: Callable[[Any, str], Any]) -> Any:
    """What work on a URL gives, with what opens it; done again after a failure that may pass."""

    def attempt() -> Any:
        system, path = file_system(url, is_written=True)
        try:
            return work(system, path)
        except Exception as error:
            raise translated(error, url) from error

    try:
        return persistently(attempt, url)
    except PermissionError as error:
        raise UserError(
            masked(str(error)), file=masked(url), hint="Check that the credentials may read and write there."
        ) from error
