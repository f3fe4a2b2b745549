"""Hostile input through `coupage run`: peak memory, and whether every record is accounted for.

    python benchmarks/hostile_input.py [GB]

Makes about GB (default 10) of input, counted as it would be uncompressed: bombs of each compression and of
Parquet, two million bad lines, lines of a gigabyte, random bytes behind each suffix, beside good documents;
runs a recipe over it with `quarantine.max_share: 1` and one worker, and compares the report with what was
made.
"""

import bz2
import gzip
import json
import lzma
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

GOOD_DOCUMENTS = 200
SUFFIXES = [".jsonl", ".json", ".csv", ".tsv", ".txt", ".md", ".parquet", ".arrow"]
SUFFIXES += [f".jsonl.{how}" for how in ("gz", "zst", "xz", "bz2")] + [".json.gz", ".csv.zst", ".txt.xz"]
BLOCK = b"0" * (1 << 20)
RECIPE = """\
name: hostile
sources: {{web: {{reader: files, path: {data}}}}}
quarantine: {{max_share: 1}}
curate: {{language: null, rules: [{{use: [gopher_quality]}}]}}
dedup: {{minhash: null}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures: {{stage1: {{tokens: 5k, sequence_length: 128, weights: {{web: 1}}}}}}
"""
Compress = Callable[[Iterator[bytes], Path], None]


def main(gigabytes: float) -> None:
    """Make, run, compare, say."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        place = Path(folder)
        made = make(place / "data", round(gigabytes * 1e9))
        stored = sum(path.stat().st_size for path in (place / "data").iterdir())
        (place / "recipe.yaml").write_text(RECIPE.format(data=place / "data"))
        started = time.monotonic()
        words = [sys.executable, "-m", "pipelines", "run", place / "recipe.yaml", "--workdir", place / "run"]
        done = subprocess.run([*words, "--workers", "1"], capture_output=True, text=True)
        seconds = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        print(
            f"{made / 1e9:.1f} GB of input, {stored / 1e9:.2f} GB as stored, {seconds:.0f} s, "
            f"exit {done.returncode}"
        )
        print(f"largest process: {peak / 1e9:.2f} GB of memory")
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        compare(json.loads((place / "run" / "report.json").read_text()))


def compare(report: dict) -> None:
    """Whether the report says what was made."""
    source = report["sources"][0]
    entered, documents = source["records"], source["documents"]
    aside = sum(source["set_aside"].values())
    print(f"records {entered:,} = documents {documents:,} + set aside {aside:,}")
    for reason, number in sorted(source["set_aside"].items()):
        print(f"  {number:>9,} {reason}")
    assert entered == documents + aside
    assert documents >= GOOD_DOCUMENTS


def make(data: Path, total: int) -> int:
    """Write the files; returns their bytes as they would be uncompressed."""
    data.mkdir()
    rng = random.Random(1)
    words = "the of and that with river mountain engine kernel doctor patient court number some time".split()
    lines = (json.dumps({"text": " ".join(rng.choices(words, k=200))}) + "\n" for _ in range(GOOD_DOCUMENTS))
    (data / "good.jsonl").write_text("".join(lines))
    made = sum(maker(data, rng) for maker in (bad_lines, random_bytes, rows_of_one_value))
    bombs = [gz, zst, xz, bz]
    size = max(1 << 20, (total - made) // (len(bombs) + 2))
    for number, compress in enumerate(bombs):
        compress(zeros(size), data / f"bomb{number}.jsonl.{compress.__name__.replace('bz', 'bz2')}")
    zst(strings(size), data / "array.json.zst")
    giant = min(size, 2 << 30)
    with (data / "giant.jsonl").open("wb") as file:
        file.write(b'{"text": "')
        for block in zeros(giant):
            file.write(block)
        file.write(b'"}\n')
    return made + size * (len(bombs) + 1) + giant


def zeros(size: int) -> Iterator[bytes]:
    """One line."""
    for _ in range(size // len(BLOCK)):
        yield BLOCK


def strings(size: int) -> Iterator[bytes]:
    """An array of what is no record."""
    yield b"[1"
    for _ in range(size // len(BLOCK)):
        yield b',"%s"' % (b"x" * 1021) * (len(BLOCK) // 1024)
    yield b"]"


def gz(blocks: Iterator[bytes], path: Path) -> None:
    """Write with gzip."""
    with gzip.open(path, "wb", 1) as file:
        file.writelines(blocks)


def zst(blocks: Iterator[bytes], path: Path) -> None:
    """Write with zstd."""
    with path.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as file:
        for block in blocks:
            file.write(block)


def xz(blocks: Iterator[bytes], path: Path) -> None:
    """Write with xz."""
    with lzma.open(path, "wb", preset=0) as file:
        file.writelines(blocks)


def bz(blocks: Iterator[bytes], path: Path) -> None:
    """Write with bzip2."""
    with bz2.open(path, "wb", 1) as file:
        file.writelines(blocks)


def bad_lines(data: Path, rng: random.Random) -> int:
    """Two million lines that are no objects, as many that are no JSON, and as many numbers in an array."""
    zst(iter([b"1\n" * 2_000_000]), data / "lines.jsonl.zst")
    (data / "lines.jsonl").write_bytes(b"{\n" * 2_000_000)
    zst(iter([b"[1" + b",1" * 2_000_000 + b"]"]), data / "numbers.json.zst")
    return 12_000_000


def random_bytes(data: Path, rng: random.Random) -> int:
    """Of each suffix a file of random bytes."""
    for suffix in SUFFIXES:
        (data / f"random{suffix}").write_bytes(rng.randbytes(5_000_000))
    return 5_000_000 * len(SUFFIXES)


def rows_of_one_value(data: Path, rng: random.Random) -> int:
    """A Parquet file of some hundred bytes with a thousand texts of a megabyte."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["x" * (1 << 20)]))
    pq.write_table(pa.table({"text": texts}), data / "rows.parquet", compression="zstd")
    return 1000 << 20


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[1]))
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
