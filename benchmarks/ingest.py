"""How fast files become documents: our readers, a plain orjson loop, and datatrove's readers.

    python -m benchmarks.ingest [--megabytes 100]

Each reader goes through the same generated corpus in one process. Megabytes are those of the text in UTF-8;
seconds are processor time, so that other work on the machine counts less. The best of three is shown.
"""

import argparse
import gzip
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources.base import Quarantine
from pipelines.sources.files import FilesConfig

PART_BYTES = 32 << 20
ALPHABETS = {"latin": "abcdefghijklmnopqrstuvwxyz", "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя"}


def records(megabytes: int, alphabet: str) -> Iterator[dict]:
    """Documents of some 3,000 characters with five other fields, like those of a web corpus."""
    rng = np.random.Generator(np.random.PCG64(17))
    words = ["".join(rng.choice(list(alphabet), rng.integers(2, 11))) for _ in range(5000)]
    written = number = 0
    while written < megabytes * 1e6:
        chosen = rng.integers(0, len(words), rng.integers(50, 900))
        text = " ".join(words[index] for index in chosen) + '.\n"quoted"\n'
        yield {
            "text": text,
            "id": f"doc-{number}",
            "url": f"https://example.org/{number}",
            "date": "2024-05-17T10:00:00Z",
            "language_score": float(rng.random()),
            "token_count": len(chosen),
        }
        written += len(text.encode())
        number += 1


def ours(file: Path) -> int:
    source = FilesConfig(reader="files", path=file.name).build("s", file.parent)
    quarantine = Quarantine()
    return sum(table.num_rows for unit in source.units(PART_BYTES) for table in source.read(unit, quarantine))


def orjson_loop(file: Path) -> int:
    """Dictionaries only: no Arrow table, no ids, no metadata, no bad records."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        return sum(1 for line in lines if orjson.loads(line)["text"] is not None)


def pyarrow_parquet(file: Path) -> int:
    """Arrow batches only: no ids, no metadata, no check of the UTF-8."""
    return sum(batch.num_rows for batch in pq.ParquetFile(file).iter_batches(1000, use_threads=False))


def datatrove(file: Path) -> int:
    from datatrove.pipeline.readers import JsonlReader, ParquetReader

    reader = ParquetReader if file.suffix == ".parquet" else JsonlReader
    options = {} if file.suffix == ".parquet" else {"compression": "gzip" if file.suffix == ".gz" else None}
    return sum(1 for _ in reader(str(file.parent), glob_pattern=file.name, **options).run())


def best_seconds(read: Callable[[Path], int], file: Path, rows: int) -> float:
    seconds = []
    for _ in range(3):
        start = time.process_time()
        if read(file) != rows:
            raise RuntimeError(f"{read.__name__} did not read every record of {file.name}")
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=100)
    megabytes = parser.parse_args().megabytes
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'input':<20}{'reader':<18}MB/s")
        for name, alphabet in ALPHABETS.items():
            rows = list(records(megabytes, alphabet))
            text = sum(len(row["text"].encode()) for row in rows) / 1e6
            lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)
            Path(folder, f"{name}.jsonl").write_bytes(lines)
            Path(folder, f"{name}.jsonl.gz").write_bytes(gzip.compress(lines, 6))
            pq.write_table(
                pa.Table.from_pylist(rows),
                Path(folder, f"{name}.parquet"),
                row_group_size=2000,
                compression="zstd",
            )
            for suffix, readers in {
                "jsonl": (ours, orjson_loop, datatrove),
                "jsonl.gz": (ours, orjson_loop, datatrove),
                "parquet": (ours, pyarrow_parquet, datatrove),
            }.items():
                for read in readers:
                    file = Path(folder, f"{name}.{suffix}")
                    seconds = best_seconds(read, file, len(rows))
                    print(f"{file.name:<20}{read.__name__:<18}{text / seconds:.0f}", flush=True)


if __name__ == "__main__":
    main()
