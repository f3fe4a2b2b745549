"""Seconds of CPU time: sizes of the index, the peer on the same documents and items, and `coupage annotate`.

CPU time is that of all threads, so ours and the peer's are of one core however many threads run.
"""

import json
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.contamination import render
from benchmarks.contamination.data import Data, Item, item, sentences, words
from benchmarks.contamination.matching import Guard
from benchmarks.contamination.report import show
from filters.contamination.match import find_matches

SIZES = (1_000, 10_000, 100_000)
PEER_SIZE = 10_000
PLANTED = 0.02
"""The share of documents that hold an item."""
PEER = """
import sys, decon
training, evals, output = sys.argv[1:]
decon.detect(decon.Config(training_dir=training, evals_dir=evals, report_output_dir=output, worker_threads=1))
"""


def documentation(half: int) -> Iterator[str]:
    """Texts and docstrings of the installed packages and the standard library: of every other file."""
    roots = sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")})
    files = dict.fromkeys(path for root in roots for path in sorted(Path(root).rglob("*")))
    written = (".py", ".md", ".rst", ".txt")
    chosen = [path for path in files if path.suffix in written or path.name == "METADATA"]
    for path in chosen[half::2]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".py":
            text = "\n\n".join(re.findall(r'"""(.*?)"""', text, re.DOTALL))
        if text:
            yield text.encode("utf-8", "replace").decode()


def documents(data: Data, size: float, items: Sequence[Item], random: Random) -> list[str]:
    """About `size` bytes of real text: pages, then documentation, in documents of at most 20,000 characters.

    Some of them hold an item with its answer.
    """
    found: list[str] = []
    total = 0
    sources = [text for texts in data.pages.values() for text in texts]
    for text in (piece for source in (sources, documentation(0)) for piece in source):
        for start in range(0, min(len(text), 200_000), 20_000):
            found.append(text[start : start + 20_000])
            total += len(found[-1].encode())
        if total >= size:
            break
    for row in random.sample(range(len(found)), int(PLANTED * len(found))):
        found[row] += "\n\n" + render.labelled(random.choice(items))
    random.shuffle(found)
    return found


def pool(data: Data, size: int, random: Random) -> list[Item]:
    """Different items of real sentences, each with the sentence that follows as its answer, in random order.

    The benchmarks' own items come with them. No sentence is of the documents: they are other files.
    """
    benchmarks = [*data.indexed, *data.gsm8k("train"), *data.mmlu("dev", "validation"), *data.openbookqa]
    found = {tuple(words(each["question"])): each for each in benchmarks if each["benchmark"] != "koziev"}
    novels = [text for novel in data.novels.values() for text in novel]
    blocks = (block for text in documentation(1) for block in re.split(r"\n\s*\n", text))
    unwrapped = (re.sub(r"\s+", " ", block) for block in blocks)
    for block in (block for source in (novels, unwrapped) for block in source):
        pieces = sentences(block)
        for question, answer in pairwise(pieces):
            key = tuple(words(question))
            if 8 <= len(key) <= 60 and key not in found:
                found[key] = item("sentences", str(len(found)), question=question, answer=answer)
        if len(found) >= 2 * size:
            break
    items = list(found.values())
    if len(items) < size:
        print(f"there are {len(items)} different items, not {size}")
    return random.sample(items, min(size, len(items)))


def cpu_of(command: Sequence[str]) -> float:
    """CPU seconds of a child process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def annotate(texts: Sequence[str]) -> float:
    """CPU seconds of `coupage annotate` with every signal."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "texts.parquet"
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), corpus)
        output = str(Path(folder) / "signals")
        command = [sys.executable, "-m", "pipelines", "annotate", str(corpus), "-o", output]
        return cpu_of([*command, "--workers", "1"])


def peer(python: Path, texts: Sequence[str], items: Sequence[Item]) -> tuple[float, int]:
    """CPU seconds of `decontaminate`, index and all, and how many documents it reports."""
    with tempfile.TemporaryDirectory() as folder:
        training, evals, output = (Path(folder) / name for name in ("training", "evals", "output"))
        training.mkdir()
        evals.mkdir()
        write_lines(training / "texts.jsonl", ({"text": text} for text in texts))
        write_lines(evals / "items.jsonl", (as_eval(number, each) for number, each in enumerate(items)))
        seconds = cpu_of([str(python), "-c", PEER, *map(str, (training, evals, output))])
        lines = [json.loads(line) for path in output.glob("*.jsonl") for line in path.open(encoding="utf-8")]
        return seconds, len({line["training_line"] for line in lines})


def as_eval(number: int, each: Item) -> dict[str, object]:
    return {
        "eval_key": each["benchmark"],
        "eval_instance_index": number,
        "doc_id": number,
        "split": each["split"],
        "question": render.asked(each),
        "answer": each["solution"] or each["answer"] or each["label"],
        "fingerprint": str(number),
        "is_correct": True,
    }


def write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def measure(data: Data, peer_python: Path | None, size: float, seed: int) -> None:
    items = pool(data, max(SIZES), Random(seed))
    texts = documents(data, size, items[: min(SIZES)], Random(seed))
    array = pa.array(texts, pa.large_string())
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"\n{len(texts)} documents, {megabytes:.1f} MB; {len(items)} items")
    find_matches(array.slice(0, 20), Guard(items[:100]).index)  # compiles

    rows, seconds_of = [], {}
    for count in (count for count in SIZES if count <= len(items)):
        start = time.process_time()
        guard = Guard(items[:count])
        built = time.process_time() - start
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            matches = find_matches(array, guard.index)
            best = min(best, time.process_time() - start)
        seconds_of[count] = best
        touched = len(set(matches.column("row").to_pylist()))
        rows.append([f"{count:,} items", f"{built:.1f}", f"{best:.2f}", f"{megabytes / best:.1f}", touched])
    show("Ours", ["index", "build s", "match s", "MB/s", "documents with matches"], rows)
    smallest, largest = min(seconds_of), max(seconds_of)
    ratio = seconds_of[largest] / seconds_of[smallest]
    print(f"{largest:,} items take {ratio:.2f} times as long as {smallest:,}")

    annotate(texts[:1])  # compiles
    annotating = annotate(texts) - annotate(texts[:1])
    print(f"annotate, every signal: {annotating:.1f} s, {megabytes / annotating:.1f} MB/s")
    for count, seconds in seconds_of.items():
        print(f"of it contamination with {count:,} items would be {seconds / annotating:.1%}")

    if peer_python is None:
        print("no --peer: not compared with decontaminate")
        return
    start_seconds, _ = peer(peer_python, texts[:1], items[:PEER_SIZE])
    seconds, touched = peer(peer_python, texts, items[:PEER_SIZE])
    ours, theirs = seconds_of[PEER_SIZE], seconds - start_seconds
    rows = [
        ["decontaminate", f"{start_seconds:.1f}", f"{theirs:.2f}", f"{megabytes / theirs:.1f}", touched],
        [f"coupage: {theirs / ours:.1f} x", "", f"{ours:.2f}", f"{megabytes / ours:.1f}", ""],
    ]
    head = ["", "start and index s", "match s", "MB/s", "documents with matches"]
    show(f"Beside the peer, {PEER_SIZE:,} items", head, rows)
