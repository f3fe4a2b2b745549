"""`python -m tests.versions.record`: keep the hash of each output whose version has none yet."""

from pathlib import Path

import orjson

from tests.versions.kernels import KERNELS, fingerprint

HASHES = Path(__file__).parent / "hashes.json"


def recorded() -> dict[str, dict[str, str]]:
    """The hash of each version of each kernel's output, by the kernel's name."""
    hashes: dict[str, dict[str, str]] = orjson.loads(HASHES.read_bytes()) if HASHES.exists() else {}
    return hashes


if __name__ == "__main__":
    hashes = recorded()
    for name, kernel in KERNELS.items():
        versions = hashes.setdefault(name, {})
        if str(kernel.version) not in versions:
            versions[str(kernel.version)] = fingerprint(kernel.output())
            print(f"recorded: {name}, version {kernel.version}")
    HASHES.write_bytes(orjson.dumps(hashes, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
