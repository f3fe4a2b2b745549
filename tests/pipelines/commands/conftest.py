import json
import random
from pathlib import Path

import pytest

from tests.pipelines.corpus import document, sentence
from tests.trainers.shards_folder import VOCABULARY, documents, pack, write_shards
from trainers.config import SmallModel
from trainers.model import build_model


def write_lines(path: Path, records: list[object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Documents that pass Gopher's quality rules, each unlike the others."""
    rng = random.Random(5)
    return [document(rng, 30) for _ in range(40)]


@pytest.fixture(scope="session")
def large_file(tmp_path_factory) -> Path:
    """About 35 MB of JSON lines, several parts: all documents are distinct but every tenth, a copy."""
    rng = random.Random(6)
    sentences = [sentence(rng) for _ in range(4000)]
    made: list[str] = []
    for number in range(1000):
        made.append(
            made[rng.randrange(number)] if number % 10 == 9 else " ".join(rng.choices(sentences, k=600))
        )
    return write_lines(tmp_path_factory.mktemp("large") / "large.jsonl", [{"text": text} for text in made])


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> Path:
    return write_shards(tmp_path_factory.mktemp("shards") / "plain", pack(documents(60, seed=1)))


@pytest.fixture(scope="session")
def masked_shards(tmp_path_factory) -> Path:
    return write_shards(
        tmp_path_factory.mktemp("shards") / "masked", pack(documents(20, seed=2)), masked=True
    )


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> tuple[Path, Path]:
    """Two models with different weights."""
    shape = SmallModel(hidden_size=32, layers=2, heads=4, kv_heads=2, intermediate_size=48)
    folders = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    for seed, folder in enumerate(folders):
        build_model(shape, VOCABULARY, sequence_length=64, seed=seed).save_pretrained(folder)
    return folders
