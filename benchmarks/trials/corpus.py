"""Sources whose worth is known: code and prose of the Python installation, copies of them, and noise."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import yaml

from pipelines.commands.run import run

LIMIT = "6MB"
SHAPE = {"hidden_size": 64, "layers": 2, "heads": 2, "kv_heads": 2, "intermediate_size": 192}
LENGTH = 256


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


def shuffled(text: str, rng: random.Random) -> str:
    """The same words in an order without sense."""
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


def noise(like: list[str], rng: random.Random) -> list[str]:
    """As many texts of as many characters, of letters drawn one by one."""
    letters = "abcdefghijklmnopqrstuvwxyz      "
    return ["".join(rng.choices(letters, k=len(text))) for text in like]
