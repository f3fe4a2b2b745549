"""Packing: fill and speed on simulated lengths, then time and memory of planning a whole stage.

    python -m benchmarks.packing
    python -m benchmarks.packing --documents 100M

Lengths are log-normal, cut off below and above; `web` has a median of 493 and a mean of 903 tokens. Times are
CPU time, so that other work on the machine matters little. Documents and plan lie in mapped files, whose
pages the system may drop when memory is short; *anonymous* memory, read every 50 ms by another process, is
what it cannot drop.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixers.budget import Mixture
from mixers.packing import pack
from mixers.plan import plan_mixture
from mixers.quantity import parse_quantity
from pipelines.execution.scratch import mapped_arrays

LENGTHS = {
    "web": {"median": 493, "sigma": 1.1, "shortest": 20},
    "narrow web": {"median": 493, "sigma": 0.8, "shortest": 50},
    "short chats": {"median": 150, "sigma": 0.6, "shortest": 10},
    "long documents": {"median": 3000, "sigma": 1.0, "shortest": 50},
    "nothing short": {"median": 664, "sigma": 0.8, "shortest": 300},
}
LONGEST = 200_000
GROUPS = 20
DRAWN_AT_ONCE = 10_000_000
ROWS_AT_ONCE = 4096
WATCH = """
import pathlib, sys, time
highest = 0
while pathlib.Path(sys.argv[1]).exists():
    status = pathlib.Path(sys.argv[1]).read_text()
    highest = max(highest, *(int(line.split()[1]) for line in status.splitlines() if "RssAnon" in line), 0)
    pathlib.Path(sys.argv[2]).write_text(str(highest * 1024))
    time.sleep(0.05)
"""


def simulated_lengths(count, rng, median, sigma, shortest, allocate=np.empty):
    """Token counts, drawn in parts so that the draw itself needs little memory."""
    lengths = allocate(count, np.int32)
    for start in range(0, count, DRAWN_AT_ONCE):
        part = lengths[start : start + DRAWN_AT_ONCE]
        part[:] = np.clip(rng.lognormal(np.log(median), sigma, len(part)), shortest, LONGEST)
    return lengths


def measure_packing(count):
    pack([np.arange(2, dtype=np.int32)], np.array([3, 4], np.int32), 16)  # compile
    print(f"{'lengths':>15} {'row':>6} {'fill':>9} {'M documents/s':>14} {'cut':>6}")
    for name, distribution in LENGTHS.items():
        lengths = simulated_lengths(count, np.random.default_rng(0), **distribution)
        documents = np.arange(count, dtype=np.int32)
        for sequence_length in (2048, 4096, 8192):
            start = time.process_time()
            packs = pack([documents], lengths, sequence_length)
            seconds = time.process_time() - start
            fill = lengths.sum() / (len(packs) * sequence_length)
            is_cut = packs.tokens < lengths[packs.document]
            assert (lengths[packs.document[is_cut]] > sequence_length).all()
            cut = (lengths > sequence_length).mean()
            print(f"{name:>15} {sequence_length:>6} {fill:>9.3%} {count / seconds / 1e6:>14.1f} {cut:>6.1%}")


def simulated_documents(count, names, allocate):
    rng = np.random.default_rng(1)
    tokens = simulated_lengths(count, rng, **LENGTHS["web"], allocate=allocate)
    group, size = allocate(count, np.int8), allocate(count, np.int64)
    for start in range(0, count, DRAWN_AT_ONCE):
        part = slice(start, min(start + DRAWN_AT_ONCE, count))
        group[part] = rng.integers(0, len(names), part.stop - start, np.int8)
        size[part] = 4 * tokens[part].astype(np.int64)
    none_is_indivisible = pa.Array.from_buffers(
        pa.bool_(), count, [None, pa.py_buffer(bytes((count + 7) // 8))]
    )
    groups = pa.DictionaryArray.from_arrays(group, pa.array(names))
    return pa.table({"group": groups, "tokens": tokens, "bytes": size, "indivisible": none_is_indivisible})


def measure_plan(count, folder):
    allocate = mapped_arrays(folder)
    names = [f"group{number}" for number in range(GROUPS)]
    documents = simulated_documents(count, names, allocate)
    weights = {name: 1 / (rank + 1) for rank, name in enumerate(names)}
    mixture = Mixture(tokens=pc.sum(documents["tokens"]).as_py(), weights=weights, max_epochs=8)
    small = mixture.model_copy(update={"tokens": 10**6})
    plan_mixture(documents.slice(0, 10_000), small, 0, allocate).ledger.check()  # compile

    with watched_memory(folder) as memory:
        start = time.process_time()
        plan = plan_mixture(documents, mixture, 0, allocate)
        planned = time.process_time()
        ledger = plan.ledger.check()
        checked = time.process_time()
        segments = write_segments(plan, folder / "segments.arrow")
        written = time.process_time()
    deviation = max(entry.quota.largest_prefix_deviation for entry in ledger.groups)
    print(f"\n{count:,} documents of {GROUPS} groups, {ledger.tokens:,} tokens in {ledger.rows:,} rows")
    print(
        f"CPU: plan {planned - start:.1f} s, ledger and its check {checked - planned:.1f} s, "
        f"{segments:,} segments written {written - checked:.1f} s"
    )
    print(
        f"anonymous memory {memory[0] / 1e9:.2f} GB before, {memory[1] / 1e9:.2f} GB at its highest; "
        f"highest resident with pages of files {memory[2] / 1e9:.2f} GB"
    )
    print(f"fill {ledger.tokens / (ledger.rows * 4096):.3%}, largest prefix deviation {deviation:.0f} tokens")


def write_segments(plan, path):
    """Write the segments as the pipeline does, some rows at a time."""
    count = 0
    with pa.ipc.new_file(path, plan.segments_between(0, 0).schema) as writer:
        for start in range(0, len(plan), ROWS_AT_ONCE):
            segments = plan.segments_between(start, start + ROWS_AT_ONCE)
            writer.write_table(segments)
            count += len(segments)
    return count


@contextmanager
def watched_memory(folder):
    """Gives a list that holds in the end: anonymous memory before and at its highest, highest resident."""
    result, note = folder / "highest", []
    status = f"/proc/{os.getpid()}/status"
    now = [int(line.split()[1]) for line in Path(status).read_text().splitlines() if "RssAnon" in line]
    note.append(now[0] * 1024)
    watcher = subprocess.Popen([sys.executable, "-c", WATCH, status, str(result)])
    try:
        yield note
        time.sleep(0.2)
    finally:
        watcher.kill()
        watcher.wait()
    note += [int(result.read_text()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=parse_quantity, default=2_000_000, help="to plan: 100M")
    parser.add_argument("--scratch", type=Path, help="folder for the mapped files: one on a disk")
    arguments = parser.parse_args()
    measure_packing(1_000_000)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        measure_plan(arguments.documents, Path(scratch))
