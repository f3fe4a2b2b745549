import gzip
import json

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.sources import lines
from pipelines.sources.files import FilesConfig

from .conftest import Reading

GOOD = b'{"text": "one"}\n{"text": "two"}\n'


def test_ids_and_metadata(read):
    reading = read(
        {
            "f.jsonl": b'{"text":"a","id":"x","url":"u://1","n":[1,{"k":"\xd0\xb6"}]}\n{"text":"b","id":7}\n{"text":"c","id":""}\n'
        },
        language="en",
        license="mit",
        domain="web",
    )
    assert reading.ids == ["s/x", "s/7", "s/f.jsonl:2"]
    first = reading.documents[0]
    assert first == {
        "doc_id": "s/x",
        "text": "a",
        "source": "s",
        "domain": "web",
        "language": "en",
        "license": "MIT",
        "url": "u://1",
        "parent_id": None,
        "messages": None,
        "template_fields": None,
        "metadata": '{"n":[1,{"k":"ж"}]}',
    }


def test_fields_lead_into_nested_records(read):
    record = {"body": {"t": "deep", "lang": "ru"}, "a.b": "dotted", "x": 1}
    fields = {"text": "body.t", "id": "a.b", "language": "body.lang"}
    reading = read({"f.jsonl": orjson.dumps(record)}, fields=fields, language="en")
    assert reading.documents[0]["text"] == "deep"
    assert reading.ids == ["s/dotted"]
    assert reading.documents[0]["language"] == "ru"
    assert json.loads(reading.documents[0]["metadata"]) == {"body": {}, "x": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut', "invalid JSON"),
        (b'{"text": "a"} {"text": "b"}', "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b'{"text": "nul \x00"}', "invalid JSON"),
        (b"\x00\x00\x00", "invalid JSON"),
        (b'{"text": NaN}', "invalid JSON"),
        (b'{"text": "\xff"}', "invalid UTF-8"),
        (b'{"text": "\xed\xa0\x80"}', "invalid UTF-8"),
        (rb'{"text": "\ud800"}', "invalid Unicode"),
        (rb'{"other": "\uDC00", "text": "fine"}', "invalid Unicode"),
        (b'{"text": null}', "text is null"),
        (b'{"text": 3}', "text is not a string"),
        (b'{"body": "b"}', "no text field"),
        (b"3", "record is not an object"),
        (b'["text"]', "record is not an object"),
        (b"null", "record is not an object"),
    ],
)
def test_a_bad_record_is_set_aside_with_its_place_and_the_rest_goes_on(read, line, reason):
    reading = read({"f.jsonl": GOOD + b"\n" + line + b"\n" + b'{"text":"last"}'})
    assert reading.ids == ["s/f.jsonl:0", "s/f.jsonl:1", "s/f.jsonl:3"]
    assert reading.texts == ["one", "two", "last"]
    [(file, position, found, sample)] = reading.quarantine
    assert (file, position, found) == ("f.jsonl", "line 4, byte 33", reason)
    assert len(sample.encode()) <= 3 * 200


def test_what_is_accepted(read):
    reading = read(
        {
            "f.jsonl": b'\xef\xbb\xbf{"text":"bom"}\r\n \t\r\n'
            b'{"text":"nul \\u0000 \\ud83d\\ude00"}\r\n{"text":""}\n\n\n'
        }
    )
    assert reading.texts == ["bom", "nul \0 😀", ""]
    assert reading.ids == [f"s/f.jsonl:{row}" for row in range(3)]
    assert reading.quarantine == []


def test_empty_files_have_no_documents_but_a_unit(read):
    reading = read(
        {"a.jsonl": b"", "b.jsonl.gz": gzip.compress(b""), "c.jsonl": b"\xef\xbb\xbf\n \n", "d.jsonl.gz": b""}
    )
    assert reading.documents == [] and reading.quarantine == []
    assert [unit.file for unit in reading.units] == ["a.jsonl", "b.jsonl.gz", "c.jsonl", "d.jsonl.gz"]


def test_a_line_of_50_megabytes_is_a_document(read):
    text = "слово " * (50_000_000 // 11)
    reading = read({"f.jsonl": GOOD + orjson.dumps({"text": text}) + b"\n" + GOOD})
    assert [len(found) for found in reading.texts] == [3, 3, len(text), 3, 3]
    assert reading.texts[2] == text


def test_a_line_beyond_the_bound_is_set_aside(read, monkeypatch):
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 20_000_000)
    long = b'{"text": "' + b"x" * 30_000_000 + b'"}\n'
    for part_bytes in (1 << 10, 1 << 30):
        reading = read({"f.jsonl": GOOD + long + GOOD}, part_bytes=part_bytes)
        assert reading.ids == [f"s/f.jsonl:{row}" for row in (0, 1, 3, 4)]
        assert reading.reasons == [("line 3, byte 32", "record too large")]


LINES = b"".join(orjson.dumps({"text": f"document {number} " + "x" * 50}) + b"\n" for number in range(2000))


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_what_comes_before_a_truncation_is_kept(read, suffix):
    whole = gzip.compress(LINES) if suffix == "gz" else zstandard.ZstdCompressor().compress(LINES)
    for kept in (len(whole) // 2, len(whole) - 3):
        reading = read({f"f.jsonl.{suffix}": whole[:kept]})
        count = len(reading.documents)
        assert reading.texts == [json.loads(line)["text"] for line in LINES.splitlines()[:count]]
        start = sum(len(line) for line in LINES.splitlines(True)[:count])
        name = "gzip" if suffix == "gz" else "zstd"
        assert reading.reasons == [(f"line {count + 1}, byte {start}", f"truncated {name}")]
        if suffix == "gz":
            assert count > 500


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_corrupt_stream_is_reported(read, suffix):
    whole = bytearray(
        gzip.compress(LINES)
        if suffix == "gz"
        else zstandard.ZstdCompressor(write_checksum=True).compress(LINES)
    )
    whole[-6] ^= 0xFF
    reading = read({f"f.jsonl.{suffix}": bytes(whole)})
    assert [reason for _, reason in reading.reasons] == [f"corrupt {'gzip' if suffix == 'gz' else 'zstd'}"]
    assert reading.texts == [json.loads(line)["text"] for line in LINES.splitlines()[: len(reading.texts)]]
    assert (
        read({f"g.jsonl.{suffix}": b"not compressed"}, path=f"g.jsonl.{suffix}").reasons[0][0]
        == "line 1, byte 0"
    )


def test_members_of_a_compressed_file_follow_one_another(read):
    zstd = zstandard.ZstdCompressor().compress
    reading = read(
        {"a.jsonl.gz": gzip.compress(GOOD) + gzip.compress(GOOD), "b.jsonl.zst": zstd(GOOD) + zstd(GOOD)}
    )
    assert reading.texts == ["one", "two"] * 4 and reading.quarantine == []


def test_a_json_array_is_read_as_records(read):
    array = json.dumps([{"text": "a"}, 3, {"text": "b", "n": 1}], indent=1).encode()
    reading = read(
        {"f.json": array, "g.json": b'{"text":"line"}\n', "h.json.gz": gzip.compress(array), "i.json": b"[{]"}
    )
    assert reading.ids == ["s/f.json:0", "s/f.json:2", "s/g.json:0", "s/h.json.gz:0", "s/h.json.gz:2"]
    assert reading.reasons == [
        ("row 1", "record is not an object"),
        ("row 1", "record is not an object"),
        ("row 0, byte 1", "invalid JSON"),
    ]


def test_metadata_is_bounded(read):
    record = {
        "text": "t",
        "big": "x" * 100_000,
        "deep": None,
        "small": 1,
        **{f"k{n}": "v" * 500 for n in range(20)},
    }
    deep = orjson.dumps(record).replace(b"null", b"[" * 900 + b"]" * 900)
    reading = read({"f.jsonl": deep})
    metadata = json.loads(reading.documents[0]["metadata"])
    assert metadata["small"] == 1 and "big" not in metadata and "deep" not in metadata
    assert metadata["_left_out"] == len(record) - 1 - (len(metadata) - 1)
    assert len(reading.documents[0]["metadata"]) < 4_100


CHAT = [
    {
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "A"},
        ]
    },
    {"messages": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    {"messages": []},
    {"messages": [{"role": "user"}]},
    {"messages": "text"},
    {"text": "no messages"},
]


def test_conversations(read):
    reading = read({"f.jsonl": b"\n".join(map(orjson.dumps, CHAT))}, messages="messages")
    assert reading.texts == ["S\n\nQ\n\nA", "q\n\na"]
    assert reading.documents[0]["messages"] == CHAT[0]["messages"]
    assert reading.documents[1]["messages"] == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
    assert [reason for _, reason in reading.reasons] == ["messages are malformed"] * 3 + ["no messages field"]


PIECES = st.sampled_from(
    [
        b'{"text":"plain"}',
        b'{"text":"' + b"long " * 30 + b'","id":"i"}',
        '{"text":"Ночь, улица 😀","x":[1,2]}'.encode(),
        b'{"text":null}',
        b'{"text":"\xff"}',
        rb'{"text":"\ud800"}',
        b"{broken",
        b"",
        b"  ",
        b"\r",
        b"\t\r",
        b'{"text":"cr"}\r',
        b"\xef\xbb\xbf",
        b"\x00",
    ]
)


@given(st.lists(PIECES, max_size=30), st.booleans(), st.integers(1, 400))
@example([b"\xef\xbb\xbf", b'{"text":"a"}'], False, 1)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cutting_into_units_changes_nothing(tmp_path, pieces, last_newline, part_bytes):
    content = b"\n".join(pieces) + (b"\n" if last_newline else b"")
    (tmp_path / "f.jsonl").write_bytes(content)
    (tmp_path / "g.jsonl.gz").write_bytes(gzip.compress(content))

    def reading(name, part_bytes):
        return Reading(FilesConfig(reader="files", path=name).build("s", tmp_path), part_bytes)

    whole, parts, zipped = (
        reading("f.jsonl", 1 << 30),
        reading("f.jsonl", part_bytes),
        reading("g.jsonl.gz", 1),
    )
    assert parts.documents == whole.documents
    assert parts.quarantine == whole.quarantine
    assert zipped.texts == whole.texts
    assert [row[1:] for row in zipped.quarantine] == [row[1:] for row in whole.quarantine]
    if len(parts.units) > 1:
        assert sum(unit.rows for unit in parts.units) == len(whole.documents) + len(whole.quarantine)
    assert sum(unit.bytes for unit in parts.units) == len(content)
    slow = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\r")]
    assert len(whole.documents) + len(whole.quarantine) == len(slow)
