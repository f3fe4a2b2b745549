"""Texts that a model goes on with, against whole forward passes."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from pipelines.evaluation.generation import PlainModel
from tests.trainers.plain_models import write_llama

PROMPTS = ["To begin with", "1 2 3", "A longer text than the others"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PlainModel:
    return PlainModel.load(write_llama(tmp_path_factory.mktemp("model"), seed=3), dtype="float32")


def test_samples_are_drawn_from_the_likeliest_at_the_temperature(model: PlainModel) -> None:
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([model.encode(PROMPTS[0])])).logits[0, -1]
    likeliest = logits.topk(5)
    shares = (likeliest.values / 0.5).softmax(0).tolist()
    drawn = Counter(model.sample_texts(PROMPTS[:1] * 2000, 1, 500, temperature=0.5, top_k=5, seed=1))
    expected = dict(zip(map(model.decode, likeliest.indices.view(-1, 1).tolist()), shares, strict=True))
    assert set(drawn) <= set(expected)
    for text, share in expected.items():
        assert abs(drawn[text] / 2000 - share) < 4 * (share / 2000) ** 0.5


def test_samples_are_those_of_their_seed_and_leave_other_draws_alone(model: PlainModel) -> None:
    def drawn(seed: int) -> list[str]:
        return model.sample_texts(PROMPTS, 8, 2, temperature=1.5, top_k=40, seed=seed)

    torch.manual_seed(5)
    expected = torch.rand(3).tolist()
    torch.manual_seed(5)
    assert drawn(1) == drawn(1) != drawn(2)
    assert torch.rand(3).tolist() == expected


def test_the_likeliest_alone_is_greedy_decoding(model: PlainModel) -> None:
    greedy = model.continue_texts(PROMPTS, 8, 2)
    assert model.sample_texts(PROMPTS, 8, 3, temperature=0.5, top_k=1, seed=1) == greedy


def test_one_line_ends_where_the_model_says_a_newline(tmp_path: Path) -> None:
    model = PlainModel.load(write_llama(tmp_path, seed=3), dtype="float32")
    (said,) = model.continue_texts(PROMPTS[:1], 8, 1)
    place = next(place for place in range(1, 8) if said[place] not in said[:place])
    last, newline = model.encode(said[place])[0], model.encode("\n")[0]
    for weights in (model.model.lm_head.weight.data, model.model.model.embed_tokens.weight.data):
        weights[[last, newline]] = weights[[newline, last]]
    whole, line = (
        model.continue_texts(PROMPTS[:1], 8, 1),
        model.continue_texts(PROMPTS[:1], 8, 1, one_line=True),
    )
    assert whole[0].startswith(said[:place] + "\n") and line == [said[:place]]
    assert model.sample_texts(PROMPTS[:1], 8, 1, 0.5, 1, seed=1, one_line=True) == line
