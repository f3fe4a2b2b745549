"""Every format is read back with the reader of its own library, where that library is installed."""

import json

import numpy as np
import pytest
from shard_folders import write_folder

from mixers.export.formats import FORMATS, export_shards
from mixers.shards import Shards


@pytest.fixture(params=[np.uint16, np.int32])
def dtype(request):
    return request.param


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def shards_in(tmp_path, dtype, masked):
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = write_folder(folder, dtype, masked_group="chat" if masked else None)
    return Shards.open(folder), rows


def mask_of(ids, mask):
    return np.ones(len(ids), np.uint8) if mask is None else mask


def test_jsonl_read_by_datasets(tmp_path, dtype, out):
    from datasets import Dataset

    shards, rows = shards_in(tmp_path, dtype, masked=True)
    export_shards(shards, out, "jsonl")
    read = Dataset.from_json(str(out / "rows.jsonl"), cache_dir=str(tmp_path / "cache"))
    assert len(read) == len(rows)
    for row, (ids, lengths, group, mask) in zip(read, rows, strict=True):
        assert row["input_ids"] == ids.tolist()
        assert row["seq_lengths"] == lengths.tolist()
        assert row["group"] == group
        assert row["assistant_masks"] == (None if mask is None else mask.tolist())


def test_datatrove_read_by_its_dataset(tmp_path, dtype, out):
    pytest.importorskip("torch")
    from datatrove.utils.dataset import DatatroveFileDataset

    shards, rows = shards_in(tmp_path, dtype, masked=True)
    export_shards(shards, out, "datatrove")
    ids = np.concatenate([ids for ids, *_ in rows])
    lengths = np.concatenate([lengths for _, lengths, *_ in rows])
    read = DatatroveFileDataset(
        str(out / "tokens.ds"),
        seq_len=len(ids) - 1,
        token_size=np.dtype(dtype).itemsize,
        return_positions=True,
    )
    assert len(read) == 1
    assert read[0]["input_ids"].tolist() == ids.tolist()
    assert read[0]["positions"].tolist() == [place for length in lengths for place in range(length)]
    loss = np.fromfile(out / "tokens.ds.loss", np.bool_)
    assert (
        loss.tolist()
        == np.concatenate([mask_of(ids, mask) for ids, _, _, mask in rows]).astype(bool).tolist()
    )
    tokenizer, tokens, _ = (out / "tokens.ds.metadata").read_text().split("\n")
    assert (tokenizer, int(tokens)) == (f"abc|{np.dtype(dtype).itemsize}", len(ids))


def test_datatrove_writes_no_loss_file_without_masks(tmp_path, dtype, out):
    export_shards(shards_in(tmp_path, dtype, masked=False)[0], out, "datatrove")
    assert sorted(path.name for path in out.iterdir()) == [
        "tokens.ds",
        "tokens.ds.index",
        "tokens.ds.metadata",
    ]


def test_megatron_read_by_its_indexed_dataset(tmp_path, dtype, out):
    indexed_dataset = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    shards, rows = shards_in(tmp_path, dtype, masked=False)
    export_shards(shards, out, "megatron")
    read = indexed_dataset.IndexedDataset(str(out / "tokens"))
    documents = [part for ids, lengths, *_ in rows for part in np.split(ids, np.cumsum(lengths)[:-1])]
    assert len(read) == len(documents)
    assert all(read[i].tolist() == document.tolist() for i, document in enumerate(documents))
    assert read[0].dtype == dtype
    assert np.diff(read.document_indices).tolist() == [len(lengths) for _, lengths, *_ in rows]


def test_megatron_files_follow_the_layout(tmp_path, out):
    """The same without the library: every field of the index at its place."""
    shards, rows = shards_in(tmp_path, np.uint16, masked=False)
    export_shards(shards, out, "megatron")
    index = (out / "tokens.idx").read_bytes()
    lengths = np.concatenate([lengths for _, lengths, *_ in rows])
    assert index[:18] == b"MMIDIDX\x00\x00" + b"\x01" + 7 * b"\x00" + b"\x08"
    assert np.frombuffer(index, np.uint64, 2, 18).tolist() == [len(lengths), len(rows) + 1]
    assert np.frombuffer(index, np.int32, len(lengths), 34).tolist() == lengths.tolist()
    pointers = np.frombuffer(index, np.int64, len(lengths), 34 + 4 * len(lengths))
    assert pointers.tolist() == (2 * (np.cumsum(lengths) - lengths)).tolist()
    assert len(index) == 34 + 12 * len(lengths) + 8 * (len(rows) + 1)
    assert (out / "tokens.bin").read_bytes() == b"".join(ids.tobytes() for ids, *_ in rows)


def test_megatron_refuses_masks_it_cannot_hold(tmp_path, out):
    shards, _ = shards_in(tmp_path, np.uint16, masked=True)
    with pytest.raises(ValueError, match="assistant mask, which Megatron's format cannot hold"):
        export_shards(shards, out, "megatron")
    assert not list(out.iterdir())


@pytest.mark.parametrize("masked", [True, False])
def test_mosaic_read_by_streaming(tmp_path, dtype, out, masked, monkeypatch):
    streaming = pytest.importorskip("streaming")
    from mixers.export import mosaic

    monkeypatch.setattr(mosaic, "SHARD_BYTES", 4000)
    shards, rows = shards_in(tmp_path, dtype, masked)
    export_shards(shards, out, "mosaic")
    assert len(list(out.glob("*.mds"))) > 1
    read = streaming.LocalDataset(str(out))
    assert len(read) == len(rows)
    for i, (ids, lengths, group, mask) in enumerate(rows):
        sample = read[i]
        assert sample["input_ids"].dtype == dtype
        assert sample["input_ids"].tolist() == ids.tolist()
        assert sample["seq_lengths"].tolist() == lengths.tolist()
        assert sample["group"] == group
        assert ("assistant_masks" in sample) == masked
        if masked:
            assert sample["assistant_masks"].tolist() == mask_of(ids, mask).tolist()


def test_mosaic_files_follow_the_layout(tmp_path, dtype, out):
    """The same without the library: the index, the offsets and one sample."""
    shards, rows = shards_in(tmp_path, dtype, masked=False)
    export_shards(shards, out, "mosaic")
    (info,) = json.loads((out / "index.json").read_text())["shards"]
    content = (out / info["raw_data"]["basename"]).read_bytes()
    assert len(content) == info["raw_data"]["bytes"]
    count = int(np.frombuffer(content, np.uint32, 1)[0])
    offsets = np.frombuffer(content, np.uint32, count + 1, 4)
    assert count == info["samples"] == len(rows)
    assert json.loads(content[4 + offsets.nbytes : offsets[0]])["column_names"] == info["column_names"]
    sample = content[offsets[1] : offsets[2]]
    sizes = np.frombuffer(sample, np.uint32, 3)
    assert sample[12 : 12 + sizes[0]].decode() == rows[1][2]
    assert np.frombuffer(sample[12 + sizes[0] + 5 :][: sizes[1] - 5], dtype).tolist() == rows[1][0].tolist()


def test_an_unknown_format_or_a_full_folder_is_refused(tmp_path, out):
    shards, _ = shards_in(tmp_path, np.uint16, masked=False)
    with pytest.raises(ValueError, match="no format 'tfrecord'; choose one of " + ", ".join(FORMATS)):
        export_shards(shards, out, "tfrecord")
    with pytest.raises(ValueError, match="is not empty"):
        export_shards(shards, shards.folder, "jsonl")
