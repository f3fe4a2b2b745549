"""`coupage ablate` on arms whose effects are known.

    python -m benchmarks.trials.planted WORK [--seeds N] [--tokens N]

A small base model is trained on prose first, and every arm goes on from it. Scored are docstrings and code.
A third group, nearly all of the training data, has four sources of one size: `like`, more docstrings;
`plain`, more code; `copy`, the same code once more; and `shuffled`, other code with its words in disorder. A
filter drops half of all documents at random. What must come out: `like` helps docstrings, and more than
all others; `plain` and `copy` are worth the same, and help code more than `shuffled`; the filter has no
effect, nor has the null arm.

Prints a table for each question, and how many of 100 simulated null arms lie in their intervals.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trials.corpus import (
    LENGTH,
    base_model,
    base_tokenizer,
    pieces,
    shuffled,
    texts,
    train_base,
    write_recipe,
    write_source,
)
from pipelines.commands.ablate import ablate
from pipelines.commands.console import PlainConsole
from pipelines.evaluation.effects import Replicates, effects
from pipelines.graph.ablation import Kind

SCORED = ("docstrings", "code")
TEXT = "text"
SIMULATED = 100
TRAINING = {"optimizer": {"lr": 2.0e-3, "warmup": "5%"}, "rows_per_step": 4, "micro_batch_rows": 4}


def recipe_of(work: Path, found: dict[str, list[str]], tokens: int, seeds: int) -> Path:
    """The recipe, with sources that it reads from files beside it."""
    rng = random.Random(7)
    docstrings, code = (pieces(found[kind]) for kind in ("docstrings", "code"))
    rng.shuffle(docstrings)
    rng.shuffle(code)
    half = len(docstrings) // 2
    plain, others, scored = (code[start : start + half] for start in (0, half, 2 * half))
    sources = {
        "docstrings": docstrings[:half],
        "code": scored,
        "like": docstrings[half : 2 * half],
        "plain": plain,
        "copy": plain,
        "shuffled": [shuffled(text, rng) for text in others],
    }
    recipe: dict[str, Any] = {
        "name": "planted",
        "seed": 7,
        "sources": {
            name: {**write_source(work / f"{name}.jsonl", documents), **_domain(name)}
            for name, documents in sources.items()
        },
        "curate": {
            "rules": [{"datatrove": "SamplerFilter", "options": {"rate": 0.5, "seed": 3}}],
        },
        "dedup": {"exact": False, "minhash": None},
        "held_out": {"share": "5%", "tokens_per_group": "60k", "apart": "documents"},
        "tokenizer": {"base": base_tokenizer(work)},
        "mixtures": {
            "stage1": {
                "tokens": tokens,
                "sequence_length": LENGTH,
                "weights": {TEXT: 90, **dict.fromkeys(SCORED, 5)},
            }
        },
        "train": {"model": base_model(work), "stage1": TRAINING},
        "trials": {"tokens": tokens, "seeds": seeds, "train": TRAINING},
    }
    return write_recipe(work / "planted.yaml", recipe)


def _domain(name: str) -> dict[str, str]:
    return {} if name in SCORED else {"domain": TEXT}


def simulated_nulls(result: dict[str, Any], seeds: int) -> int:
    """Of `SIMULATED` null arms how many lie in their intervals, beside as many arms as were tried."""
    rng = np.random.default_rng(1)
    arms = len(result["items"])
    effect = result["null"]["effect"]
    noise = (effect["interval"][1] - effect["interval"][0]) / 8
    inside = 0
    for _ in range(SIMULATED):
        draws = rng.normal(0, noise, seeds)
        scores = [Replicates(2 + draws + rng.normal(0, noise, seeds), np.zeros(2)) for _ in range(arms + 2)]
        found = effects(scores[0], {str(number): each for number, each in enumerate(scores[1:])})
        inside += found["0"].verdict == "no effect"
    return inside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    console = PlainConsole(stderr=True)
    started = time.monotonic()
    read = texts(options.work)
    train_base(options.work, read, console)
    print(f"base model: {time.monotonic() - started:.0f} s")
    recipe = recipe_of(options.work, read, options.tokens, options.seeds)
    found = {}
    asked: list[tuple[Kind, list[str], list[str]]] = [
        ("sources", ["like", "shuffled", "plain", "copy"], ["curate.rules=[]"]),
        ("rules", [], []),
    ]
    for kind, only, settings in asked:
        started = time.monotonic()
        result = ablate(
            recipe,
            kind,
            only=only,
            settings=settings,
            workdir=options.work / "run",
            workers=options.workers,
            console=console,
        )
        found[kind] = result
        print(f"{kind}: {time.monotonic() - started:.0f} s, {result['cost']['trainings']} trainings")
        for entry in [*result["items"], {"item": "null", **result["null"]}]:
            for group in SCORED:
                effect = entry["groups"][group]
                low, high = effect["interval"]
                print(f"  {entry['item']:14} on {group:10} {effect['value']:+.4f} [{low:+.4f}, {high:+.4f}]"
                      f" {effect['verdict']}")  # fmt: skip
    inside = simulated_nulls(found["sources"], options.seeds)
    print(f"simulated null arms inside their intervals: {inside} of {SIMULATED}")
    (options.work / "planted.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
