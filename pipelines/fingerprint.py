"""Names for content: canonical JSON, the fingerprint of a value and the hash of a file (xxh3, 128 bits)."""

from pathlib import Path
from typing import Any

import orjson
import xxhash


def canonical_json(value: Any) -> bytes:
    """The one JSON spelling of `value`: sorted keys, no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def fingerprint(value: Any) -> str:
    """32 hexadecimal digits that name the JSON-able `value`."""
    return xxhash.xxh3_128_hexdigest(canonical_json(value))


def file_hash(path: Path) -> str:
    """32 hexadecimal digits that name the bytes of the file at `path`."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
