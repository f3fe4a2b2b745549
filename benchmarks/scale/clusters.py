"""What grows with the corpus: clusters of verified pairs, alone, at any number of documents.

    python -m benchmarks.scale.clusters --documents 1000000000 --pairs 50000000

Pairs are drawn at random, each a document with one of the million before it. Prints seconds and peak memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.stages.dedup.clusters import EDGES, Clusters

PAIRS_AT_ONCE = 1 << 20


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10**7)
    parser.add_argument("--pairs", type=int, default=10**6)
    options = parser.parse_args()

    def edges() -> Iterator[pa.Table]:
        for start in range(0, options.pairs, PAIRS_AT_ONCE):
            rng = np.random.default_rng(start)
            count = min(PAIRS_AT_ONCE, options.pairs - start)
            # As in the output of `verify_pairs`: pairs of one task are near each other.
            middle = options.documents * start // options.pairs
            a = middle + rng.integers(0, options.documents * count // options.pairs, count)
            b = np.maximum(a - rng.integers(1, 1 << 20, count), 0)
            yield pa.table([b, a, np.ones(count)], schema=EDGES)

    started = time.process_time()
    clusters = Clusters(edges, options.documents, 0.8)
    made = time.process_time() - started
    documents = np.arange(1 << 22)
    clusters.of(documents)
    asked = time.process_time() - started - made
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{options.documents:,} documents, {options.pairs:,} pairs: made in {made:.1f} s of CPU, "
        f"{asked / len(documents) * 1e9:.0f} ns to ask for a document; peak MB: {peak:,}"
    )


if __name__ == "__main__":
    main()
