"""Under-trained tokens: those that training never saw are found, those that it saw are not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.trainers.shards_folder import pack, write_shards
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from trainers.config import Optimizer, SmallModel, StageTraining
from trainers.token_kinds import Kind, token_kinds
from trainers.train import train
from trainers.undertrained import DISTANCE, NORM, distances, find_undertrained

TEXTS = ["a must, a barrel and the quick brown foxes jump over lazy dogs while vintners sleep"] * 9
WORDS = [f"malolactic maceration tannin {number % 7} sediment fermentation cellar" for number in range(50)]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tokenizer, and the same with 40 more tokens."""
    folder = tmp_path_factory.mktemp("tokenizers")
    base = train_tokenizer([pa.array(TEXTS)], TokenizerTraining(vocabulary_size=512))
    base.save(folder / "base")
    extend_tokenizer(base, [pa.array(WORDS)], VocabularyExtension(tokens=40)).files.save(folder / "extended")
    return folder / "base", folder / "extended"


@pytest.fixture(scope="module")
def new(tokenizers: tuple[Path, Path]) -> list[int]:
    base, extended = (set(load_tokenizer(folder).vocabulary.values()) for folder in tokenizers)
    return sorted(extended - base)


@pytest.fixture(scope="module")
def unseen(new: list[int]) -> set[int]:
    return {new[7], new[30]}


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def trained(
    request: pytest.FixtureRequest,
    tokenizers: tuple[Path, Path],
    unseen: set[int],
    small: SmallModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A model that saw all tokens but two of the new ones, and those that no text has."""
    kinds = token_kinds(load_tokenizer(tokenizers[1]))
    seen = [number for number, token in kinds.items() if number not in unseen and not token.unused]
    rng = np.random.default_rng(3)
    texts = [rng.choice(seen, int(rng.integers(8, 60))).astype(np.uint16) for _ in range(300)]
    folder = tmp_path_factory.mktemp("trained")
    stage = StageTraining(
        optimizer=Optimizer(lr=1e-2, warmup=2),
        rows_per_step=8,
        dtype="float32",
        save_every=0,
        evaluate_every=0,
    )
    shape = small.model_copy(update={"tie_embeddings": request.param})
    return train(
        write_shards(folder / "shards", pack(texts)), stage, shape, folder / "model", tokenizers[1]
    ).output


def test_new_tokens_that_training_never_saw_are_found(
    trained: Path, tokenizers: tuple[Path, Path], new: list[int], unseen: set[int]
) -> None:
    for base in (tokenizers[0], tokenizers[0] / "tokenizer.json"):
        found = find_undertrained(trained, base)
        assert {token.id for token in found.under_trained} == unseen
        assert not found.asked  # it is too small to repeat anything
        assert found.new_tokens == len(new)
        assert found.indicator == (DISTANCE if found.tied else NORM)


def test_among_all_tokens_they_look_worst(trained: Path, unseen: set[int]) -> None:
    found = find_undertrained(trained, prompts=False)
    assert {token.id for token in found.under_trained} == {token.id for token in found.suspects[:2]} == unseen
    assert found.controls is None and all(token.probability is None for token in found.suspects)
    assert len(found.suspects) == pytest.approx(0.02 * found.ordinary, abs=1)


def speaking(folder: Path, tokenizer: TokenizerFiles, dumb: list[int], tied: bool) -> Path:
    """A model that says each token again, but for some whose embeddings are nearly nothing."""
    size = max(tokenizer.vocabulary.values()) + 1
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=64,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        tie_word_embeddings=tied,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.token_id(tokenizer.end_token),
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        rows = torch.randn(size, 64)
        rows[dumb] *= 1e-3
        model.get_input_embeddings().weight.copy_(rows)
        model.get_output_embeddings().weight.copy_(rows)
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return folder


def test_a_model_that_can_repeat_tells_dull_looks_from_ignorance(
    tokenizers: tuple[Path, Path], new: list[int], tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(tokenizers[1])
    dumb = [new[3]]
    folder = speaking(tmp_path / "model", tokenizer, dumb, tied=False)
    found = find_undertrained(folder, tokenizers[0])
    assert {token.id for token in found.under_trained} == set(dumb)
    assert found.controls == 1 and found.asked
    everything = find_undertrained(folder)
    assert {token.id for token in everything.under_trained} == set(dumb)
    said = [token for token in everything.suspects if not token.under_trained]
    assert said and all(token.probability is not None and token.probability > 0.9 for token in said)


def test_distances_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 6)).astype(np.float32) + np.float32(2)
    rows[40:] = 1
    found = distances(rows, [40, 41, 42])
    np.testing.assert_allclose(found["cosine"][40:], 0, atol=1e-6)
    np.testing.assert_allclose(found["L2"], np.linalg.norm(rows - 1, axis=1), rtol=1e-5)
    ones = np.ones(6) / np.sqrt(6)
    np.testing.assert_allclose(
        found["cosine"], 1 - rows @ ones / np.linalg.norm(rows, axis=1), rtol=1e-4, atol=1e-6
    )
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0))
    flat = rows - np.outer(rows @ directions[0], directions[0])
    mean = flat[40]
    expected = 1 - flat @ mean / (np.linalg.norm(flat, axis=1) * np.linalg.norm(mean))
    np.testing.assert_allclose(found["cosine without first component"], expected, rtol=1e-3, atol=1e-4)
    assert found["centred cosine"][:40].min() > found["centred cosine"][40:].max()


@pytest.mark.parametrize("spoil", ["no model", "no weights", "another base", "too few rows"])
def test_what_cannot_be_checked_is_refused(spoil: str, tokenizers: tuple[Path, Path], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tokenizers[1])
    folder = speaking(tmp_path / "model", tokenizer, [], tied=True)
    base: Path | None = None
    expected = {
        "no model": "There is no model",
        "no weights": "no weights as safetensors",
        "another base": "no extension",
        "too few rows": "do not belong together",
    }[spoil]
    if spoil == "no model":
        folder = tmp_path / "nothing"
    if spoil == "no weights":
        (folder / "model.safetensors").unlink()
    if spoil == "another base":
        base = tmp_path / "other"
        train_tokenizer([pa.array(["quite another text"] * 9)], TokenizerTraining(vocabulary_size=512)).save(
            base
        )
    if spoil == "too few rows":
        extend_tokenizer(tokenizer, [pa.array(["more words"] * 9)], VocabularyExtension(tokens=5)).files.save(
            folder
        )
    with pytest.raises(ValueError, match=expected):
        find_undertrained(folder, base)


def test_kinds_are_counted(trained: Path) -> None:
    found = find_undertrained(trained, prompts=False)
    assert found.kinds[Kind.BYTE] == 256 and found.kinds[Kind.UNREACHABLE] == 0
    assert found.to_json()["under_trained"] == len(found.under_trained)
