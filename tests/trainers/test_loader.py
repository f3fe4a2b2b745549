import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.loader import IGNORED, Row, StepSampler, collate


def test_labels_ignore_first_tokens_and_masked_tokens() -> None:
    plain = Row(np.array([5, 6, 7, 8]), np.array([3, 1]), None)
    masked = Row(np.array([1, 2, 3, 4]), np.array([2, 2]), np.array([1, 1, 0, 1], np.uint8))
    batch = collate([plain, masked])
    x = IGNORED
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 1, 2, 3, 4]]
    assert batch["labels"].tolist() == [[x, 6, 7, x, x, 2, x, 4]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 0, 1, 0, 1]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 4, 6, 8]
    assert batch["cu_seq_lens_q"].dtype == torch.int32
    assert batch["max_length_q"] == 3


def test_no_rows_train_nothing() -> None:
    assert collate([])["labels"].tolist() == [[IGNORED, IGNORED]]


def test_damaged_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        collate([Row(np.array([1, 2, 3]), np.array([2]), None)])


shapes = st.tuples(st.integers(1, 50), st.integers(1, 9), st.integers(1, 4))


def _rows_of_steps(total: int, per_step: int, micro: int, processes: int, **start: int) -> list[list[int]]:
    samplers = [
        StepSampler(total, per_step, micro, processes=processes, process=process, **start)
        for process in range(processes)
    ]
    dealt = [list(sampler) for sampler in samplers]
    assert {len(batches) for batches in dealt} == {len(samplers[0])}
    assert all(len(batch) <= micro for batches in dealt for batch in batches)
    accumulation, first = samplers[0].accumulation, samplers[0].first_step
    steps = []
    for step in range(first, samplers[0].steps):
        part = slice(step * accumulation, (step + 1) * accumulation)
        steps.append([row for batches in dealt for batch in batches[part] for row in batch])
    return steps


@given(shapes, st.integers(1, 5))
def test_each_step_takes_the_next_rows_for_any_number_of_processes(
    shape: tuple[int, int, int], processes: int
) -> None:
    total, per_step, micro = shape
    steps = _rows_of_steps(total, per_step, micro, processes)
    assert steps == [list(range(start, min(start + per_step, total))) for start in range(0, total, per_step)]


@given(shapes, shapes, st.integers(1, 3), st.data())
def test_a_run_continues_at_its_row(first: tuple, second: tuple, processes: int, data: st.DataObject) -> None:
    total, per_step, micro = first
    sampler = StepSampler(total, per_step, micro)
    step = data.draw(st.integers(0, sampler.steps))
    row = sampler.rows_before(step)
    rest = _rows_of_steps(total, second[1], second[2], processes, first_step=step, first_row=row)
    assert [number for rows in rest for number in rows] == list(range(row, total))


@given(shapes, st.integers(1, 20))
def test_the_last_step_is_kept(shape: tuple[int, int, int], last_step: int) -> None:
    total, per_step, micro = shape
    sampler = StepSampler(total, per_step, micro, last_step=last_step)
    rows = [row for batch in sampler for row in batch]
    assert rows == list(range(min(total, last_step * per_step)))
    assert len(list(sampler)) == len(sampler)
