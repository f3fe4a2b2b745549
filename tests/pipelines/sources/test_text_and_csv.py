import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import csv_files
from pipelines.sources.files import FilesConfig

from .conftest import Reading


def test_a_text_file_is_one_document(read):
    reading = read(
        {"a.txt": b"\xef\xbb\xbfone\r\ntwo\n", "b.md": "# Ж\n".encode(), "c.txt": b"", "d/e.txt": b"nul\0"}
    )
    assert reading.texts == ["one\r\ntwo\n", "# Ж\n", "nul\0"]
    assert reading.ids == ["s/a.txt:0", "s/b.md:0", "s/d/e.txt:0"]


def test_a_text_file_in_another_encoding_is_set_aside(read):
    reading = read({"a.txt": b"fine\n" + "не UTF-8".encode("cp1251"), "b.txt": b"good"})
    assert reading.texts == ["good"]
    assert reading.reasons == [("line 2, byte 5", "invalid UTF-8")]


@given(
    st.lists(st.sampled_from([b"one", b"", b" ", b"\r", b"\xff", "ж".encode(), b"cr\r", b"\0"])),
    st.integers(1, 20),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_line_can_be_a_document(tmp_path, lines, part_bytes):
    (tmp_path / "f.txt").write_bytes(b"\n".join(lines))

    def reading(part_bytes):
        config = FilesConfig(reader="files", path="f.txt", text_document="line")
        return Reading(config.build("s", tmp_path), part_bytes)

    whole, parts = reading(1 << 20), reading(part_bytes)
    assert parts.documents == whole.documents and parts.quarantine == whole.quarantine
    records = [line for line in lines if line.strip(b" \t\r")]
    assert whole.texts == [line.decode().removesuffix("\r") for line in records if line != b"\xff"]
    assert len(whole.quarantine) == records.count(b"\xff")


def test_csv(read):
    content = 'text,id,note\r\n"a ""quoted""\r\nfield",1,x\n\nb,,"ж,"\n'.encode()
    reading = read({"f.csv": b"\xef\xbb\xbf" + content, "g.csv": b"", "h.csv": b"text,id\n"})
    assert reading.texts == ['a "quoted"\r\nfield', "b"]
    assert reading.ids == ["s/1", "s/f.csv:1"]
    assert [document["metadata"] for document in reading.documents] == ['{"note":"x"}', '{"note":"ж,"}']
    assert reading.quarantine == []


def test_bad_csv_rows_are_set_aside_with_their_place(read):
    content = b'text,n\nfine,1\nshort\n"multi\nline",2,3\n\xff,4\n"bad"quote,5\nlast,6\n"open,7\nrest'
    reading = read({"f.csv": content})
    assert reading.texts == ["fine", "last"]
    assert reading.ids == ["s/f.csv:0", "s/f.csv:5"]
    assert reading.reasons == [
        ("line 3, byte 14", "invalid CSV"),
        ("line 4, byte 20", "invalid CSV"),
        ("line 6, byte 37", "invalid UTF-8"),
        ("line 7, byte 41", "invalid CSV"),
        ("line 9, byte 61", "invalid CSV"),
    ]


def test_a_long_csv_field_is_kept(read):
    text = "x" * 20_000_000
    assert [len(found) for found in read({"f.csv": f"text\n{text}\nshort\n".encode()}).texts] == [
        len(text),
        5,
    ]


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=5)), max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_csv_gives_back_what_was_written(tmp_path, rows):
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "note"), *rows])
    (tmp_path / "f.csv").write_bytes(buffer.getvalue().encode("utf-8"))
    reading = Reading(FilesConfig(reader="files", path="f.csv").build("s", tmp_path))
    assert reading.texts == [text for text, _ in rows]
    assert reading.quarantine == []


CELLS = st.text(st.characters(blacklist_characters="\r\n", codec="utf-8"), max_size=12)


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.integers(1, 40),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_csv_lines_may_end_in_any_way_wherever_a_block_ends(tmp_path, rows, end, last, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "BLOCK_BYTES", block)
        for name, delimiter in (("f.csv", ","), ("f.tsv", "\t")):
            buffer = io.StringIO()
            csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
                [("text", "note"), *rows]
            )
            written = buffer.getvalue()
            (tmp_path / name).write_bytes((written if last else written.removesuffix(end)).encode())
            reading = Reading(FilesConfig(reader="files", path=name).build("s", tmp_path))
            assert reading.texts == [text for text, _ in rows]
            assert reading.quarantine == []


def test_positions_in_a_csv_of_old_macs(read):
    reading = read({"f.csv": b'text,n\rfine,1\rshort\r"in\rside",2\r\rlast,3'})
    assert reading.texts == ["fine", "in\rside", "last"]
    assert reading.reasons == [("line 3, byte 14", "invalid CSV")]
    assert reading.set_aside.lost_bytes == len(b"short\r")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (b'id,"text', "a quote that is never closed"),
        (b'id,"te"xt', "invalid CSV"),
        (b"id,t\xffxt", "invalid UTF-8"),
        (b"text,id,text", "several columns have the name text"),
    ],
)
def test_a_csv_without_a_usable_header_is_set_aside_as_a_whole(read, header, fault):
    content = header + b"\n1,a\n2,b\n"
    reading = read({"f.csv": content, "g.csv": b"text,,\nfine,1,2\n"})
    assert reading.texts == ["fine"]
    [row] = reading.set_aside.rows
    assert (row.file, row.position, row.reason) == ("f.csv", "line 1, byte 0", "unusable CSV header")
    assert fault in row.sample and (row.bytes, row.records) == (len(content), None)


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        ('"Hello," he said\tx\nplain\ty\n', ['"Hello," he said', "plain"]),
        ('an inch is 1"\tx\n"never closed\ty\nlast\tz\n', ['an inch is 1"', '"never closed', "last"]),
        ('say "hi" to them\tx\n', ['say "hi" to them']),
        ('""\tx\n"a ""quoted""\ttab"\ty\n', ["", 'a "quoted"\ttab']),
        ('"two\nlines"\tx\n', ["two\nlines"]),
        ("it\\ns\\t\tx\n", ["it\\ns\\t"]),
    ],
)
def test_quotes_of_tab_separated_values_are_those_of_csv_only_where_a_writer_of_csv_put_them(
    read, rows, texts
):
    reading = read({"f.tsv": f"text\tnote\n{rows}".encode()})
    assert reading.texts == texts and reading.quarantine == []


PLAIN = st.text(st.characters(blacklist_characters="\r\n\t", codec="utf-8"), min_size=1, max_size=8)


@given(st.lists(PLAIN, min_size=1, max_size=20))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_of_tabs_with_a_stray_quote_is_read_as_it_is_written(tmp_path, texts):
    texts = ['6" and 7', *texts]
    (tmp_path / "f.tsv").write_text("text\tn\n" + "".join(f"{text}\t1\n" for text in texts), newline="")
    reading = Reading(FilesConfig(reader="files", path="f.tsv").build("s", tmp_path))
    assert reading.texts == texts and reading.quarantine == []
