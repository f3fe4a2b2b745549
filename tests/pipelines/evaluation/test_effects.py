"""Effects of arms: intervals that hold when nothing was changed, and find what was."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.evaluation.effects import ALL, Replicates, effects, replicates
from trainers.scores import PIECES, Evaluation

ARMS, SEEDS, CLUSTERS = 5, 3, 40


def simulated(rng, shifts, noise=0.01, draw=0.03):
    """Arms with true differences from the reference, and what trainings of each would give."""
    draws = rng.normal(0, draw, SEEDS)  # what documents were drawn: in all arms alike
    documents = rng.normal(0, 1e-4, CLUSTERS)

    def arm(shift):
        scores = 1.0 + shift + draws + rng.normal(0, noise, SEEDS)
        own = documents + rng.normal(0, 1e-4, CLUSTERS)
        return Replicates(scores, own - own.mean())

    return arm(0.0), {str(number): arm(shift) for number, shift in enumerate(shifts)}


def test_the_interval_of_a_null_arm_holds_zero():
    rng = np.random.default_rng(5)
    of_one = [effects(*simulated(rng, [0.0] * ARMS))["0"] for _ in range(400)]
    inside = np.mean([effect.verdict == "no effect" for effect in of_one])
    assert inside >= 0.97  # 95 % hold for all arms together, so more of a single one


def test_all_intervals_together_hold():
    rng = np.random.default_rng(6)
    runs = [effects(*simulated(rng, [0.0] * ARMS)) for _ in range(400)]
    whole = np.mean([all(e.verdict == "no effect" for e in found.values()) for found in runs])
    assert whole >= 0.93


def test_what_differs_is_found_and_ranked():
    found = effects(*simulated(np.random.default_rng(7), [0.2, -0.2, 0.0, 0.1, 0.0]))
    verdicts = [effect.verdict for effect in found.values()]
    assert verdicts == ["higher", "lower", "no effect", "higher", "no effect"]
    assert sorted(found, key=lambda name: found[name].value)[0] == "1"
    turned = found["1"].turned()
    assert turned.verdict == "higher"
    assert turned.interval[0] == pytest.approx(-found["1"].interval[1])


def test_few_documents_widen_intervals():
    rng = np.random.default_rng(8)
    reference, arms = simulated(rng, [0.0])
    wild = Replicates(arms["0"].scores, np.array([0.5, -0.5]))
    still = Replicates(reference.scores, np.zeros(2))
    wide, narrow = effects(still, {"0": wild})["0"], effects(reference, arms)["0"]
    assert wide.interval[1] - wide.interval[0] > narrow.interval[1] - narrow.interval[0]


def test_one_training_tells_nothing():
    alone = Replicates(np.array([1.0]), np.zeros(3))
    with pytest.raises(ValueError, match="two seeds"):
        effects(alone, {"x": alone})


def pieces(nats):
    groups = ["a", "a", "b", "b"]
    columns = {
        "doc_id": ["1", "2", "3", "4"],
        "first_token": [0] * 4,
        "cluster": ["1", "2", "3", "4"],
        "group": groups,
        "language": [None] * 4,
        "nats": nats,
        "predicted": [10] * 4,
        "tokens": [10] * 4,
        "bytes": [40, 40, 20, 20],
    }
    return pa.table(columns, PIECES)


def test_scores_are_those_of_an_evaluation():
    tables = [pieces([10.0, 12.0, 9.0, 7.0]), pieces([11.0, 12.0, 8.0, 7.5])]
    found = replicates(tables)
    for number, table in enumerate(tables):
        groups = Evaluation.of(table, 0, 0).groups
        expected = {name: score.bits_per_byte for name, score in groups.items()}
        assert {name: found[name].scores[number] for name in groups} == pytest.approx(expected)
        assert found[ALL].scores[number] == pytest.approx(np.mean(list(expected.values())))
