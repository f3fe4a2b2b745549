from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.trainers.shards_folder import VOCABULARY, documents, pack, write_shards
from trainers.config import Optimizer, SmallModel, StageTraining


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models gain nothing from threads, and the runs that are killed have one too: the same bits."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("shards") / "train", pack(documents(150, seed=1)))


@pytest.fixture(scope="session")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(
        tmp_path_factory.mktemp("shards") / "held_out", pack(documents(13, seed=2)), masked=True
    )


@pytest.fixture(scope="session")
def small() -> SmallModel:
    return SmallModel(hidden_size=32, layers=2, heads=4, kv_heads=2, intermediate_size=48)


@pytest.fixture(scope="session")
def stage() -> StageTraining:
    return StageTraining(
        optimizer=Optimizer(lr=1e-2, warmup=2), rows_per_step=4, micro_batch_rows=2, dtype="float32"
    )


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    vocabulary = {"<end>": 0} | {f"w{number}": number for number in range(1, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    return folder
