"""`coupage shards`: the account of a folder, and exports that hold the same tokens."""

import json

import numpy as np
import pytest

from mixers.shards import Shards


def test_info_counts_rows_and_tokens(coupage, shards):
    info = json.loads(coupage("shards", "info", shards, "--json").stdout)
    opened = Shards.open(shards)
    assert (info["rows"], info["tokens"]) == (len(opened), opened.tokens)
    assert info["ledger"]["rows"] == len(opened)
    assert f"{opened.tokens:,} tokens" in coupage("shards", "info", shards).stdout


@pytest.mark.parametrize("format", ["megatron", "datatrove", "mosaic", "jsonl"])
def test_an_export_holds_the_tokens_in_their_order(coupage, tmp_path, shards, format):
    out = tmp_path / "new" / format
    coupage("shards", "export", shards, "-o", out, "--format", format)
    rows = [pack.input_ids for pack in Shards.open(shards)]
    if format in ("megatron", "datatrove"):
        name = {"megatron": "tokens.bin", "datatrove": "tokens.ds"}[format]
        assert np.array_equal(np.fromfile(out / name, np.uint16), np.concatenate(rows))
    elif format == "jsonl":
        lines = (out / "rows.jsonl").read_text().splitlines()
        assert [json.loads(line)["input_ids"] for line in lines] == [row.tolist() for row in rows]
    else:
        (shard,) = json.loads((out / "index.json").read_text())["shards"]
        data = (out / shard["raw_data"]["basename"]).read_bytes()
        assert shard["samples"] == len(rows)
        assert all(row.tobytes() in data for row in rows)
    assert "not empty" in coupage("shards", "export", shards, "-o", out, "--format", format, code=2).stderr


def test_what_cannot_be_exported_leaves_nothing(coupage, tmp_path, masked_shards):
    failed = coupage(
        "shards", "export", masked_shards, "-o", "out", "--format", "megatron", cwd=tmp_path, code=2
    )
    assert "mask" in failed.stderr
    coupage("shards", "export", masked_shards, "-o", "out", "--format", "parquet", cwd=tmp_path, code=2)
    coupage("shards", "info", tmp_path, code=2)
    assert not list(tmp_path.iterdir())
