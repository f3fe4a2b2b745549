"""Source code by its ids: The Stack v2 names files, and Software Heritage's object store holds their content.

It lies at `content/<blob_id>` of the bucket `softwareheritage`, compressed by gzip, in the encoding that the
record names (the card of bigcode/the-stack-v2; "Contents on S3" in Software Heritage's documentation).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from typing_extensions import override

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Reason
from pipelines.sources.lines import MAX_RECORD_BYTES
from pipelines.sources.records import Failed, Record
from pipelines.sources.remote.attempts import persistently
from pipelines.sources.remote.cache import BlobCache, cache_folder, cache_size
from pipelines.sources.remote.file import read_range
from pipelines.sources.remote.origin import ONE_TRY, ObjectFile

VERSION = 1
"""To be raised when the same records get other contents."""

BUCKET = "softwareheritage/content"
BLOB_ID, ENCODING, CONTENT = "blob_id", "src_encoding", "content"
"""The fields of a record: which blob, in which encoding, and where its text goes."""
AT_A_TIME = 64
"""So many blobs are fetched at once."""
BATCH = 128
"""So many are held, and fetched again after a kill."""
_ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class SoftwareHeritage:
    """Contents from Software Heritage's bucket, kept in a cache of bounded size."""

    cache: BlobCache = field(
        default_factory=lambda: BlobCache(cache_folder() / "software_heritage", cache_size()), compare=False
    )

    def complete(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records in their order, each with its text.

        Raises:
            UserError: The store refuses to answer.
            WorkError: It could not be reached.
        """
        waiting = iter(records)
        while batch := list(islice(waiting, BATCH)):
            blobs = self._blobs({blob_id for *_, value in batch if (blob_id := _blob_id(value))})
            for *place, value in batch:
                yield cast(Record, (*place, _with_content(value, blobs)))

    def _blobs(self, ids: set[str]) -> dict[str, bytes]:
        """The compressed blobs of those ids for which there are any."""
        found: dict[str, bytes] = {}
        for blob_id in ids:
            if (blob := self.cache.get(blob_id)) is not None:
                found[blob_id] = blob
        for blob_id, blob in _fetched(sorted(ids - found.keys())):
            self.cache.put(blob_id, blob)
            found[blob_id] = blob
        return found


def _blob_id(value: Any) -> str | None:
    blob_id = value.get(BLOB_ID) if isinstance(value, dict) else None
    return blob_id if isinstance(blob_id, str) and _ID.fullmatch(blob_id) else None


def _with_content(value: Any, blobs: dict[str, bytes]) -> Any:
    """The record with its text, or what is wrong with it; what is no record stays as it is."""
    if not isinstance(value, dict):
        return value
    blob = blobs.get(_blob_id(value) or "")
    if blob is None:
        return Failed(Reason.NO_CONTENT, value)
    try:
        data = _unpacked(blob)
        if data is None:
            return Failed(Reason.TOO_LARGE, value)
        return value | {CONTENT: data.decode(value.get(ENCODING) or "utf-8")}
    except zlib.error:
        return Failed(Reason.CORRUPT_GZIP, value)
    except (LookupError, UnicodeError, TypeError):
        return Failed(Reason.ENCODING, value)


def _unpacked(blob: bytes) -> bytes | None:
    """What a blob holds; None if that is too large."""
    unpack = zlib.decompressobj(wbits=31)
    data = unpack.decompress(blob, MAX_RECORD_BYTES)
    if unpack.unconsumed_tail:
        return None
    if not unpack.eof:
        raise zlib.error("incomplete")
    return data


def _fetched(ids: list[str]) -> Iterator[tuple[str, bytes]]:
    """The blobs that there are; those that did not come whole one by one, in pieces."""
    if not ids:
        return
    answers = store().cat([f"{BUCKET}/{each}" for each in ids], on_error="return", batch_size=AT_A_TIME)
    broken: list[str] = []
    for path, answer in answers.items():
        blob_id = path.rpartition("/")[2]
        if isinstance(answer, bytes):
            yield blob_id, answer
        elif isinstance(answer, PermissionError):
            raise _refusal(answer) from answer
        elif not isinstance(answer, FileNotFoundError):
            broken.append(blob_id)
    for blob_id in broken:
        try:
            yield blob_id, _in_pieces(blob_id)
        except FileNotFoundError:
            continue
        except (PermissionError, WorkError) as error:
            raise _refusal(error) from error


class _Blob(ObjectFile):
    """A blob in the store."""

    @override
    def _opened(self) -> tuple[Any, str]:
        return store(), self._url.removeprefix("s3://")


def _in_pieces(blob_id: str) -> bytes:
    url = f"s3://{BUCKET}/{blob_id}"
    blob = _Blob(url)
    try:
        return read_range(blob, url, 0, persistently(blob.state, url).size)
    finally:
        blob.close()


@lru_cache(maxsize=1)
def store() -> Any:
    """The object store: with credentials and endpoint from where its own tools take them, else anonymous."""
    try:
        import s3fs  # type: ignore[import-untyped]
        from botocore.session import get_session  # type: ignore[import-untyped]
    except ImportError as error:
        raise UserError(
            "contents in Software Heritage's object store are read with s3fs, which is not installed",
            hint="pip install 'coupage[s3]'",
        ) from error
    system = s3fs.S3FileSystem(anon=get_session().get_credentials() is None, **ONE_TRY)
    system.retries = 1
    return system


def _refusal(error: BaseException) -> UserError | WorkError:
    if isinstance(error, PermissionError):
        return UserError(
            f"Software Heritage's object store does not give a file: {error}",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to those of an account that may read it. "
            "Fetching in bulk needs an agreement: ask datasets@softwareheritage.org.",
        )
    return WorkError(
        f"Software Heritage's object store could not be read: {error}",
        hint="What is done is kept: run again when the network and the store are in order.",
    )
