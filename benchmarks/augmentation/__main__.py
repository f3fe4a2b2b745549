"""Closed-book accuracy of a small model after raw text, paraphrases, and augmented text, of equal tokens.

    python -m benchmarks.augmentation [--seeds N] [--people N] [--tokens N] [--work FOLDER]

For each seed: a world of invented people and companies, one document each. A server on loopback stands for a
strong model: it reads the facts in what it is asked and writes them in other words. Three arms of shards,
built by `coupage run` and trained by `coupage train` from new weights, hold the same number of tokens:

raw           the documents, repeated
paraphrased   the same facts in the same order and direction, in many other words, and the documents; like
              these it names its subject once and then says `they`
augmented     what `augment` makes (relations, walks, study, FAQ, tables, tutorials), and the documents

A quarter of the tokens of every arm are questions, with answers, about half of the entities; so all know the
form. The model is then asked about the other half, without any text: forward ("Where was X born?"), reversed
("Who was born in X?"), and across documents ("In which town does X work?", where one document says for whom
X works, another where that is). Its answer counts if it is right to the letter (free), or if it finds it
likelier than nine others (choice).

Printed is also the diversity of what each arm reads. The result has means over seeds, and for the step from
each arm to the next the mean of the paired differences with its 95 % interval (Student's t over seeds).
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

import coupage
from benchmarks.augmentation.closed_book import ClosedBook
from benchmarks.augmentation.texts import arms, write_jsonl
from benchmarks.augmentation.world import FORMS, World
from benchmarks.student import half_interval
from pipelines.synthesis.diversity import compression_ratio, distinct_ngrams, sample_words

SAMPLE_WORDS = 20_000
NEW_WEIGHT = {"raw": 0, "paraphrased": 60, "augmented": 60}
"""Of each arm the share of new text; 25 are questions, the rest is raw text."""
STAGES = {arm: f"stage{number}" for number, arm in enumerate(NEW_WEIGHT, 1)}


def recipe(tokens: int, seed: int, options: argparse.Namespace) -> dict:
    sources = {
        name: {"reader": "files", "path": f"{name}.jsonl"}
        for name in ("questions", "raw", "paraphrased", "augmented")
    }
    mixtures = {
        STAGES[arm]: {
            "tokens": tokens,
            "sequence_length": 256,
            "weights": {
                name: weight
                for name, weight in {"questions": 25, "raw": 75 - new, arm: new or 75}.items()
                if weight
            },
            "max_epochs": 10_000,
        }
        for arm, new in NEW_WEIGHT.items()
    }
    training = {
        "from": "model",
        "optimizer": {"lr": options.lr, "warmup": "5%"},
        "rows_per_step": options.rows,
        "micro_batch_rows": options.rows,
        "evaluate_every": 0,
        "save_every": 0,
        "seed": seed,
    }
    return {
        "name": "augmentation",
        "seed": seed,
        "sources": sources,
        "held_out": {"share": 0},
        "tokenizer": {"train": {"vocabulary_size": 4096}},
        "mixtures": mixtures,
        "train": {
            "model": {
                "hidden_size": options.hidden,
                "layers": options.layers,
                "heads": options.hidden // 32,
                "kv_heads": options.hidden // 32,
                "intermediate_size": 3 * options.hidden,
            },
            **dict.fromkeys(STAGES.values(), training),
        },
    }


def variety(texts: list[str]) -> str:
    sample = sample_words(texts, SAMPLE_WORDS)
    distinct = " ".join(f"{distinct_ngrams(sample, n) or 0:.3f}" for n in (1, 2, 3))
    return f"distinct-1, 2, 3: {distinct}, compressed {compression_ratio(sample) or 0:.1f} times"


def one_seed(seed: int, folder: Path, options: argparse.Namespace) -> dict:
    world = World(options.people, seed)
    texts = arms(world, folder / "prompts")
    for name, found in {"questions": [q.document for q in world.shown], **texts}.items():
        write_jsonl(folder / f"{name}.jsonl", found)
        print(
            f"  {name}: {len(found):,} texts, {sum(map(len, found)):,} characters, {variety(found)}",
            flush=True,
        )
    path = folder / "augmentation.yaml"
    path.write_text(yaml.safe_dump(recipe(options.tokens, seed, options)))
    coupage.run(path, workdir=folder / "run")
    scores = {}
    for arm in options.arms:
        began = time.monotonic()
        coupage.train(folder / "run", stage=STAGES[arm])
        trained = ClosedBook(folder / "run" / "train" / STAGES[arm])
        scores[arm] = trained.scores(world.asked)
        shown = trained.scores(world.shown)["all"]["free"]
        print(
            f"  {arm} ({time.monotonic() - began:.0f} s; shown questions {shown:.2f}): {scores[arm]}",
            flush=True,
        )
    return scores


def print_result(scores: list[dict]) -> None:
    names = list(scores[0])
    for way in ("free", "choice"):
        print(f"\n{way:<14}" + "".join(f"{form:>22}" for form in (*FORMS, "all")))
        for before, arm in zip([None, *names], names, strict=False):
            print(f"{arm:<14}" + "".join(_cell(scores, before, arm, form, way) for form in (*FORMS, "all")))


def _cell(scores: list[dict], before: str | None, arm: str, form: str, way: str) -> str:
    values = np.array([one[arm][form][way] for one in scores])
    cell = f"{values.mean():.1%}"
    if before and len(scores) > 1:
        steps = values - [one[before][form][way] for one in scores]
        cell += f" ({100 * steps.mean():+.0f} ± {100 * half_interval(steps):.0f})"
    return f"{cell:>22}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (
        ("seeds", 3),
        ("people", 64),
        ("tokens", 300_000),
        ("hidden", 96),
        ("layers", 3),
        ("rows", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--arms", nargs="+", choices=list(NEW_WEIGHT), default=list(NEW_WEIGHT))
    parser.add_argument("--work", type=Path, help="keep the runs here")
    options = parser.parse_args()
    folder = options.work or Path(tempfile.mkdtemp())
    scores = []
    for seed in range(1, options.seeds + 1):
        print(f"seed {seed}", flush=True)
        (folder / str(seed)).mkdir(parents=True)
        scores.append(one_seed(seed, folder / str(seed), options))
        (folder / "scores.json").write_text(json.dumps(scores, indent=1))
    print_result(scores)


if __name__ == "__main__":
    main()
