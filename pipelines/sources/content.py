"""What a file is, by its content: a hash, remembered as long as the file's size, times and inode stay."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain

import xxhash

from mixers.files import FileState
from pipelines.sources.listing import InputFile

WHOLE_BYTES = 64 << 20
"""A larger file is known by its size and BLOCKS evenly spread blocks, the first and the last among them."""
BLOCKS = 64
BLOCK_BYTES = 1 << 20
THREADS = 8
FILES_A_THREAD = 64


def content_hash(path: str) -> str:
    """The hash of what a file holds now (xxh3, 128 bits). Raises OSError where it cannot be read.

    Of one above WHOLE_BYTES a change between the blocks that keeps the size is not seen.
    """
    return _hash_in_state(path, FileState.of(path))


@lru_cache(maxsize=1 << 16)
def _hash_in_state(path: str, state: FileState) -> str:
    size = state.bytes
    digest = xxhash.xxh3_128(size.to_bytes(8, "little"))
    with open(path, "rb") as file:
        if size <= WHOLE_BYTES:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
        else:
            for number in range(BLOCKS):
                file.seek((size - BLOCK_BYTES) * number // (BLOCKS - 1))
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()


@dataclass
class Contents:
    """The hashes of files. Those of an earlier run are taken over while a file has the state that it had."""

    remembered: dict[str, str] = field(default_factory=dict)
    """From the states of files to their hashes, by an earlier run."""
    seen: dict[str, str] = field(default_factory=dict)
    """The same of all files that were asked for since."""

    def of(self, path: str) -> str:
        """The hash of a file on this machine. Raises OSError where it cannot be read."""
        return self._in_state(path, FileState.of(path))

    def _in_state(self, path: str, state: FileState) -> str:
        key = "-".join(map(str, state))
        self.seen[key] = self.remembered.get(key) or _hash_in_state(path, state)
        return self.seen[key]

    def identified(self, files: Iterable[InputFile]) -> tuple[InputFile, ...]:
        """The files with their hash as version, None where they cannot be read.

        Remote ones keep the tag that their server gave.
        """
        listed = list(files)
        runs = (listed[first : first + FILES_A_THREAD] for first in range(0, len(listed), FILES_A_THREAD))
        with ThreadPoolExecutor(THREADS) as pool:
            found = pool.map(lambda run: [self._identified(file) for file in run], runs)
            return tuple(chain.from_iterable(found))

    def _identified(self, file: InputFile) -> InputFile:
        if file.remote:
            return file
        try:
            state = FileState.of(file.location)
            return replace(file, size=state.bytes, version=self._in_state(file.location, state))
        except OSError:
            return file
