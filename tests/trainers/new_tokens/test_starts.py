"""The ways in which the rows of new tokens begin."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from mixers.shards import Shards
from tests.trainers.new_tokens.changed_models import (
    TEXTS,
    Changed,
    base_model,
    base_tokenizer,
    change,
    tables,
    text_rows,
)
from trainers.config import FirstEmbeddings, NewTokens
from trainers.model import load_model
from trainers.new_tokens.add import add_embeddings
from trainers.new_tokens.combinations import Combinations
from trainers.new_tokens.pieces import combine, earlier, later, longer, mean
from trainers.new_tokens.pursuit import matching_pursuit
from trainers.new_tokens.states import hidden_states

STARTS: tuple[FirstEmbeddings, ...] = ("mean", "position", "length", "omp", "distill", "random")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    return change(base_tokenizer(), "extended", tmp_path_factory.mktemp("extended"))


@pytest.fixture(scope="module")
def shards(extended: Changed, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    return Shards.open(text_rows(extended.folder, tmp_path_factory.mktemp("rows") / "shards"))


@pytest.fixture(scope="module")
def bases(extended: Changed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        shape: base_model(shape, extended.base, 336, tmp_path_factory.mktemp("base"))
        for shape in ("qwen3 tied", "qwen3 untied", "phi, whose head has a bias")
    }


def _begun(base: Path, extended: Changed, shards: Shards, start: FirstEmbeddings) -> PreTrainedModel:
    model = load_model(base)
    add_embeddings(model, extended.pieces, NewTokens(start=start), extended.base, shards)
    return model


@pytest.mark.parametrize("shape", ["qwen3 tied", "qwen3 untied", "phi, whose head has a bias"])
@pytest.mark.parametrize("start", STARTS)
def test_old_rows_stay_and_new_ones_differ_from_each_other(
    shape: str, start: FirstEmbeddings, bases: dict[str, Path], extended: Changed, shards: Shards
) -> None:
    before, model = load_model(bases[shape]), _begun(bases[shape], extended, shards, start)
    old = extended.new[0]
    for name, table in tables(model).items():
        assert len(table) == 384 and table.isfinite().all()
        assert torch.equal(table[:old], tables(before)[name][:old])
        assert len(table[extended.new].unique(dim=0)) == len(extended.new)
        free = table[extended.new[-1] + 1 :]
        torch.testing.assert_close(free, tables(before)[name].mean(dim=0).expand_as(free))


def test_the_same_seed_gives_the_same_random_rows(bases: dict[str, Path], extended: Changed) -> None:
    rows = []
    for seed in (1, 1, 2):
        model = load_model(bases["qwen3 untied"])
        add_embeddings(model, extended.pieces, NewTokens(start="random"), seed=seed)
        rows.append(tables(model)["input"][extended.new])
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0], rows[2])


def test_weights_of_pieces(extended: Changed) -> None:
    pieces = (68, 266, 70)
    assert mean(pieces) == [1, 1, 1]
    np.testing.assert_allclose(np.divide(later(pieces)[1:], later(pieces)[:-1]), np.exp(2))
    assert earlier(pieces) == later(pieces)[::-1]
    names = {number: token for token, number in extended.base.vocabulary.items()}
    assert longer(extended.base)(pieces) == [len(names[piece]) for piece in pieces]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=6))
def test_weighted_means_are_those_of_the_pieces(tokens: list[list[int]]) -> None:
    old = torch.arange(30.0).reshape(10, 3) ** 1.5
    for weighting in (mean, later, earlier):
        rows = combine([tuple(pieces) for pieces in tokens], weighting).rows(old)
        for row, pieces in zip(rows, tokens, strict=True):
            expected = np.average(old[pieces].numpy(), axis=0, weights=weighting(tuple(pieces)))
            np.testing.assert_allclose(row.numpy(), expected, rtol=1e-5)


def test_a_token_without_pieces_begins_as_the_mean_of_all(bases: dict[str, Path]) -> None:
    model = load_model(bases["qwen3 untied"])
    before = tables(model)
    add_embeddings(model, {340: (), 341: (5, 6)})
    for name, table in tables(model).items():
        torch.testing.assert_close(table[340], before[name].mean(dim=0))
        assert not torch.equal(table[340], table[341])


def test_a_replaced_token_may_be_a_piece_of_another(bases: dict[str, Path]) -> None:
    model = load_model(bases["qwen3 untied"])
    before = tables(model)["input"]
    add_embeddings(model, {7: (9, 8), 9: (7, 8)})
    after = tables(model)["input"]
    torch.testing.assert_close(after[[7, 9]], before[[9, 7]] / 2 + before[8] / 2)
    assert len(after) == len(before)


def test_matching_pursuit_finds_the_atoms_that_targets_are_made_of() -> None:
    generator = torch.Generator().manual_seed(3)
    atoms = torch.randn(200, 64, generator=generator)
    made_of = torch.stack([torch.randperm(200, generator=generator)[:4] for _ in range(50)])
    weights = torch.rand(50, 4, generator=generator) + 1
    targets = (atoms[made_of] * weights[:, :, None]).sum(dim=1)
    chosen, found = matching_pursuit(targets, atoms, 8)
    combined = Combinations.of(zip(chosen.tolist(), found.tolist(), strict=True)).rows(atoms)
    assert (combined - targets).norm() < 0.1 * targets.norm()
    recovered = [set(few.tolist()) <= set(many.tolist()) for few, many in zip(made_of, chosen, strict=True)]
    assert np.mean(recovered) > 0.9


def test_matching_pursuit_takes_no_atom_twice() -> None:
    atoms = torch.eye(6)
    chosen, _ = matching_pursuit(torch.ones(3, 6), atoms, 6)
    assert all(sorted(row) == list(range(6)) for row in chosen.tolist())


def test_distilled_tokens_are_read_more_like_their_pieces(
    bases: dict[str, Path], extended: Changed, shards: Shards
) -> None:
    base = load_model(bases["qwen3 untied"])
    spelt, written = (
        [np.array(Tokenizer.from_str(files.decode()).encode(text).ids) for text in TEXTS[:20]]
        for files in (extended.base.tokenizer_json, (extended.folder / "tokenizer.json").read_bytes())
    )
    aim, reached = _last(base, spelt), {}
    for start in ("mean", "distill"):
        reached[start] = _last(_begun(bases["qwen3 untied"], extended, shards, start), written)
    errors = {start: float((states - aim).square().sum()) for start, states in reached.items()}
    assert errors["distill"] < errors["mean"]


@torch.no_grad()
def _last(model: PreTrainedModel, documents: list[np.ndarray]) -> torch.Tensor:
    """The last state of each document."""
    states = hidden_states(model, documents, model.get_input_embeddings().weight)
    return states[np.cumsum([len(document) for document in documents]) - 1]


def test_new_tokens_get_the_probability_that_they_are_due(
    bases: dict[str, Path], extended: Changed, shards: Shards
) -> None:
    for base in bases.values():
        given = {}
        for calibrated in (False, True):
            model = load_model(base)
            add_embeddings(model, extended.pieces, NewTokens(calibrate=calibrated), shards=shards)
            ids = np.concatenate([shards[row].input_ids for row in range(len(shards))]).astype(np.int64)
            with torch.no_grad():
                states = hidden_states(model, [ids[:500]], model.get_input_embeddings().weight)
                shares = model.get_output_embeddings()(states).softmax(dim=1)[:, extended.new].sum(dim=1)
            given[calibrated] = float(shares.mean())
        due = float(np.isin(ids, extended.new).mean())
        assert abs(given[True] - due) < 0.1
        assert abs(given[True] - due) < abs(given[False] - due)
