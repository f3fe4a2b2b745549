import datetime
import io

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.sources.files import FilesConfig

from .conftest import Reading


def parquet(table: pa.Table, row_group_size: int = 1000, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=row_group_size, **options)
    return buffer.getvalue()


def arrow_stream(table: pa.Table, batch_rows: int) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return buffer.getvalue()


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(max_size=20),
            "id": st.none() | st.text(max_size=5),
            "url": st.none() | st.text(max_size=5),
            "n": st.none() | st.integers(-(2**53), 2**53),
            "deep": st.fixed_dictionaries(
                {"k": st.none() | st.text(max_size=3), "l": st.lists(st.booleans())}
            ),
        }
    ),
    max_size=40,
)
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("url", pa.string()),
        ("n", pa.int64()),
        ("deep", pa.struct([("k", pa.string()), ("l", pa.list_(pa.bool_()))])),
    ]
)


@given(RECORDS, st.integers(1, 10), st.integers(1, 2000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columnar_files_mean_what_json_lines_mean_however_they_are_cut(tmp_path, records, rows, part_bytes):
    table = pa.Table.from_pylist(records, SCHEMA)
    (tmp_path / "f.parquet").write_bytes(parquet(table, rows))
    (tmp_path / "f.arrow").write_bytes(arrow_stream(table, rows))
    (tmp_path / "f.jsonl").write_bytes(b"\n".join(orjson.dumps(record) for record in table.to_pylist()))

    def reading(name, part_bytes):
        return Reading(FilesConfig(reader="files", path=name).build("s", tmp_path), part_bytes)

    def without_names(reading):
        return [
            document
            | {
                "doc_id": document["doc_id"]
                .replace("f.parquet", "f")
                .replace("f.arrow", "f")
                .replace("f.jsonl", "f")
            }
            for document in reading.documents
        ]

    lines = reading("f.jsonl", 1 << 30)
    for name in ("f.parquet", "f.arrow"):
        whole, parts = reading(name, 1 << 30), reading(name, part_bytes)
        assert whole.documents == parts.documents
        assert whole.quarantine == parts.quarantine
        assert without_names(whole) == without_names(lines)
        assert [row[2:] for row in whole.quarantine] == [row[2:] for row in lines.quarantine]
        assert sum(unit.rows for unit in parts.units) == len(records)


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_string_type_is_text(read, kind):
    column = pa.array(["a", None, "ж"], pa.string()).cast(kind)
    reading = read({"f.arrow": arrow_stream(pa.table({"text": column}), 2)})
    assert reading.texts == ["a", "ж"] and reading.ids == ["s/f.arrow:0", "s/f.arrow:2"]
    assert reading.quarantine == [("f.arrow", "row 1", "text is null", '{"text":null}')]


def test_values_that_json_does_not_know(read):
    table = pa.table(
        {
            "text": ["a"],
            "when": pa.array([datetime.datetime(2020, 1, 2)], pa.timestamp("us")),
            "far": pa.array([2**60], pa.timestamp("ns")),
            "raw": pa.array([b"\xff\x00"], pa.binary()),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            "nan": [float("nan")],
        }
    )
    metadata = orjson.loads(read({"f.parquet": parquet(table)}).documents[0]["metadata"])
    assert metadata["when"] == "2020-01-02T00:00:00" and metadata["raw"] == "<2 bytes>"
    assert metadata["map"] == [["k", 1]] and metadata["nan"] is None and "2006" in metadata["far"]


def test_missing_text_and_wrong_type(read):
    assert [reason for _, reason in read({"f.parquet": parquet(pa.table({"body": ["a", "b"]}))}).reasons] == [
        "no text field"
    ] * 2
    assert read({"f.parquet": parquet(pa.table({"text": [1]}))}).reasons == [
        ("row 0", "text is not a string")
    ]
    assert read({"f.parquet": parquet(pa.table({"body": ["a"]}))}, fields={"text": "body"}).texts == ["a"]


def test_nested_fields_and_messages(read):
    table = pa.Table.from_pylist(
        [
            {
                "doc": {"t": "deep", "x": 1},
                "chat": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
            }
        ]
    )
    nested = read({"f.parquet": parquet(table)}, fields={"text": "doc.t"})
    assert nested.texts == ["deep"] and orjson.loads(nested.documents[0]["metadata"])["doc"] == {"x": 1}
    chat = read({"f.parquet": parquet(table)}, messages="chat")
    assert chat.texts == ["q\n\na"] and chat.documents[0]["messages"][1]["role"] == "assistant"


def test_rows_with_invalid_unicode_are_set_aside(read):
    good = pa.array(["a", "b", "c"])
    raw = pa.Array.from_buffers(pa.binary(), 3, pa.array([b"x", b"\xff", b"z"]).buffers()).view(pa.string())
    for table in (pa.table({"text": good, "other": raw}), pa.table({"text": raw})):
        reading = read({"f.parquet": parquet(table)})
        assert reading.ids == ["s/f.parquet:0", "s/f.parquet:2"]
        assert reading.reasons == [("row 1", "invalid UTF-8")]


def test_an_unreadable_row_group_is_set_aside_and_the_next_one_goes_on(read):
    table = pa.table({"text": [f"word {number}" for number in range(5000)]})
    content = bytearray(parquet(table, 1000, compression="zstd"))
    column = pq.ParquetFile(io.BytesIO(bytes(content))).metadata.row_group(2).column(0)
    content[column.data_page_offset + 50 : column.data_page_offset + 80] = b"\xff" * 30
    for part_bytes in (1, 1 << 30):
        reading = read({"f.parquet": bytes(content)}, part_bytes=part_bytes)
        assert reading.reasons == [("rows 2000 to 2999", "unreadable rows")]
        assert reading.ids == [f"s/f.parquet:{row}" for row in [*range(2000), *range(3000, 5000)]]


def test_files_that_are_not_what_they_say(read):
    table = pa.table({"text": ["a"] * 100})
    stream = arrow_stream(table, 10)
    reading = read(
        {
            "a.parquet": b"",
            "b.parquet": b"junk",
            "c.parquet": parquet(table)[:-20],
            "d.arrow": b"junk",
            "e.arrow": b"",
        }
    )
    assert [(row[0], row[2]) for row in reading.quarantine] == [
        (name, "unreadable file") for name in ("a.parquet", "b.parquet", "c.parquet", "d.arrow", "e.arrow")
    ]
    cut = read({"f.arrow": stream[: len(stream) // 2]}, path="f.arrow")
    assert 0 < len(cut.documents) < 100
    assert cut.reasons == [(f"from row {len(cut.documents)} on", "unreadable rows")]


def test_an_empty_table_has_no_documents(read):
    reading = read({"f.parquet": parquet(pa.table({"text": pa.array([], pa.string())}))})
    assert reading.documents == [] and reading.quarantine == [] and len(reading.units) == 1


def test_units_follow_row_groups(read):
    table = pa.table({"text": ["x" * 1000 + str(number) for number in range(100)]})
    reading = read({"f.parquet": parquet(table, 10, use_dictionary=False)}, part_bytes=25_000)
    assert [unit.rows for unit in reading.units] == [30, 30, 30, 10]
    assert [unit.first_row for unit in reading.units] == [0, 30, 60, 90]


def test_the_arrow_file_format_is_read_as_streams_are(read):
    table = pa.table({"text": [f"t{number}" for number in range(100)]})
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    stream, file = (
        read({"f.arrow": arrow_stream(table, 10)}),
        read({"f.arrow": buffer.getvalue()}, part_bytes=1),
    )
    assert file.documents == stream.documents and len(file.units) == 10


@pytest.mark.parametrize("write", [parquet, lambda table: arrow_stream(table, 10)])
def test_several_columns_of_one_name_are_an_error_by_name(read, write):
    table = pa.table([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "n", "n"])
    name = "f.parquet" if write is parquet else "f.arrow"
    with pytest.raises(UserError, match=rf"{name}: several columns have the name n"):
        read({name: write(table)})


def test_times_that_no_clock_shows_harm_no_document(read):
    far = pa.array([2**60], pa.int64())
    table = pa.table(
        {
            "text": ["a"],
            "time": far.view(pa.time64("us")),
            "lasts": far.view(pa.duration("s")),
            **{
                zone: pa.array([1_577_934_245_000_000], pa.timestamp("us", zone))
                for zone in ("Z", "PST", "MSK", "tzutc()", "Europe/Moscow")
            },
        }
    )
    reading = read({"f.arrow": arrow_stream(table, 10)})
    assert reading.texts == ["a"] and reading.quarantine == []
    metadata = orjson.loads(reading.documents[0]["metadata"])
    assert all("2020-01-02" in metadata[zone] for zone in ("Z", "PST", "MSK", "tzutc()", "Europe/Moscow"))
    assert "03:04:05" in metadata["MSK"] and "06:04:05" in metadata["Europe/Moscow"]
