"""Names for content: canonical JSON, the fingerprint of a value (xxh3, 128 bits), versions of libraries."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
import xxhash


def canonical_json(value: Any) -> bytes:
    """The one JSON spelling of `value`: sorted keys, no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def fingerprint(value: Any) -> str:
    """32 hexadecimal digits that name the JSON-able `value`."""
    return xxhash.xxh3_128_hexdigest(canonical_json(value))


def library_versions(*libraries: str) -> dict[str, str | None]:
    """The version of each library, None where it is not installed.

    For the settings of a stage whose bytes it decides; the stage itself says what it cannot do without.
    """
    versions: dict[str, str | None] = dict.fromkeys(libraries)
    for library in libraries:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return versions
