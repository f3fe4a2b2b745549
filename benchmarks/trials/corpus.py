"""A base model, and sources whose worth is known: code and prose of the Python installation, and noise."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import yaml
from rich.console import Console

from pipelines.commands.run import run
from pipelines.commands.train import train

LIMIT = "6MB"
SHAPE = {"hidden_size": 64, "layers": 2, "heads": 2, "kv_heads": 2, "intermediate_size": 192}
LENGTH = 256
PIECE = 1500
BASE = "base"


def texts(work: Path) -> dict[str, list[str]]:
    """Texts of each kind, as `coupage run` reads them: `code`, `docstrings` and `documentation`."""
    kinds = ("code", "docstrings", "documentation")
    recipe = {
        "name": "texts",
        "sources": {
            kind: {"reader": "python_environment", "content": kind, "limit": LIMIT} for kind in kinds
        },
        "tokenizer": {"train": {"vocabulary_size": 512}},
        "mixtures": {"stage1": {"tokens": 1000, "sequence_length": 64, "weights": dict.fromkeys(kinds, 1)}},
    }
    work.mkdir(parents=True, exist_ok=True)
    file = work / "texts.yaml"
    file.write_text(yaml.safe_dump(recipe))
    made = run(file, workdir=work / "texts", until="ingest")
    return {
        ingest.scope: [
            text
            for part in ingest.part_names(made.folder)
            for text in pq.read_table(ingest.path(made.folder, part), columns=["text"])["text"].to_pylist()
        ]
        for ingest in made.graph.ingests
    }


def write_source(path: Path, documents: list[str]) -> dict[str, Any]:
    """Write a source of texts; returns what a recipe says of it."""
    path.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in documents))
    return {"reader": "files", "path": str(path)}


def pieces(documents: list[str]) -> list[str]:
    """The documents cut at ends of lines into texts of `PIECE` characters or a little more."""
    found, lines, length = [], [], 0
    for document in documents:
        for line in document.splitlines():
            lines.append(line)
            length += len(line)
            if length >= PIECE:
                found.append("\n".join(lines))
                lines, length = [], 0
    return found


def shuffled(text: str, rng: random.Random) -> str:
    """The same words in an order without sense."""
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


def noise(like: list[str], rng: random.Random) -> list[str]:
    """As many texts of as many characters, of letters drawn one by one."""
    letters = "abcdefghijklmnopqrstuvwxyz      "
    return ["".join(rng.choices(letters, k=len(text))) for text in like]


def train_base(work: Path, found: dict[str, list[str]], console: Console) -> None:
    """Train the base model, which goes on to other texts then: on prose, and a little of the rest."""
    recipe: dict[str, Any] = {
        "name": BASE,
        "seed": 5,
        "sources": {kind: write_source(work / f"{kind}.jsonl", texts) for kind, texts in found.items()},
        "held_out": {"share": "3%", "tokens_per_group": "30k", "apart": "documents"},
        "tokenizer": {"train": {"vocabulary_size": 2048}},
        "mixtures": {
            "stage1": {
                "tokens": "1M",
                "sequence_length": LENGTH,
                "weights": {"documentation": 90, "code": 5, "docstrings": 5},
            }
        },
        "train": {
            "model": SHAPE | {"positions": LENGTH},
            "stage1": {
                "optimizer": {"lr": 3.0e-3, "warmup": "5%"},
                "rows_per_step": 4,
                "micro_batch_rows": 4,
            },
        },
    }
    run(write_recipe(work / f"{BASE}.yaml", recipe), workdir=work / BASE, console=console)
    train(work / BASE, resume=True, console=console)


def base_model(work: Path) -> str:
    """Where the base model is."""
    return str((work / BASE / "train/stage1").absolute())


def base_tokenizer(work: Path) -> str:
    """And its tokenizer."""
    return str((work / BASE / "tokenizer").absolute())


def write_recipe(path: Path, recipe: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path
