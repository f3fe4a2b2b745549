"""About how long a run will still take, and how much memory it has in use."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.execution.memory import resident_bytes
from pipelines.execution.time_left import BASIS_SECONDS, TimeLeft

SECONDS = st.floats(1, 1e4)


@given(st.lists(SECONDS, min_size=2, max_size=8), st.floats(0.1, 50), st.floats(0.1, 1))
def test_where_all_takes_longer_by_one_factor_what_is_left_does_too(expected, slowness, share):
    left = TimeLeft()
    names = [str(number) for number in range(len(expected))]
    left.expect(dict.fromkeys(names, "kind"), dict(zip(names, expected, strict=True)))
    assert left.seconds() is None
    left.begin("0", {"0"}, "kind", 1.0)
    spent = expected[0] * slowness * share
    left.advance("0", spent, share)
    found = left.seconds()
    if spent < BASIS_SECONDS:
        assert found is None
    else:
        assert found == pytest.approx(slowness * sum(expected) - spent, rel=1e-3, abs=2)


def test_each_kind_has_its_own_rate():
    left = TimeLeft()
    left.expect({"a": "slow", "b": "fast", "c": "slow", "d": "fast"}, dict.fromkeys("abcd", 10.0))
    for name, kind, seconds in (("a", "slow", 100.0), ("b", "fast", 1.0)):
        left.begin(name, {name}, kind, 1.0)
        left.advance(name, seconds, 1.0)
    assert left.seconds() == pytest.approx(101, abs=1)


def test_what_nobody_can_expect_is_not_made_up():
    left = TimeLeft()
    left.expect({"a": "a", "model": "asks"}, {"a": 10.0})
    left.begin("a", {"a"}, "a", 1.0)
    left.advance("a", 10.0, 1.0)
    assert left.seconds() is None
    left.begin("model", {"model"}, "asks", 1.0)
    assert left.seconds() is None
    left.advance("model", 10.0, 0.25)
    assert left.seconds() == pytest.approx(30, abs=1)


def test_what_is_cached_or_was_done_before_takes_nothing():
    left = TimeLeft()
    left.expect(dict.fromkeys("abc", "kind"), dict.fromkeys("abc", 100.0))
    left.cached("a")
    left.begin("pass", {"b", "c"}, "kind", 0.5)
    left.advance("pass", 50.0, 0.5)
    assert left.seconds() == pytest.approx(50, abs=1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_is_that_of_all_processes_of_the_run():
    before = resident_bytes()
    held = subprocess.Popen(
        [sys.executable, "-c", "held = bytearray(200 << 20); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert held.stdout is not None and held.stdout.readline()
        assert before is not None and resident_bytes() - before > 150 << 20
    finally:
        held.kill()
        held.wait()
    deadline = time.monotonic() + 10
    while resident_bytes() - before > 150 << 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resident_bytes() - before < 150 << 20
