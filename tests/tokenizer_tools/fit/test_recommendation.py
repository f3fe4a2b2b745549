import numpy as np
import pytest

from tokenizer_tools.fit.cost import Workload, new_parameters
from tokenizer_tools.fit.recommendation import recommend
from tokenizer_tools.fit.trial import SIZES, Trial


def trial(*shares, documents=40, learnt=1 << 22):
    """One that saves these shares with more and more tokens."""
    before = np.full(documents, 1000)
    after = np.array([np.full(documents, round(1000 * (1 - share))) for share in shares])
    sizes = SIZES[: len(shares)]
    return Trial(sizes, np.arange(documents), before, after, learnt_bytes=learnt, measured_bytes=learnt)


def test_what_saves_little_is_left_alone():
    found = recommend(trial(0.01, 0.02, 0.03, 0.049), {"Han": 90_000})
    assert (found.verdict, found.tokens, found.expected.tokens) == ("leave alone", 0, 8000)
    assert "4.9%" in found.reason and "5%" in found.reason


def test_what_saves_more_is_extended_as_long_as_each_step_is_worth_it():
    assert recommend(trial(0.1, 0.2, 0.209, 0.3), {}).tokens == 2000
    assert recommend(trial(0.1, 0.2, 0.21, 0.22), {"Han": 7999}).tokens == 8000
    assert recommend(trial(0.01, 0.02, 0.06, 0.061), {}).tokens == 4000
    found = recommend(trial(0.1, 0.2), {"Han": 1999})
    assert found.verdict == "extend" and "replacing 1,000 of these would save 10.0%" in found.reason
    assert "replacing" not in recommend(trial(0.1, 0.2), {"Han": 999}).reason


def test_tokens_of_scripts_that_nobody_needs_are_replaced_where_they_are_enough():
    found = recommend(trial(0.1, 0.2), {"Han": 1500, "Thai": 500})
    assert (found.verdict, found.tokens) == ("replace", 2000)
    assert found.expected.saved == pytest.approx(0.2)


def test_a_weak_sample_is_said_to_be_one():
    assert recommend(trial(0.1, 0.2), {}).doubts == []
    assert any("too small" in doubt for doubt in recommend(trial(0.1, learnt=1000), {}).doubts)
    assert any("no interval" in doubt for doubt in recommend(trial(0.1, documents=19), {}).doubts)
    assert any("no more were tried" in doubt for doubt in recommend(trial(0.1, 0.2, 0.3, 0.4), {}).doubts)
    wide = trial(0.06)
    wide.after[0] += np.where(np.arange(40) < 20, 50, -50)
    assert any("interval holds 5%" in doubt for doubt in recommend(wide, {}).doubts)


def test_costs_are_tokens_times_price():
    assert Workload(10_000_000, 0.5).cost(4.0) == {"tokens": 2_500_000, "money": 1.25}
    assert Workload(10_000_000).cost(4.0)["money"] is None
    assert new_parameters(1000, 64) == 128_000
