"""`python -m benchmarks.contamination`: see the package's docstring."""

import argparse
import time
from pathlib import Path
from random import Random

from benchmarks import contamination
from benchmarks.contamination import negatives, planting, rewritten, speed
from benchmarks.contamination.data import Data
from benchmarks.contamination.matching import Guard

PARTS = ("data", "planting", "negatives", "alarms", "rewritten", "speed")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.contamination",
        description=contamination.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; without any: all")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peer", type=Path, help="the Python of an environment with `decontaminate`")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = arguments.parts or PARTS
    data, seed, quick = Data(arguments.data), arguments.seed, arguments.quick

    if "data" in parts:
        negatives.check(data, seed)
    if {"planting", "negatives", "alarms"} & set(parts):
        start = time.process_time()
        guard = Guard(data.indexed)
        print(f"{len(guard.items)} items indexed in {time.process_time() - start:.1f} s of CPU time")
    if "planting" in parts:
        planting.measure(data, guard, 12 if quick else 100, seed)
    if "negatives" in parts:
        negatives.measure(data, guard, 60 if quick else 600, Random(seed))
    if "alarms" in parts:
        negatives.alarms(data, guard)
    if "rewritten" in parts:
        rewritten.measure(data, Random(seed))
    if "speed" in parts:
        speed.measure(data, arguments.peer, 1e6 if quick else 10e6, seed)


if __name__ == "__main__":
    main()
