"""`python -m benchmarks.outcome.remedies FOLDER`: what each remedy gives back to a model that forgot.

Each seed makes the world of `benchmarks.outcome`, trains a base on it and then on the domain alone, which
makes it forget general text. Every text begins with a token of its own, after which the base can write from
nothing. It prints how many bits per byte each remedy gives back, and what it costs the
domain, with intervals, and the verdict.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from benchmarks.outcome.__main__ import TOKENS
from benchmarks.outcome.world import FORM, RECIPE, ROWS, TUNED, coupage, write_world
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

STAGE = "narrow"
SOURCES = ("general.jsonl", "domain.jsonl", "russian.jsonl", "questions.jsonl")
REMEDIES = "{replay: [10%, 25%, 50%], lr: [0.3], self_replay: [10%, 25%, 50%]}"
MERGED = "[0.5]"


def outcome(folder: Path, seed: int) -> dict[str, Any]:
    """What `coupage outcome` gives of the model that forgot; what is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "recipe.yaml").exists():
        write_world(folder, seed)
        write_tokenizer(folder)
        recipe = RECIPE.format(seed=seed, tokens=TOKENS, rows=ROWS, tuned=TUNED, form=json.dumps(FORM))
        trained = "tokenizer: {train: {vocabulary_size: 700}}"
        assert trained in recipe
        (folder / "recipe.yaml").write_text(recipe.replace(trained, "tokenizer: {base: tokenizer}"))
    coupage(folder, "run", "recipe.yaml", "--workdir", "run", "--quiet")
    for stage in ("stage1", STAGE):
        if not (folder / "run" / "train" / stage / "training.json").exists():
            coupage(folder, "train", "run", "--stage", stage, "--set", f"train.{STAGE}.from=stage1")
    asked = (f"outcome.remedies={REMEDIES}", f"outcome.merge={MERGED}")
    settings = [word for each in asked for word in ("--set", each)]
    found: dict[str, Any] = json.loads(coupage(folder, "outcome", "run", *settings, "--json"))
    return found


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of the world's texts that begins each with the token that ends one, as GPT-2's may."""
    texts = [json.loads(line)["text"] for path in SOURCES for line in (folder / path).open()]
    files = train_tokenizer([pa.array(texts)], TokenizerTraining(vocabulary_size=700))
    files.save(folder / "tokenizer")
    path = folder / "tokenizer" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    begin = files.end_token
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, files.token_id(begin))]
    )
    tokenizer.save(str(path))


def in_words(change: dict[str, Any]) -> str:
    low, high = change["interval"]
    return f"{change['value']:+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for seed in range(options.seeds):
        content = outcome(options.folder / str(seed), seed)
        rows = {row["name"]: row for row in content["tables"]["held_out"]["rows"]}
        print(f"seed {seed}: bits per byte less {STAGE}'s")
        lost = {name: in_words(rows[name]["differences"][STAGE]) for name in ("general", "domain")}
        print(f"  {STAGE} less the base: general {lost['general']}, domain {lost['domain']}")
        for name in rows["general"]["from_tuned"]:
            found = {each: in_words(rows[each]["from_tuned"][name]) for each in ("general", "domain")}
            print(f"  {name}: general {found['general']}, domain {found['domain']}")
        (verdict,) = [each for each in content["verdicts"] if each["name"] == "a remedy helps"]
        print(f"  {verdict['sentence']}")


if __name__ == "__main__":
    main()
