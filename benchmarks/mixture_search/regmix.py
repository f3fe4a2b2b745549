"""A search for mixtures on runs that others made: 52 probes at 1 M parameters, judged at 1 B.

python -m benchmarks.mixture_search.regmix DATA_FOLDER [--draws N] [--sizes 60m 1B]

The data are those of RegMix (Liu et al. 2024, "RegMix: Data Mixture as Regression for Language Model
Pre-training"), MIT licence: the folder `data` of the repository sail-sg/regmix. There are 512 mixtures of 17
groups with 13 validation losses at 1 M parameters; of other mixtures, 256 at 1 M and at 60 M, and 64 at 1 B.

Laws are fitted to 52 of the 512, as many as a search may use for 17 groups: drawn at random, or a D-optimal
part of a random half. Of the judged mixtures the one that is predicted best is chosen, and three are for the
confirm round, of which the best by its real loss is taken. Regret is the real loss of what was chosen above
that of the best one. Nothing but the laws decides, and they have seen nothing but the 52 runs.
"""

import argparse
import csv
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mixers.search.design import choose
from mixers.search.laws import NORMAL, Laws, fit_laws
from mixers.search.optimum import Aim, best_together
from mixers.search.space import Array

PILE_CC = "the_pile_pile_cc_val_loss"
PROBES = 52  # of at most 3 (17 + 1)
DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Runs:
    weights: Array  # [n, m]
    losses: Array  # [n, t]
    targets: list[str]


def read(folder: Path, part: str, size: str) -> Runs:
    tables = []
    for kind in ("mixture", "pile_loss"):
        with (folder / f"{part}_{kind}_{size}.csv").open() as file:
            header, *rows = csv.reader(file)
        tables.append((header[1:], np.array(rows, dtype=float)[:, 1:]))
    (_, weights), (targets, losses) = tables
    return Runs(
        weights=weights / weights.sum(axis=1, keepdims=True),  # as they are rounded to three digits
        losses=losses,
        targets=[target.removeprefix("metric/") for target in targets],
    )


def aims(targets: list[str]) -> dict[str, Aim]:
    no_guard = np.full(len(targets), np.inf)
    return {
        "mean": Aim(shares=np.ones(len(targets)), most_above=no_guard),
        "Pile-CC": Aim(shares=np.array([float(name == PILE_CC) for name in targets]), most_above=no_guard),
    }


def probes(runs: Runs, way: str, seed: int) -> np.ndarray:
    """The numbers of the runs that are fitted."""
    rng = np.random.default_rng(seed)
    if way == "random":
        return rng.choice(len(runs.weights), PROBES, replace=False)
    half = rng.choice(len(runs.weights), len(runs.weights) // 2, replace=False)
    return half[choose(runs.weights[half], PROBES)]


def one_draw(folder: Path, way: str, seed: int, sizes: list[str]) -> dict[str, float]:
    runs, unseen = read(folder, "train", "1m"), read(folder, "test", "1m")
    part = probes(runs, way, seed)
    laws = fit_laws(runs.weights[part], runs.losses[part])
    rng = np.random.default_rng(seed)
    predicted = laws.predict(unseen.weights)
    reach, errors = NORMAL * predicted.deviation, np.abs(unseen.losses - predicted.mean)
    found = {
        "coverage, 13 targets": float((errors <= reach).mean()),
        "half-width / (max - min), 13 targets": float((reach.mean(0) / np.ptp(unseen.losses, axis=0)).mean()),
        "half-width / 2 sd, 13 targets": float((reach.mean(0) / (2 * unseen.losses.std(axis=0))).mean()),
    }
    drawn = laws.draw(unseen.weights, DRAWS, rng)
    for name, aim in aims(runs.targets).items():
        real, mean, reach = (
            aim.value(unseen.losses),
            aim.value(predicted.mean),
            NORMAL * aim.value(drawn).std(0),
        )
        found |= {
            f"coverage, {name}": float((np.abs(real - mean) <= reach).mean()),
            f"half-width / (max - min), {name}": float(reach.mean() / np.ptp(real)),
            f"half-width / 2 sd, {name}": float(reach.mean() / (2 * real.std())),
            f"rank correlation 1m, {name}": rank_correlation(mean, real),
        }
        for size in sizes:
            found |= judge(read(folder, "test", size), laws, aim, f"{size}, {name}", rng)
    return found


def judge(runs: Runs, laws: Laws, aim: Aim, label: str, rng: np.random.Generator) -> dict[str, float]:
    real = aim.value(runs.losses)
    mean = aim.value(laws.predict(runs.weights).mean)
    three = best_together(-aim.value(laws.draw(runs.weights, DRAWS, rng)), runs.weights, 3)
    return {
        f"regret {label}": float(real[np.argmin(mean)] - real.min()),
        f"regret {label}, confirmed": float(real[three].min() - real.min()),
        f"regret {label}, at random": float(np.median(real) - real.min()),
        f"rank correlation {label}": rank_correlation(mean, real),
    }


def rank_correlation(one: Array, other: Array) -> float:
    return float(np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--sizes", nargs="+", default=["60m", "1B"], help="where regret is judged")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the processes below: their matrices are small
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        for way in ("random", "D-optimal"):
            waiting = [
                processes.submit(one_draw, arguments.folder, way, seed, arguments.sizes)
                for seed in range(arguments.draws)
            ]
            draws = [one.result() for one in waiting]
            print(f"{way}: mean (median, worst) of {arguments.draws} draws")
            for name in draws[0]:
                values = np.array([draw[name] for draw in draws])
                print(
                    f"  {name:46} {values.mean():7.4f} ({np.median(values):7.4f}, {worst(name, values):7.4f})"
                )


def worst(name: str, values: Array) -> float:
    return float(values.min() if name.startswith(("rank", "coverage")) else values.max())


if __name__ == "__main__":
    main()
