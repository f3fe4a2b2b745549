"""`coupage search` against the truth: every mixture of a grid, really trained on.

    python -m benchmarks.trials.grid WORK [--seeds N] [--tokens N] [--step N]

A small base model is trained on prose first. Then three groups may be mixed: `code`, `docstrings` and
`noise`, which is worth nothing. Every mixture of the simplex grid is trained on with several seeds. `coupage
search` sees only its own probes; the mixture that it names is trained with the same seeds as the grid.

Printed is the regret, the mean bits per byte of code and docstrings above the best of the grid, of: search,
its first prediction without a confirm round, equal shares, shares by size, the best of so many random
mixtures of the grid as could be tried with the trainings of the search, and a straight line between the
corners. Then `docstrings` is there twice: the two copies together should get what one gets.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trials.corpus import (
    LENGTH,
    base_model,
    base_tokenizer,
    noise,
    pieces,
    texts,
    train_base,
    write_recipe,
    write_source,
)
from pipelines.commands.console import PlainConsole
from pipelines.commands.run import run_stages_of
from pipelines.commands.search import search
from pipelines.commands.trials import Round, RunChosen, Tried, train_on

TARGETS = ("code", "docstrings")
TRAINING = {"optimizer": {"lr": 2.0e-3, "warmup": "5%"}, "rows_per_step": 4, "micro_batch_rows": 4}


def recipe_of(work: Path, groups: dict[str, list[str]], tokens: int, seeds: int, name: str) -> Path:
    """A recipe that goes on from the base model with some groups, in equal shares."""
    recipe: dict[str, Any] = {
        "name": name,
        "seed": 5,
        "sources": {
            group: write_source(work / f"{name}-{group}.jsonl", each) for group, each in groups.items()
        },
        "dedup": {"exact": False, "minhash": None},
        "held_out": {"share": "5%", "tokens_per_group": "40k", "apart": "documents"},
        "tokenizer": {"base": base_tokenizer(work)},
        "mixtures": {
            "stage1": {"tokens": tokens, "sequence_length": LENGTH, "weights": dict.fromkeys(groups, 1)}
        },
        "train": {"model": base_model(work), "stage1": TRAINING},
        "trials": {"tokens": tokens, "seeds": seeds, "train": TRAINING},
        "search": {"targets": dict.fromkeys(TARGETS, 1)},
    }
    return write_recipe(work / f"{name}.yaml", recipe)


def grid(step: int) -> list[dict[str, float]]:
    """Every mixture of three groups in parts of `1 / step`."""
    parts = (p for p in itertools.product(range(step + 1), repeat=2) if sum(p) <= step)
    return [{"code": a / step, "docstrings": b / step, "noise": (step - a - b) / step} for a, b in parts]


def losses(tried: Tried) -> np.ndarray:
    """`[seeds]`: the mean bits per byte of the targets."""
    return np.mean([tried.scores[target] for target in TARGETS], axis=0)


def regrets(run_chosen: RunChosen, step: int, seeds: int, found: dict[str, Any]) -> dict[str, Any]:
    """How far the mixtures that each way names are above the best of the grid."""
    mixtures = grid(step)
    truth = train_on(run_chosen, mixtures, seeds)
    scores = np.array([losses(each) for each in truth.tried])
    means = scores.mean(axis=1)
    noise_ = np.sqrt(((scores - scores.mean(axis=1, keepdims=True)) ** 2).sum() / (len(scores) * (seeds - 1)))
    named = {
        "search": found["weights"] or found["own"],
        "search, first prediction": found["candidates"][0]["shares"],
        "equal shares": dict.fromkeys(mixtures[0], 1 / 3),
        "by size": _by_size(train_on(run_chosen, [None], seeds)),
        "line between corners": mixtures[int(np.argmin(_line(mixtures, means)))],
    }
    ours = train_on(run_chosen, named.values(), seeds)
    tries = found["cost"]["trainings"] // seeds
    rng = np.random.default_rng(3)
    drawn = [means[rng.choice(len(means), min(tries, len(means)), replace=False)].min() for _ in range(2000)]
    best = float(means.min())
    return {
        "mixtures": mixtures,
        "means": means.tolist(),
        "noise of a mean": float(noise_ / np.sqrt(seeds)),
        "best of the grid": mixtures[int(np.argmin(means))],
        "spread": float(means.max() - best),
        "median regret of a mixture": float(np.median(means) - best),
        "named": named,
        "regret": {
            name: float(losses(each).mean() - best) for name, each in zip(named, ours.tried, strict=True)
        }
        | {f"best of {tries} random mixtures": float(np.mean(drawn) - best)},
    }


def _by_size(own: Round) -> dict[str, float]:
    supply = own.supply
    return {group: amount / sum(supply.values()) for group, amount in supply.items()}


def _line(mixtures: list[dict[str, float]], means: np.ndarray) -> np.ndarray:
    """What each mixture gives by a straight line between the corners."""
    weights = np.array([list(mixture.values()) for mixture in mixtures])
    corners = [int(np.argmax(weights[:, group])) for group in range(weights.shape[1])]
    return weights @ means[corners]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--step", type=int, default=5, help="21 mixtures by 5, 15 by 4")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    work, console = options.work, PlainConsole(stderr=True)
    started = time.monotonic()
    found = texts(work)
    train_base(work, found, console)
    print(f"base model: {time.monotonic() - started:.0f} s")

    rng = random.Random(3)
    groups = {kind: pieces(found[kind]) for kind in TARGETS}
    groups["noise"] = noise(groups["docstrings"], rng)
    recipe = recipe_of(work, groups, options.tokens, options.seeds, "grid")
    settings: dict[str, Any] = {"workdir": work / "grid", "workers": options.workers, "console": console}
    started = time.monotonic()
    answer = search(recipe, **settings)
    print(f"search: {time.monotonic() - started:.0f} s, {answer['cost']['trainings']} trainings")
    result = regrets(partial(run_stages_of, recipe, **settings), options.step, options.seeds, answer)
    print(
        json.dumps(
            {key: value for key, value in result.items() if key not in ("mixtures", "means")}, indent=1
        )
    )

    twice = {"code": groups["code"], "docstrings": groups["docstrings"], "again": groups["docstrings"]}
    recipe = recipe_of(work, twice, options.tokens, options.seeds, "twice")
    copies = search(recipe, **settings | {"workdir": work / "twice"})
    print(
        json.dumps({name: copies[name] for name in ("weights", "own", "intervals", "candidates")}, indent=1)
    )
    (work / "grid.json").write_text(
        json.dumps({"search": answer, "truth": result, "copies": copies}, indent=1)
    )


if __name__ == "__main__":
    main()
