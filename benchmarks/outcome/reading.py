"""`python -m benchmarks.outcome.reading FOLDER`: a fact that stands in Stage 1, answered by retrieval.

A small base model is trained to answer from what stands before a question, and to say that it does not know
where nothing does; all names are new in every document, so it knows no fact by heart. Stage 1 then holds an
encyclopedia of planets that the base has never seen. `coupage outcome` asks for their colours: the base, the
base with a prompt, the base with the passages of Stage 1 that fit each question, and the model that was
trained on Stage 1.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from benchmarks.outcome.world import ABSTAINS, COLOURS, answered, asked, coupage, names

PLANETS = 200
READINGS = 16_000
PROMPT = "Every question is about a planet and its colour."

BASE = """\
name: reader
seed: {seed}
sources: {{readings: {{reader: files, path: readings.jsonl, language: en}}}}
dedup: {{exact: false, minhash: null}}
held_out: {{share: 1%, tokens_per_group: 10k, apart: documents}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures: {{stage1: {{tokens: {tokens}, sequence_length: 256, weights: {{readings: 1}}}}}}
train:
  model: {{hidden_size: 96, layers: 3, heads: 4, kv_heads: 4, intermediate_size: 256}}
  stage1: {{rows_per_step: 8, micro_batch_rows: 8, optimizer: {{lr: 3.0e-3}}}}
"""
RECIPE = """\
name: encyclopedia
seed: {seed}
sources:
  encyclopedia: {{reader: files, path: encyclopedia.jsonl, language: en}}
  readings: {{reader: files, path: readings.jsonl, language: en}}
dedup: {{minhash: null}}
held_out: {{share: 1%, tokens_per_group: 5k, apart: documents}}
tokenizer: {{base: {base}/tokenizer}}
mixtures:
  stage1: {{tokens: 100k, sequence_length: 256, weights: {{encyclopedia: 1, readings: 1}}, max_epochs: 20}}
train:
  model: {base}/train/stage1
  stage1: {{rows_per_step: 8, micro_batch_rows: 8, optimizer: {{lr: 3.0e-4}}}}
evaluate: {{batch_size: 32}}
outcome:
  general: [readings]
  prompt: {prompt}
  passages: {{number: 1}}
  facts: {{file: facts.jsonl, shots: 2, asked_shots: 0, exemplar_sets: 2, samples: 4, new_tokens: 8}}
"""


def entry(rng: random.Random, name: str, colour: str) -> str:
    """What the encyclopedia has of a planet."""
    moons, hours = rng.randint(2, 40), rng.randint(2, 9)
    return f"The planet {name} is {colour}. It has {moons} moons and turns in {hours} hours."


def reading(rng: random.Random) -> str:
    """A question behind the entry that answers it; now and then without one."""
    (name,) = names(rng, 1)
    colour = rng.choice(COLOURS)
    if rng.random() < 0.2:
        return answered("planet", name, ABSTAINS)
    return f"{entry(rng, name, colour)}\n\n{answered('planet', name, colour)}"


def write_world(folder: Path, seed: int) -> None:
    """Write what the base reads, the encyclopedia, and the facts that are asked."""
    rng = random.Random(seed)
    planets = {name: rng.choice(COLOURS) for name in names(rng, PLANETS)}
    lines = {
        "readings": [{"text": reading(rng)} for _ in range(READINGS)],
        "encyclopedia": [{"text": entry(rng, name, colour)} for name, colour in planets.items()],
        "facts": [
            {"question": asked("planet", name), "answers": [colour]} for name, colour in planets.items()
        ],
    }
    for name, found in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", default="1M", help="that the base is trained on")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    base = folder.absolute() / "base"
    write_world(folder, options.seed)
    (folder / "base.yaml").write_text(BASE.format(seed=options.seed, tokens=options.tokens))
    (folder / "recipe.yaml").write_text(
        RECIPE.format(seed=options.seed, base=base, prompt=json.dumps(PROMPT))
    )
    for recipe, run in (("base.yaml", "base"), ("recipe.yaml", "run")):
        coupage(folder, "run", recipe, "--workdir", run, "--quiet")
        coupage(folder, "train", run)
    content = json.loads(coupage(folder, "outcome", "run", "--json"))
    for kind in ("accuracy", "abstention", "invention"):
        (row,) = (row for row in content["tables"][f"facts_{kind}"]["rows"] if row["name"] == "all")
        for variant, score in row["scores"].items():
            low, high = score["interval"]
            print(f"{kind:10} {variant:16} {score['value']:.3f} [{low:.3f}, {high:.3f}]")
    for verdict in content["verdicts"]:
        print(f"{verdict['sentence']} {'; '.join(verdict['evidence'])}")


if __name__ == "__main__":
    main()
