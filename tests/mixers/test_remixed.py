"""Rows of a stage with a share of rows from elsewhere: the share, the order, and every row as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_folders import SEQUENCE_LENGTH, write_folder

from mixers.remixed import MOST_REPEATS, RowsOf, remix, write_remix
from mixers.shards import Shards


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Shards:
    folder = tmp_path_factory.mktemp("stage")
    write_folder(folder)
    return Shards.open(folder)


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Shards:
    """The same rows with wider ids."""
    folder = tmp_path_factory.mktemp("wide")
    write_folder(folder, np.int32)
    return Shards.open(folder)


def some(shards: Shards, *numbers: int) -> RowsOf:
    return RowsOf(shards=shards, rows=np.array(numbers, np.int64))


def group(shards: Shards, name: str) -> RowsOf:
    return RowsOf(shards=shards, rows=np.flatnonzero(np.array(shards.row_groups) == name))


@given(share=st.floats(0.01, 0.99), replayed=st.integers(1, 60), longer=st.integers(0, 20))
def test_shares_are_even_and_order_stays(stage, wide, share, replayed, longer):
    own = RowsOf(shards=stage, rows=np.arange(len(stage)))
    pools = [some(stage, *range(longer)), some(wide, *range(min(replayed, len(wide))))]
    available, wanted = sum(len(pool.rows) for pool in pools), round(share * len(stage))
    if not 0 < wanted <= MOST_REPEATS * available:
        with pytest.raises(ValueError, match=r"less than one row|repeated 4 times at most"):
            remix(own, pools, share)
        return
    made = remix(own, pools, share)
    is_replay = made.source > 0
    assert len(made.row) == len(stage) and is_replay.sum() == wanted
    prefixes = np.arange(1, len(stage) + 1)
    assert np.abs(np.cumsum(is_replay) - prefixes * wanted / len(stage)).max() < 1
    assert made.row[~is_replay].tolist() == list(range(len(stage) - wanted))
    everything = [(number, row) for number, pool in enumerate(pools, 1) for row in pool.rows.tolist()]
    taken = list(zip(made.source[is_replay].tolist(), made.row[is_replay].tolist(), strict=True))
    assert taken == [everything[n % available] for n in range(wanted)]
    assert made.repeat[is_replay].tolist() == [n // available for n in range(wanted)]


def test_a_written_folder_holds_the_rows_as_they_were(stage, wide, tmp_path):
    made = remix(group(stage, "web"), [group(wide, "chat")], 0.9)
    write_remix(made, tmp_path)
    written = Shards.open(tmp_path)
    written.verify()
    assert (written.tokenizer_hash, written.sequence_length) == ("abc", SEQUENCE_LENGTH)
    assert written.token_dtype == np.int32
    segments = written.segments
    for number, pack in enumerate(written):
        origin = made.sources[made.source[number]]
        before = origin[int(made.row[number])]
        assert pack.input_ids.tolist() == before.input_ids.tolist()
        assert pack.seq_lengths.tolist() == before.seq_lengths.tolist()
        assert pack.group == before.group == ("chat" if made.source[number] else "web")
        assert (pack.assistant_masks is None) == (before.assistant_masks is None)
        if pack.assistant_masks is not None:
            assert pack.assistant_masks.tolist() == before.assistant_masks.tolist()
        here = segments.filter(np.array(segments["row"]) == number)
        there = origin.segments.filter(np.array(origin.segments["row"]) == made.row[number])
        unchanged = ["position", "doc_id", "first_token", "tokens", "bytes"]
        assert here.select(unchanged).equals(there.select(unchanged))
        assert set(np.array(here["epoch"]) - np.array(there["epoch"])) == {made.repeat[number]}


def test_the_same_rows_give_the_same_bytes(stage, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        write_remix(remix(group(stage, "web"), [group(stage, "chat")], 0.9), tmp_path / name)
    first, second = (Shards.open(tmp_path / name) for name in "ab")
    assert first.fingerprint == second.fingerprint


def test_what_a_stage_has_already_is_no_remedy(stage):
    chat, web = group(stage, "chat"), group(stage, "web")
    with pytest.raises(ValueError, match="of the stage's rows are such already"):
        remix(web, [chat], len(chat.rows) / len(stage) / 2)
