"""Seconds and memory that new tokens for much text take.

    python -m benchmarks.vocabulary.speed TOKENIZER PATH [--tokens N] [--megabytes N] [--suffix .py]

Text are the files below PATH, 200 MB of Python by default, read in batches as a stage reads its documents.
Memory is the largest that the process had resident, libraries included.
"""

import argparse
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tokenizer_tools.load import load_tokenizer
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.words import WordCounter

BATCH = 16_000_000


def batches(folder: Path, suffix: str, size: int) -> Iterator[pa.LargeStringArray]:
    """Texts of so many bytes together, some MB at a time."""
    held: list[str] = []
    in_batch = total = 0
    for path in sorted(folder.rglob(f"*{suffix}")):
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        held.append(text)
        in_batch += len(text.encode())
        if in_batch >= BATCH or total + in_batch >= size:
            yield pa.array(held, pa.large_string())
            total += in_batch
            held, in_batch = [], 0
        if total >= size:
            return
    yield pa.array(held, pa.large_string())


def peak() -> float:
    """Resident MB, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def tell(done: threading.Event) -> None:
    """Say every 20 seconds that it goes on."""
    began = time.monotonic()
    while not done.wait(20):
        print(f"{time.monotonic() - began:.0f} s, {peak():.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("path", type=Path)
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--suffix", default=".py")
    options = parser.parse_args()
    base = load_tokenizer(options.tokenizer)
    counter = WordCounter(base)
    done = threading.Event()
    threading.Thread(target=tell, args=[done], daemon=True).start()
    before, began, cpu = peak(), time.monotonic(), time.process_time()
    size = counting = 0.0
    for batch in batches(options.path, options.suffix, int(1e6 * options.megabytes)):
        size += sum(len(text.as_py().encode()) for text in batch) / 1e6
        start = time.monotonic()
        counter.add(batch)
        counting += time.monotonic() - start
    words = counter.counts()
    learning = time.monotonic()
    changed = change_vocabulary(
        base, words, extension=VocabularyExtension(tokens=options.tokens), replacement=None
    )
    now = time.monotonic()
    done.set()
    print(
        f"{len(changed.pieces):,} tokens from {size:.0f} MB, {len(words.words):,} distinct words:"
        f" {now - began:.0f} s ({time.process_time() - cpu:.0f} s of CPU), of these {counting:.0f} s counting"
        f" and {now - learning:.0f} s learning and proving; at most {peak():.0f} MB resident,"
        f" {before:.0f} MB before"
    )


if __name__ == "__main__":
    main()
