"""The loss of new tokens beside that of their pieces, on the same documents."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.trainers.shards_folder import pack, write_shards
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from trainers.config import SmallModel
from trainers.evaluate import evaluate
from trainers.model import build_model, load_model
from trainers.new_token_scores import NewTokenScores, new_token_scores
from trainers.new_tokens.add import add_embeddings
from trainers.scores import Described

WORDS = [f"must malolactic maceration tannin barrel {number % 7}" for number in range(50)]


@pytest.fixture(scope="module")
def base_tokenizer() -> TokenizerFiles:
    return train_tokenizer([pa.array(["a must, a barrel"] * 9)], TokenizerTraining(vocabulary_size=512))


@pytest.fixture(scope="module")
def extended(base_tokenizer: TokenizerFiles) -> ChangedTokenizer:
    return extend_tokenizer(base_tokenizer, [pa.array(WORDS)], VocabularyExtension(tokens=30))


@pytest.fixture(scope="module")
def models(
    small: SmallModel,
    base_tokenizer: TokenizerFiles,
    extended: ChangedTokenizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    """A base, and the same with rows for new tokens."""
    folder = tmp_path_factory.mktemp("models")
    model = build_model(small, len(base_tokenizer.vocabulary), 64, seed=3)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(20)  # so that its losses differ
    model.save_pretrained(folder / "base")
    add_embeddings(model, extended.pieces)
    model.save_pretrained(folder / "model")
    return folder / "base", folder / "model"


@pytest.fixture(scope="module")
def texts(extended: ChangedTokenizer) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    ids = sorted(extended.files.vocabulary.values())[:-3]  # the last new tokens do not occur
    return [rng.choice(ids, int(rng.integers(1, 20))).astype(np.uint16) for _ in range(40)]


@pytest.fixture(scope="module")
def scores(
    models: tuple[Path, Path],
    texts: list[np.ndarray],
    base_tokenizer: TokenizerFiles,
    extended: ChangedTokenizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> NewTokenScores:
    folder = tmp_path_factory.mktemp("shards") / "shards"
    write_shards(folder, pack(texts, 32), masked=True, tokenizer=extended.files.hash)
    languages = {f"doc-{number}": "ru" if number % 2 else "en" for number in range(len(texts))}
    return new_token_scores(
        folder, models[1], models[0], base_tokenizer, extended.files, Described(languages), "float32"
    )


def in_pieces(extended: ChangedTokenizer, text: np.ndarray) -> np.ndarray:
    return np.array([piece for token in text.tolist() for piece in extended.pieces.get(token, (token,))])


def losses(model: Path, text: np.ndarray) -> np.ndarray:
    """Of each token but the first, by the model on the document alone."""
    ids = torch.from_numpy(text.astype(np.int64))[None]
    plain = load_model(model)
    plain.set_attn_implementation("sdpa")
    with torch.no_grad():
        logits = plain(ids).logits[0, :-1]
    found: np.ndarray = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").numpy()
    return found


def test_tokens_and_their_pieces_cost_what_the_models_say(
    scores: NewTokenScores, models: tuple[Path, Path], texts: list[np.ndarray], extended: ChangedTokenizer
) -> None:
    assert scores.positions == sum(int(np.isin(text, list(extended.pieces)).sum()) for text in texts)
    assert scores.tokens == sum(map(len, texts))
    seen = {token for text in texts for token in text.tolist()} & extended.pieces.keys()
    assert (scores.new_tokens, scores.used) == (len(extended.pieces), len(seen))
    assert len(seen) < len(extended.pieces)
    rows, flat = pack(texts, 32), 0
    new, old = [], []
    for number, row in enumerate(rows):
        for text in row:
            trained = (np.arange(flat, flat + len(text)) % 2 == 1) | (number % 2 == 0)
            flat += len(text)
            own, base = losses(models[1], text), losses(models[0], in_pieces(extended, text))
            at = 0
            for place, token in enumerate(text.tolist()):
                count = len(extended.pieces.get(token, (token,)))
                if place and trained[place] and token in extended.pieces:
                    new.append(own[place - 1])
                    old.append(base[at - 1 : at - 1 + count].sum())
                at += count
    assert scores.scored == len(new) > 10
    assert scores.loss == pytest.approx(np.mean(new), rel=1e-4)
    assert scores.pieces_loss == pytest.approx(np.mean(old), rel=1e-4)


def test_bits_per_byte_are_those_of_an_evaluation_on_each_ids(
    scores: NewTokenScores,
    models: tuple[Path, Path],
    texts: list[np.ndarray],
    extended: ChangedTokenizer,
    tmp_path: Path,
) -> None:
    own = evaluate(models[1], write_shards(tmp_path / "own", pack(texts, 32), masked=True), dtype="float32")
    assert scores.model.groups["web"].loss == pytest.approx(own.groups["web"].loss)
    assert scores.model.total.bits_per_byte == pytest.approx(own.total.bits_per_byte)
    old = [[in_pieces(extended, text).astype(np.uint16) for text in row] for row in pack(texts, 32)]
    before = evaluate(models[0], write_shards(tmp_path / "old", old), dtype="float32").groups["web"]
    assert scores.base.groups["web"].loss == pytest.approx(before.loss, rel=1e-4)
    assert scores.base.groups["web"].tokens == before.tokens
    assert scores.drift.keys() == {"web", "chat"} and scores.language_drift.keys() == {"en", "ru"}
    for name, drift in scores.drift.items():
        model, base = (each.groups[name].bits_per_byte for each in (scores.model, scores.base))
        assert model is not None and base is not None and drift == model - base
    assert scores.to_json()["drift"] == scores.drift


def test_shards_of_another_tokenizer_are_refused(
    models: tuple[Path, Path],
    texts: list[np.ndarray],
    base_tokenizer: TokenizerFiles,
    extended: ChangedTokenizer,
    tmp_path: Path,
) -> None:
    shards = write_shards(tmp_path / "shards", pack(texts, 32), tokenizer=base_tokenizer.hash)
    with pytest.raises(ValueError, match="another tokenizer"):
        new_token_scores(shards, models[1], models[0], base_tokenizer, extended.files)
    with pytest.raises(ValueError, match="embeddings"):
        made = write_shards(tmp_path / "more", pack(texts, 32), tokenizer=extended.files.hash)
        new_token_scores(made, models[0], models[0], base_tokenizer, extended.files)
