"""Files that are one JSON array: read element by element, whatever stands in them."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.text.json_elements import ElementEnds
from pipelines.sources import json_arrays
from pipelines.sources.base import Quarantine
from pipelines.sources.files import FilesConfig

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(['"', "[,]", "\\", "{}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)  # the first example compiles
@given(
    st.lists(VALUES.filter(lambda value: value != ""), max_size=8),
    st.integers(1, 7),
    st.sampled_from([None, 1]),
)
def test_elements_end_where_json_says(values, block, indent):
    data = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    ends, found, pieces = ElementEnds(), [], b""
    for start in range(0, len(data), block):
        piece = data[start : start + block]
        previous = 1 if start == 0 else 0
        for end in ends.find(piece):
            found.append(pieces + piece[previous:end])
            pieces, previous = b"", end + 1
        pieces += piece[previous:]
    assert ends.is_closed and pieces == b""
    assert [json.loads(element) for element in found if element.strip()] == values


def read(path: Path, limit: str | None = None) -> tuple[list[str], Quarantine]:
    source = FilesConfig(reader="files", path=str(path), limit=limit).build("s", path.parent)
    bad = Quarantine()
    tables = [table for unit in source.units(1 << 20) for table in source.read(unit, bad)]
    return [text for table in tables for text in table.column("text").to_pylist()], bad


def texts(number: int) -> list[str]:
    return [f"text {n} with a comma, a [bracket] and \\\\" for n in range(number)]


def array(number: int, **other: object) -> bytes:
    return json.dumps([{"text": text, **other} for text in texts(number)]).encode()


@pytest.mark.parametrize("block", [7, 100, 1 << 19])
def test_a_bad_element_is_set_aside_alone(tmp_path, monkeypatch, block):
    monkeypatch.setattr(json_arrays, "BLOCK_BYTES", block)
    data = (
        array(300).replace(b'{"text": "text 7 ', b'{"text": NaN, "x": "').replace(b'"text 9 ', b'"text \xff ')
    )
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf \n" + data)
    found, bad = read(tmp_path / "a.json")
    assert found == [text for n, text in enumerate(texts(300)) if n not in (7, 9)]
    assert {reason: loss.records for reason, loss in bad.losses.items()} == {
        "invalid JSON": 1,
        "invalid UTF-8": 1,
    }
    assert bad.lost_bytes < len(data) / 50
    position = int(bad.first.position.rpartition(" ")[2])
    assert (tmp_path / "a.json").read_bytes()[position:].lstrip().startswith(b'{"text": NaN')


def test_an_array_that_does_not_end_loses_its_rest(tmp_path):
    data = array(300)
    (tmp_path / "whole.json").write_bytes(data)
    (tmp_path / "cut.json").write_bytes(data[: len(data) // 3])
    found, bad = read(tmp_path)
    assert len(found) == 300 + data[: len(data) // 3].count(b"},")
    assert bad.first.file == "cut.json" and bad.first.records is None
    assert bad.lost_bytes > len(data) * 0.3  # a mean file, less what was read


@pytest.mark.parametrize("behind", [b"x", b"[]", b'{"text": "more"}'])
def test_what_stands_behind_an_array_is_set_aside(tmp_path, behind):
    (tmp_path / "a.json").write_bytes(array(5) + b"\n" + behind)
    found, bad = read(tmp_path / "a.json")
    assert found == texts(5)
    assert bad.first.sample == behind.decode()


@pytest.mark.parametrize("data", [b"[]", b" [ ] \n", b"[\n]"])
def test_an_empty_array_has_no_records(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    found, bad = read(tmp_path / "a.json")
    assert (found, bad.losses) == ([], {})


def test_a_limit_counts_elements_and_a_large_one_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(json_arrays, "MAX_RECORD_BYTES", 1000)
    monkeypatch.setattr(json_arrays, "BLOCK_BYTES", 64)
    values = [{"text": text} for text in texts(9)]
    values.insert(3, {"text": "x" * 5000})
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(values).encode()))
    found, bad = read(tmp_path / "a.json.gz", limit="8 documents")
    assert found == texts(7)
    assert list(bad.losses) == ["record too large"]
