"""What is as long as the corpus lies in files, and memory does not grow with it."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from mixers import arrays
from mixers.budget import Mixture
from mixers.plan import plan_mixture
from pipelines.execution.scratch import mapped_arrays, scratch_file


def documents(count, allocate=np.empty):
    tokens, size, group = allocate(count, np.int32), allocate(count, np.int64), allocate(count, np.int32)
    tokens[:] = np.random.default_rng(0).lognormal(5, 1, count).astype(np.int32) + 1
    group[:] = np.arange(count) % 3
    size[:] = 4
    names = pa.array(["a", "b", "c"])
    return pa.table(
        {
            "group": pa.DictionaryArray.from_arrays(group, names),
            "tokens": tokens,
            "bytes": size,
            "indivisible": pa.array(np.zeros(count, bool)),
        }
    )


def test_mapped_arrays_hold_what_is_written_and_leave_no_file(tmp_path):
    allocate = mapped_arrays(tmp_path)
    empty, numbers, flags = allocate(0, np.int64), allocate(70_000, np.int32), allocate(5, np.bool_)
    numbers[:], flags[:] = np.arange(70_000), True
    assert not len(empty) and flags.all() and numbers.sum() == 70_000 * 69_999 // 2
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_and_no_crash(tmp_path):
    with pytest.raises(OSError):
        mapped_arrays(tmp_path)(2**62, np.int8)


def test_a_scratch_file_is_removed_also_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), scratch_file(tmp_path, "corpus.arrow") as path:
        path.write_text("much")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_plan_in_mapped_arrays_is_the_same(tmp_path):
    mixture = Mixture(tokens="2M", weights={"a": 1, "b": 2, "c": 0.3}, max_epochs=8)
    in_memory = plan_mixture(documents(9000), mixture, 5)
    mapped = plan_mixture(documents(9000), mixture, 5, mapped_arrays(tmp_path))
    assert mapped.segments.equals(in_memory.segments) and mapped.rows.equals(in_memory.rows)
    assert mapped.ledger == in_memory.ledger


def peak_memory(count, folder):
    """The most that numpy allocates for a plan, its ledger and its segments, run by run."""
    allocate = mapped_arrays(folder)
    table = documents(count, allocate)
    mixture = Mixture(tokens=150 * count, weights={"a": 1, "b": 2, "c": 0.3}, max_epochs=8)
    tracemalloc.start()
    try:
        plan = plan_mixture(table, mixture, 0, allocate)
        plan.ledger.check()
        for start in range(0, len(plan), 256):
            plan.segments_between(start, start + 256)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK", 4096)
    peak_memory(1000, tmp_path)  # compile
    small, large = (peak_memory(count, tmp_path) for count in (50_000, 400_000))
    assert large < 1.2 * small
    assert large < 400_000 * 8
