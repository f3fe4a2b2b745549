import math

import numpy as np
import pytest

from trainers.config import Optimizer, Phase, SmallModel, StageTraining, steps_of
from trainers.schedule import lr_factor, phased_lr_factor


def _factors(total: int, **settings: object) -> list[float]:
    return [lr_factor(step, total, Optimizer(**settings)) for step in range(total)]


def test_cosine_warms_up_and_falls_to_the_least() -> None:
    factors = _factors(100, schedule="cosine", warmup=10, min_lr_ratio=0.1)
    assert factors[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert factors[-1] == pytest.approx(0.1)
    assert factors[54] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert factors[9:] == sorted(factors[9:], reverse=True)


def test_wsd_stays_at_its_peak_before_the_decay() -> None:
    factors = _factors(100, schedule="wsd", warmup="5%", decay="20%", min_lr_ratio=0)
    assert factors[4:80] == [1.0] * 76
    assert factors[80:] == pytest.approx([1 - math.sqrt(n / 20) for n in range(1, 21)])


@pytest.mark.parametrize("schedule", ["cosine", "wsd"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_a_rate_above_zero(schedule: str, total: int) -> None:
    assert all(0 < factor <= 1 for factor in _factors(total, schedule=schedule, warmup="50%"))


def test_a_phase_may_have_a_peak_of_its_own() -> None:
    optimizer = Optimizer(lr=1e-4, warmup=2)
    phases = (
        Phase(train="new_embeddings", steps=4, lr=1e-3),
        Phase(train="all", steps=3),
        Phase(train="all", lr=5e-5),
    )
    factors = [phased_lr_factor(step, 10, optimizer, phases) for step in range(10)]
    scales = np.divide(factors, [lr_factor(step, 10, optimizer) for step in range(10)])
    np.testing.assert_allclose(scales, [10] * 4 + [1] * 3 + [0.5] * 3)
    assert [phased_lr_factor(step, 10, optimizer, ()) for step in range(10)] == _factors(
        10, lr=1e-4, warmup=2
    )


def test_steps_are_counts_or_shares() -> None:
    assert [steps_of(value, 200) for value in (0, 7, "1%", "0.1%", "0%", "100%")] == [0, 7, 2, 1, 0, 200]


@pytest.mark.parametrize("wrong", [-1, "101%", "5", "%", "-3%", 1.5])
def test_wrong_steps_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        StageTraining(evaluate_every=wrong)


def test_impossible_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="kv_heads"):
        SmallModel(heads=4, kv_heads=3)
    with pytest.raises(ValueError, match="hidden_size"):
        SmallModel(hidden_size=100, heads=16)
