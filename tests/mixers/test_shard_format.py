import json
import os
import pickle

import numpy as np
import pyarrow as pa
import pytest
from shard_folders import SEQUENCE_LENGTH, write_folder

from mixers.shard_index import ShardError
from mixers.shards import Shards, token_dtype, write_shard_file


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path)
    return tmp_path


def assert_same_rows(packs, rows):
    assert len(packs) == len(rows)
    for pack, (ids, lengths, group, mask) in zip(packs, rows, strict=True):
        assert pack.input_ids.tolist() == ids.tolist()
        assert pack.seq_lengths.tolist() == lengths.tolist()
        assert pack.group == group
        assert (pack.assistant_masks is None) == (mask is None)
        if mask is not None:
            assert pack.assistant_masks.tolist() == mask.tolist()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_rows_come_back_as_they_were_written(tmp_path, dtype):
    rows = write_folder(tmp_path, dtype)
    shards = Shards.open(tmp_path)
    assert_same_rows(list(shards), rows)
    assert shards[0].input_ids.dtype == dtype
    assert shards[-1].input_ids.tolist() == rows[-1][0].tolist()
    assert shards.row_lengths.tolist() == [len(ids) for ids, *_ in rows]
    assert shards.row_groups == [group for _, _, group, _ in rows]
    assert shards.tokens == sum(len(ids) for ids, *_ in rows)
    assert (shards.sequence_length, shards.tokenizer_hash) == (SEQUENCE_LENGTH, "abc")
    assert shards.segments["tokens"].to_numpy().sum() == shards.tokens
    assert shards.ledger.check().tokens == shards.tokens
    shards.verify()


def test_the_datasets_library_opens_the_folder(folder):
    from datasets import load_from_disk

    dataset, shards = load_from_disk(str(folder)), Shards.open(folder)
    assert len(dataset) == len(shards)
    for row, pack in zip(dataset, shards, strict=True):
        assert row["input_ids"] == pack.input_ids.tolist()
        assert row["seq_lengths"] == pack.seq_lengths.tolist()
        assert row["group"] == pack.group
        assert row["assistant_masks"] == (
            None if pack.assistant_masks is None else pack.assistant_masks.tolist()
        )


def test_rows_are_views_of_the_file(folder):
    shards = Shards.open(folder)
    first, again = shards[0].input_ids, shards[0].input_ids
    assert np.shares_memory(first, again)
    assert not first.flags.writeable


def test_the_bytes_do_not_depend_on_the_order_of_writing(tmp_path):
    for name, order in (("forwards", [0, 1, 2]), ("backwards", [2, 0, 1])):
        (tmp_path / name).mkdir()
        write_folder(tmp_path / name, order=order)
    forwards, backwards = (Shards.open(tmp_path / name) for name in ("forwards", "backwards"))
    assert forwards.fingerprint == backwards.fingerprint
    for path in (tmp_path / "forwards").iterdir():
        assert path.read_bytes() == (tmp_path / "backwards" / path.name).read_bytes()


def test_worker_processes_open_the_files_themselves(folder):
    copy = pickle.loads(pickle.dumps(Shards.open(folder)))
    assert copy[3].input_ids.tolist() == Shards.open(folder)[3].input_ids.tolist()


def test_rows_beyond_the_end_are_refused(folder):
    shards = Shards.open(folder)
    with pytest.raises(IndexError):
        shards[len(shards)]


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(
        ShardError, match=r"is not a finished folder of shards: it has no coupage\.json\. Give"
    ):
        Shards.open(tmp_path)
    with pytest.raises(ShardError, match="nowhere"):
        Shards.open(tmp_path / "nowhere")


def test_a_folder_that_was_not_finished_says_to_run_again(folder):
    (folder / "coupage.json").unlink()
    with pytest.raises(ShardError, match="not finished: run the same command again"):
        Shards.open(folder)


def test_a_missing_file_is_named(folder):
    (folder / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(ShardError, match=r"data-00001-of-00003\.arrow is missing"):
        Shards.open(folder)


@pytest.mark.parametrize("keep", [0, 3, 100, 500, -500, -9, -8, -1])
def test_a_file_cut_short_at_any_place_is_never_opened_as_whole(folder, keep):
    path = folder / "data-00001-of-00003.arrow"
    size = path.stat().st_size
    os.truncate(path, keep if keep >= 0 else size + keep)
    with pytest.raises(ShardError, match=r"data-00001-of-00003\.arrow"):
        Shards.open(folder).verify()


def test_a_flipped_bit_is_found_by_verify(folder):
    path = folder / "data-00002-of-00003.arrow"
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShardError, match=r"data-00002-of-00003\.arrow has changed"):
        Shards.open(folder).verify()


def test_changed_segments_and_ledger_are_both_named(folder):
    (folder / "segments.parquet").unlink()
    (folder / "ledger.json").write_text("{}")
    with pytest.raises(ShardError, match=r"segments.parquet is missing.\n.*ledger.json has changed"):
        Shards.open(folder).verify()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format_version": 9}', "\x00"])
def test_a_damaged_index_is_named(folder, content):
    (folder / "coupage.json").write_text(content)
    with pytest.raises(ShardError, match=r"coupage\.json is damaged, or of another version"):
        Shards.open(folder)


def test_an_index_cannot_name_a_file_elsewhere(folder):
    index = json.loads((folder / "coupage.json").read_text())
    index["files"][0]["name"] = "../data-00000-of-00003.arrow"
    (folder / "coupage.json").write_text(json.dumps(index))
    with pytest.raises(ShardError, match="damaged"):
        Shards.open(folder)


def test_an_arrow_file_of_another_schema_is_refused(folder):
    path = folder / "data-00000-of-00003.arrow"
    table = pa.table({"text": ["a"] * pa.ipc.open_stream(path).read_all().num_rows})
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ShardError, match=r"data-00000-of-00003\.arrow has other columns"):
        Shards.open(folder)


def rows_of(**changes):
    rows = {
        "input_ids": np.arange(5, dtype=np.uint16),
        "row_offsets": np.array([0, 2, 5]),
        "seq_lengths": np.array([2, 1, 2], np.int32),
        "seq_offsets": np.array([0, 1, 3]),
        "groups": ["a", "b"],
    }
    return rows | changes


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input_ids": np.arange(5)}, "uint16 or int32, not int64"),
        ({"row_offsets": np.array([0, 2, 4])}, "not the number of ids"),
        ({"seq_lengths": np.array([2, 2, 1], np.int32), "seq_offsets": np.array([0, 2, 3])}, "do not add up"),
    ],
)
def test_rows_that_contradict_themselves_are_not_written(tmp_path, wrong, message):
    path = tmp_path / "data-00000-of-00001.arrow"
    with pytest.raises(ValueError, match=message):
        write_shard_file(path, **rows_of(**wrong))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError):
        write_shard_file(tmp_path / "data-00000-of-00001.arrow", **rows_of(groups=["a"]))
    assert not list(tmp_path.iterdir())


def test_a_file_of_many_batches_keeps_its_order(tmp_path):
    rows = 3000
    file = write_shard_file(
        tmp_path / "data-00000-of-00001.arrow",
        input_ids=np.arange(rows, dtype=np.int32),
        row_offsets=np.arange(rows + 1),
        seq_lengths=np.ones(rows, np.int32),
        seq_offsets=np.arange(rows + 1),
        groups=["a"] * rows,
    )
    table = pa.ipc.open_stream(tmp_path / file.name).read_all()
    assert table["input_ids"].combine_chunks().values.to_pylist() == list(range(rows))
    assert table["assistant_masks"].null_count == rows


def test_the_type_of_ids_follows_the_largest_id():
    assert token_dtype(65_535) == np.uint16
    assert token_dtype(65_536) == np.int32
