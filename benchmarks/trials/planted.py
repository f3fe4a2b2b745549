"""`coupage ablate` on arms whose effects are known.

    python -m benchmarks.trials.planted WORK [--seeds N] [--tokens N]

One group of text has four sources: `like`, of the kind that is scored besides; `plain`, of another kind;
`copy`, the same texts as `plain` once more; and `shuffled`, these with their words in disorder. A filter
drops half of `plain` at random. What must come out on `target`: `like` helps most, `plain` and `copy` are
worth the same, `shuffled` is worth least; the filter has no effect,
nor has the null arm. Prints a table for each question, and how many of 100 simulated null arms lie in their
intervals.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.trials.corpus import LENGTH, SHAPE, shuffled, texts, write_source
from pipelines.commands.ablate import ablate
from pipelines.commands.console import PlainConsole
from pipelines.evaluation.effects import Replicates, effects

SIMULATED = 100


def write_recipe(work: Path, tokens: int, seeds: int) -> Path:
    """The recipe, with sources that it reads from files beside it."""
    rng = random.Random(7)
    found = texts(work)
    docstrings, code = found["docstrings"], found["code"]
    rng.shuffle(docstrings)
    half = len(docstrings) // 2
    sources = {
        "target": docstrings[:half],
        "like": docstrings[half:],
        "shuffled": [shuffled(text, rng) for text in code],
        "plain": code,
        "copy": code,
    }
    recipe: dict[str, Any] = {
        "name": "planted",
        "seed": 7,
        "sources": {
            name: {**write_source(work / f"{name}.jsonl", documents), **_domain(name)}
            for name, documents in sources.items()
        },
        "curate": {
            "rules": [
                {"datatrove": "SamplerFilter", "options": {"rate": 0.5, "seed": 3}, "sources": ["plain"]}
            ]
        },
        "dedup": {"exact": False, "minhash": None},
        "held_out": {"share": "5%", "tokens_per_group": "60k", "apart": "documents"},
        "tokenizer": {"train": {"vocabulary_size": 2048}},
        "mixtures": {
            "stage1": {
                "tokens": "4M",
                "sequence_length": LENGTH,
                "weights": {"text": 95, "target": 5},
                "on_shortage": "renormalize",
            }
        },
        "train": {
            "model": SHAPE,
            "stage1": {
                "optimizer": {"lr": 5.0e-3, "warmup": "5%"},
                "rows_per_step": 4,
                "micro_batch_rows": 4,
            },
        },
        "trials": {"tokens": tokens, "seeds": seeds},
    }
    path = work / "planted.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def _domain(name: str) -> dict[str, str]:
    return {} if name == "target" else {"domain": "text"}


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
    parser.add_argument("--tokens", type=int, default=400_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    recipe = write_recipe(options.work, options.tokens, options.seeds)
    console = PlainConsole(stderr=True)
    found = {}
    for kind, only in (("sources", ["like", "shuffled", "plain", "copy"]), ("rules", [])):
        started = time.monotonic()
        result = ablate(
            recipe, kind, only=only, workdir=options.work / "run", workers=options.workers, console=console
        )
        found[kind] = result
        print(f"{kind}: {time.monotonic() - started:.0f} s, {result['cost']['trainings']} trainings")
        for entry in [*result["items"], {"item": "null", **result["null"]}]:
            for group in ("target", "text"):
                effect = entry["groups"][group]
                low, high = effect["interval"]
                print(f"  {entry['item']:14} on {group:7} {effect['value']:+.4f} [{low:+.4f}, {high:+.4f}]"
                      f" {effect['verdict']}")  # fmt: skip
    inside = simulated_nulls(found["sources"], options.seeds)
    print(f"simulated null arms inside their intervals: {inside} of {SIMULATED}")
    (options.work / "planted.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
