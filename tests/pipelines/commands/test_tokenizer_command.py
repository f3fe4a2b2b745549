"""`coupage tokenizer`: train, extend, on files with bad records in them."""

import json

import pyarrow as pa
import pytest

from tests.pipelines.commands.conftest import write_lines
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import load_tokenizer


@pytest.fixture(scope="module")
def files(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    first = write_lines(folder / "first.jsonl", [{"text": text} for text in texts[:30]])
    first.write_text(first.read_text() + "{broken\n")
    return first, write_lines(folder / "second.jsonl", [{"text": text} for text in texts[30:]])


@pytest.fixture(scope="module")
def trained(coupage, tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("trained") / "tokenizer"
    done = coupage("tokenizer", "train", *files, "-o", folder, "--vocabulary-size", 600)
    assert "invalid JSON (1)" in done.stderr and "first.jsonl:line 31" in done.stderr
    return folder


def test_a_trained_tokenizer_opens_and_has_the_size(trained):
    from transformers import AutoTokenizer

    assert len(AutoTokenizer.from_pretrained(trained)) == 600


def test_an_extension_keeps_the_old_cuts_and_names_its_pieces(coupage, trained, files, tmp_path, texts):
    coupage("tokenizer", "extend", trained, *files, "-o", tmp_path / "more", "--tokens", 25)
    base, more = load_tokenizer(trained), load_tokenizer(tmp_path / "more")
    pieces = json.loads((tmp_path / "more" / "pieces.json").read_text())
    assert len(pieces) == len(more.vocabulary) - len(base.vocabulary) == 25
    column = pa.array(texts, pa.large_string())
    old, new = (Encoder.build(files).encode(column).ids.tolist() for files in (base, more))
    assert len(new) < len(old)
    assert [piece for number in new for piece in pieces.get(str(number), [number])] == old


def test_wrong_input_ends_with_2_and_leaves_nothing(coupage, trained, files, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"txt": "x"}\n')
    inside = {"cwd": tmp_path, "code": 2}
    assert "no field `text`" in coupage("tokenizer", "train", "bad.jsonl", "-o", "out", **inside).stderr
    assert "no field `text`" in coupage("tokenizer", "report", trained, "bad.jsonl", **inside).stderr
    assert (
        "no field `text`"
        in coupage("tokenizer", "extend", trained, "bad.jsonl", "-o", "out", "--tokens", 5, **inside).stderr
    )
    assert "no model in it" in coupage("tokenizer", "report", "bad.jsonl", files[0], **inside).stderr
    small = coupage("tokenizer", "train", files[0], "-o", "out", "--vocabulary-size", 5, **inside)
    assert "vocabulary_size" in small.stderr
    assert "not empty" in coupage("tokenizer", "train", files[0], "-o", trained, **inside).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]
