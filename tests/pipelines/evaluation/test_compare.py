"""Models are compared on the documents that all of them could score; those of a cluster stay together."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.evaluation.compare import compare
from trainers.scores import PIECES, Evaluation


def pieces(nats, tokens=None, clusters=None, languages=None) -> pa.Table:
    """Documents d0, d1, ... of 10 tokens, of which every third is a chat."""
    count = len(nats)
    tokens = [10] * count if tokens is None else tokens
    names = [f"d{number}" for number in range(count)]
    return pa.table(
        {
            "doc_id": names,
            "first_token": [0] * count,
            "cluster": clusters or names,
            "group": ["chat" if number % 3 == 2 else "web" for number in range(count)],
            "language": pa.array(languages or [None] * count, pa.string()),
            "nats": nats,
            "predicted": [max(number - 1, 0) for number in tokens],
            "tokens": tokens,
            "bytes": [40] * count,
        },
        PIECES,
    )


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    own = rng.uniform(20, 30, 60)
    could = np.arange(60) % 3 != 2
    return pieces(own), pieces(np.where(could, own + 1, 0), np.where(could, 10, 0).tolist())


def test_what_one_model_cannot_score_is_left_out_of_all(scores):
    model, base = scores
    found = compare({"model": model, "base": base})
    assert found.total.documents == 40
    assert found.total.scores["model"].bytes == found.total.scores["base"].bytes == 40 * 40
    assert found.total.scores["model"].tokens == 400
    assert list(found.groups) == ["web"]
    web = Evaluation.of(model, 0, 0.0).groups["web"]
    assert found.groups["web"].scores["model"].bits_per_byte == web.bits_per_byte
    (group, left_out), *others = found.left_out.items()
    assert (group, left_out.documents, left_out.not_by, others) == ("chat", 20, ["base"], [])
    assert left_out.scores == {"model": Evaluation.of(model, 0, 0.0).groups["chat"]}
    difference = found.total.differences["base"]
    assert difference.interval[0] <= difference.bits_per_byte <= difference.interval[1] < 0


def test_a_document_of_which_a_piece_is_not_scored_is_left_out_whole():
    model = pieces([25.0] * 4)
    parts = model.set_column(0, "doc_id", pa.array(["d0", "d1", "d2", "d0"]))
    base = parts.set_column(7, "tokens", pa.array([10, 10, 10, 0]))
    found = compare({"model": parts, "base": base})
    assert found.total.documents == 2
    assert found.left_out["web"].documents == 1


def test_a_model_alone_is_scored_on_all(scores):
    found = compare({"model": scores[0]})
    assert found.total.documents == 60 and not found.left_out and not found.total.differences
    low, high = found.total.scores["model"].interval
    assert low < found.total.scores["model"].bits_per_byte < high


def test_languages_are_compared_in_each_group():
    languages = ["ru", "en"] * 15
    found = compare({"model": pieces([25.0] * 30, languages=languages)})
    assert {name: of_all.documents for name, of_all in found.languages.items()} == {"en": 15, "ru": 15}
    assert found.group_languages["chat"]["ru"].documents == 5


def test_documents_of_a_cluster_are_one_draw():
    """Ten copies of each document tell no more than one."""
    nats = np.random.default_rng(1).uniform(10, 40, 24)
    one = compare({"model": pieces(nats)}).total.scores["model"].interval
    names = [f"text-{number % 24}" for number in range(240)]
    copies = compare({"model": pieces(np.tile(nats, 10), clusters=names)}).total.scores["model"].interval
    apart = compare({"model": pieces(np.tile(nats, 10))}).total.scores["model"].interval
    assert copies == pytest.approx(one)
    assert apart[1] - apart[0] < (one[1] - one[0]) / 2
