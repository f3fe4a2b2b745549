"""A model whose tokenizer was extended: rows for the new tokens, and a phase that trains these alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.trainers.shards_folder import documents, pack, write_shards
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from trainers.checkpoint import checkpoints
from trainers.config import Adapter, Phase, SmallModel, StageTraining
from trainers.model import build_model
from trainers.train import train

TEXTS = pa.array([f"must malolactic maceration tannin barrel {number % 7}" for number in range(50)])
ADDED = 20
PHASES = (Phase(train="new_embeddings", steps=4), Phase(train="all"))


@pytest.fixture(scope="module")
def base_tokenizer() -> TokenizerFiles:
    return train_tokenizer([pa.array(["a must, a barrel"] * 9)], TokenizerTraining(vocabulary_size=512))


@pytest.fixture(scope="module")
def extended(base_tokenizer: TokenizerFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = extend_tokenizer(base_tokenizer, [TEXTS], VocabularyExtension(tokens=ADDED))
    assert len(made.pieces) == ADDED
    folder = tmp_path_factory.mktemp("extended")
    made.files.save(folder)
    return folder


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def base(
    request: pytest.FixtureRequest,
    small: SmallModel,
    base_tokenizer: TokenizerFiles,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("base")
    base_tokenizer.save(folder)
    shape = small.model_copy(update={"tie_embeddings": request.param})
    build_model(shape, len(base_tokenizer.vocabulary), 64, seed=3).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows(base_tokenizer: TokenizerFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    ids = len(base_tokenizer.vocabulary) + ADDED
    folder = tmp_path_factory.mktemp("rows") / "shards"
    return write_shards(folder, pack(documents(80, seed=4, vocabulary=ids)))


@pytest.fixture(scope="module")
def trained(
    base: Path, rows: Path, extended: Path, stage: StageTraining, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    optimizer = stage.optimizer.model_copy(update={"weight_decay": 0.5})
    wanted = stage.model_copy(
        update={
            "phases": PHASES,
            "optimizer": optimizer,
            "max_steps": 6,
            "save_every": 1,
            "keep_checkpoints": 9,
        }
    )
    output = tmp_path_factory.mktemp("trained") / "run"
    return train(rows, wanted, base, output, extended).output


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _embeddings(folder: Path) -> dict[str, torch.Tensor]:
    return {name: w for name, w in _weights(folder).items() if "embed_tokens" in name or "lm_head" in name}


def _bits(tensor: torch.Tensor) -> np.ndarray:
    return tensor.contiguous().view(torch.int32).numpy()


def test_only_the_new_rows_train_in_their_phase(
    base: Path, trained: Path, base_tokenizer: TokenizerFiles
) -> None:
    old = len(base_tokenizer.vocabulary)
    before, saved = _weights(base), [_weights(folder) for folder in checkpoints(trained)]
    new = slice(old, old + ADDED)
    for name in _embeddings(base):
        for one in saved[:4]:
            np.testing.assert_array_equal(_bits(one[name][:old]), _bits(before[name]))
        moved = (saved[0][name][new] != saved[3][name][new]).any(dim=1)
        # An input embedding that is no output embedding too moves only when its token is seen.
        assert moved.sum() > ADDED / 2 if len(_embeddings(base)) == 2 else moved.all()
        assert not torch.equal(saved[5][name][:old], before[name])
    inner = before.keys() - _embeddings(base).keys()
    assert all(torch.equal(one[name], before[name]) for one in saved[:4] for name in inner)
    assert not all(torch.equal(saved[5][name], before[name]) for name in inner)


def test_new_rows_begin_as_the_mean_of_their_pieces(
    base: Path,
    rows: Path,
    extended: Path,
    base_tokenizer: TokenizerFiles,
    stage: StageTraining,
    tmp_path: Path,
) -> None:
    optimizer = stage.optimizer.model_copy(update={"lr": 1e-30})
    still = stage.model_copy(update={"max_steps": 1, "optimizer": optimizer})
    output = train(rows, still, base, tmp_path / "still", extended).output
    definition = json.loads((extended / "tokenizer.json").read_text())
    vocabulary = definition["model"]["vocab"]
    left, right = definition["model"]["merges"][-ADDED]
    model = AutoModelForCausalLM.from_pretrained(output)
    for name, weight in _embeddings(base).items():
        expected = (weight[vocabulary[left]] + weight[vocabulary[right]]) / 2
        torch.testing.assert_close(_weights(output)[name][vocabulary[left + right]], expected)
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == (len(_embeddings(base)) == 1)
    assert model.config.vocab_size == len(model.get_input_embeddings().weight) >= len(vocabulary)


def test_a_run_resumed_in_the_phase_continues_identically(
    base: Path, rows: Path, extended: Path, stage: StageTraining, trained: Path, tmp_path: Path
) -> None:
    recorded = json.loads((trained / "training.json").read_text())["stage"]
    middle = checkpoints(trained)[1]
    shutil.copytree(middle, tmp_path / "run" / middle.name)
    again = train(
        rows, StageTraining.model_validate(recorded), base, tmp_path / "run", extended, resume=True
    ).output
    found, expected = _weights(again), _weights(trained)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_cannot_be_is_refused(
    base: Path, rows: Path, extended: Path, small: SmallModel, stage: StageTraining, tmp_path: Path
) -> None:
    phased = stage.model_copy(update={"phases": PHASES})
    few = write_shards(tmp_path / "few", pack(documents(20, seed=5)))
    for model, tokenizer in ((base, base), (base, None), (small, extended)):
        with pytest.raises(ValueError, match="knows all tokens of the tokenizer"):
            train(few, phased, model, tmp_path / "a", tokenizer)
    with pytest.raises(ValueError, match=f"{ADDED} tokens .* adapter"):
        train(rows, stage.model_copy(update={"adapter": Adapter()}), base, tmp_path / "b", extended)
    unrelated = json.loads((extended / "tokenizer.json").read_text())
    vocabulary = unrelated["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    shutil.copytree(extended, tmp_path / "unrelated")
    (tmp_path / "unrelated" / "tokenizer.json").write_text(json.dumps(unrelated))
    with pytest.raises(ValueError, match="no extension"):
        train(few, stage, base, tmp_path / "c", tmp_path / "unrelated")
    with pytest.raises(ValueError, match="first phase"):
        StageTraining(phases=(Phase(train="embeddings", steps=1), Phase(train="new_embeddings")))
    with pytest.raises(ValueError, match="number of `steps`"):
        StageTraining(phases=(Phase(train="new_embeddings", steps="10%"), Phase(train="all")))
