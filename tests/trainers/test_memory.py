"""How many rows a micro batch gets; what is measured needs a GPU."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.errors import TooLittleMemory
from trainers.memory import evenly, full_memory_said, rows_in

GB = 2**30


@given(fixed=st.integers(0, 60 * GB), row=st.integers(1, 20 * GB), room=st.integers(0, 80 * GB))
def test_the_most_rows_that_fit(fixed: int, row: int, room: int) -> None:
    rows = rows_in(room, fixed + row, fixed + 2 * row)
    assert rows == 1 or fixed + rows * row <= room
    assert fixed + (rows + 1) * row > room


@given(share=st.integers(1, 1000), most=st.integers(1, 1000))
def test_micro_batches_are_as_few_and_as_equal_as_can_be(share: int, most: int) -> None:
    rows = evenly(share, most)
    assert rows <= most
    assert -(-share // rows) == -(-share // most)
    assert rows == 1 or -(-share // (rows - 1)) > -(-share // rows)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_full_memory_says_what_to_set(rows: int) -> None:
    with pytest.raises(TooLittleMemory) as raised, full_memory_said(rows):
        raise torch.OutOfMemoryError("full")
    text = str(raised.value)
    assert ("micro_batch_rows below 4" in text) == (rows == 4)
    for setting in ("gradient_checkpointing", "adapter", "fsdp", "sequence_length"):
        assert setting in text
