"""Packing: fill and speed on simulated lengths, then time and memory of planning a whole stage.

    python -m benchmarks.packing
    python -m benchmarks.packing --documents 100M

Lengths are log-normal, cut off below and above; `web` has a median of 493 and a mean of 903 tokens. Times are
CPU time, so that other work on the machine matters little. The memory of the plan is what it needs beyond its
input, at its highest.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from mixers.budget import Mixture
from mixers.packing import pack
from mixers.plan import plan_mixture
from mixers.quantity import parse_quantity

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


def simulated_lengths(count, rng, median, sigma, shortest):
    """Token counts, drawn in parts so that the draw itself needs little memory."""
    lengths = np.empty(count, np.int64)
    for start in range(0, count, DRAWN_AT_ONCE):
        part = lengths[start : start + DRAWN_AT_ONCE]
        part[:] = np.clip(rng.lognormal(np.log(median), sigma, len(part)), shortest, LONGEST)
    return lengths


def measure_packing(count):
    pack(np.array([3, 4]), 16)  # compile
    print(f"{'lengths':>15} {'row':>6} {'fill':>9} {'M documents/s':>14} {'cut':>6}")
    for name, distribution in LENGTHS.items():
        lengths = simulated_lengths(count, np.random.default_rng(0), **distribution)
        for sequence_length in (2048, 4096, 8192):
            start = time.process_time()
            packs = len(pack(lengths, sequence_length))
            seconds = time.process_time() - start
            fill = lengths.sum() / (packs * sequence_length)
            cut = (lengths > sequence_length).mean()
            print(f"{name:>15} {sequence_length:>6} {fill:>9.3%} {count / seconds / 1e6:>14.1f} {cut:>6.1%}")


def measure_plan(count):
    rng = np.random.default_rng(1)
    names = [f"group{number}" for number in range(GROUPS)]
    tokens = simulated_lengths(count, rng, **LENGTHS["web"])
    group = pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, GROUPS, count, np.int8)), pa.array(names))
    atomic = pa.array(np.zeros(count, bool))
    documents = pa.table({"group": group, "tokens": tokens, "bytes": 4 * tokens, "atomic": atomic})
    weights = {name: 1 / (rank + 1) for rank, name in enumerate(names)}
    mixture = Mixture(tokens=int(tokens.sum()), weights=weights, max_epochs=8)
    small = plan_mixture(documents.slice(0, 10_000), mixture.model_copy(update={"tokens": 10**6}), 0)
    small.ledger.check()  # compile

    before = memory_now()
    start = time.process_time()
    plan = plan_mixture(documents, mixture, 0)
    planned = time.process_time()
    ledger = plan.ledger.check()
    checked = time.process_time()
    needed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    deviation = max(entry.quota.largest_prefix_deviation for entry in ledger.groups)
    print(f"\n{count:,} documents of {GROUPS} groups, {ledger.tokens:,} tokens in {ledger.rows:,} rows")
    print(f"plan {planned - start:.1f} s of CPU, ledger and its check {checked - planned:.1f} s")
    print(f"input {documents.nbytes / 1e9:.2f} GB, plan {needed / 1e9:.2f} GB: {needed / count:.0f} B each")
    print(f"fill {ledger.tokens / (ledger.rows * 4096):.3%}, largest prefix deviation {deviation:.0f} tokens")


def memory_now():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=parse_quantity, default=2_000_000, help="to plan: 100M")
    arguments = parser.parse_args()
    measure_packing(1_000_000)
    measure_plan(arguments.documents)
