import gzip
import json
import random
import zlib

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.files import FilesConfig

from ..conftest import Reading
from .archives import arc, gzipped, html, lzma_of, page, record, response, zstandarded

OPTIONS = {"pages": {"extractor": "whole_page"}}


def opening(text: str) -> str:
    """The words that tell a page from others."""
    return text.split(" It is long enough")[0]


def openings(reading: Reading) -> list[str]:
    return [opening(text) for text in reading.texts]


def entered(reading: Reading) -> int:
    return len(reading.documents) + reading.set_aside.without_document


CRAWL = [
    record("warcinfo", b"software: x\r\n", url=None),
    record("request", b"GET / HTTP/1.1\r\n\r\n"),
    page("One.", url="http://a.org/1"),
    record("metadata", b"a: b\r\n"),
    page("Two.", url="http://a.org/2"),
]
KINDS = {"warcinfo": 1, "request": 1, "metadata": 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.warc", b"".join(CRAWL)),
        ("a.warc.gz", gzipped(CRAWL)),
        ("a.warc.gz", gzip.compress(b"".join(CRAWL))),
        ("a.warc.zst", zstandarded(CRAWL)),
        ("a.warc.zst", zstandarded(CRAWL, b"".join(CRAWL))),
        ("A.WARC.xz", lzma_of(CRAWL)),
    ],
)
def test_pages_are_documents_and_other_records_are_counted_by_kind(read, name, content):
    reading = read({name: content}, **OPTIONS)
    assert openings(reading) == ["One.", "Two."]
    assert [document["url"] for document in reading.documents] == ["http://a.org/1", "http://a.org/2"]
    assert json.loads(reading.documents[0]["metadata"]) == {
        "date": "2026-01-02T03:04:05Z",
        "mime": "text/html",
        "status": 200,
        "warc_record_id": "<urn:uuid:1>",
        "title": "T",
    }
    assert reading.documents[0]["language"] is None
    assert reading.set_aside.no_documents == KINDS and not reading.quarantine


def test_an_id_says_where_a_page_lies(read):
    plain = read({"a.warc": b"".join(CRAWL)}, **OPTIONS)
    start = len(b"".join(CRAWL[:2]))
    assert plain.ids[0] == f"s/a.warc:{start}"
    assert read({"a.warc.gz": gzipped(CRAWL)}, path="a.warc.gz", **OPTIONS).ids[0] == (
        f"s/a.warc.gz:{len(gzipped(CRAWL[:2]))}"
    )
    whole = read({"b.warc.gz": gzip.compress(b"".join(CRAWL))}, path="b.warc.gz", **OPTIONS)
    assert whole.ids[0] == f"s/b.warc.gz:0+{start}"


def test_an_arc_file(read):
    head = b"filedesc://x 127.0.0.1 20260102030405 text/plain 20\n1 0 x\nURL IP-addre\n\n"
    content = head + arc("http://a.org/with spaces", response(html("One."))) + arc("dns:a.org", b"x")
    for files in ({"a.arc": content}, {"a.arc.gz": gzip.compress(content)}):
        reading = read(files, path=next(iter(files)), **OPTIONS)
        assert openings(reading) == ["One."]
        assert reading.documents[0]["url"] == "http://a.org/with spaces"
        assert reading.set_aside.no_documents == {"warcinfo": 1, "response about the crawl": 1}


def test_a_wet_file_and_resources_are_read(read):
    content = record("conversion", b"Extracted text.") + record(
        "resource", html("A saved page."), url="file:///x", Content_Type="text/html"
    )
    reading = read({"a.warc.wet.gz": gzipped([content])}, **OPTIONS)
    assert openings(reading) == ["Extracted text.", "A saved page."]


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (response(b"x", status="404 Not Found"), "status 404"),
        (response(b"x", status="301 Moved"), "status 301"),
        (response(b"x", content_type="image/png"), "media type image"),
        (response(b"x", content_type="application/pdf"), "media type application"),
        (response(b"x", content_type="\x1b[2J/x"), "media of another type"),
        (response(b"x", content_type=""), "content of no type"),
        (response(b"<html><body></body></html>"), "page without text"),
        (response(b""), "page without text"),
    ],
)
def test_what_is_no_page_is_counted_by_kind(read, block, kind):
    reading = read({"a.warc": record("response", block)}, **OPTIONS)
    assert reading.set_aside.no_documents == {kind: 1}
    assert not reading.documents and not reading.quarantine


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


PAGE = html("One.")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (chunked(PAGE[:9], PAGE[9:]), {"Transfer_Encoding": "chunked"}),
        (chunked(PAGE).removesuffix(b"0\r\n\r\n"), {"Transfer_Encoding": "chunked"}),
        (PAGE, {"Transfer_Encoding": "chunked"}),
        (gzip.compress(PAGE), {"Content_Encoding": "gzip"}),
        (PAGE, {"Content_Encoding": "gzip"}),
        (zlib.compress(PAGE), {"Content_Encoding": "deflate"}),
        (zlib.compress(PAGE)[2:-4], {"Content_Encoding": "deflate"}),
        (brotli.compress(PAGE), {"Content_Encoding": "br"}),
        (zstandard.compress(PAGE), {"Content_Encoding": "zstd"}),
        (chunked(gzip.compress(PAGE)), {"Content_Encoding": "gzip", "Transfer_Encoding": "chunked"}),
        (PAGE, {"content_type": ""}),
        (PAGE, {"content_type": "text/plain"}),
        (PAGE, {"content_type": "application/xhtml+xml"}),
    ],
)
def test_bodies_as_servers_send_them(read, body, fields):
    assert openings(read({"a.warc": record("response", response(body, **fields))}, **OPTIONS)) == ["One."]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (response(b"5\r\nabc", Transfer_Encoding="chunked"), "corrupt transfer encoding"),
        (response(chunked(PAGE)[:40], Transfer_Encoding="chunked"), "corrupt transfer encoding"),
        (response(gzip.compress(PAGE)[:-20], Content_Encoding="gzip"), "corrupt or unknown content encoding"),
        (response(PAGE[20:], Content_Encoding="br"), "corrupt or unknown content encoding"),
        (response(PAGE[20:], Content_Encoding="exi"), "corrupt or unknown content encoding"),
        (b"HTTP/9 nothing\r\n\r\n" + PAGE, "no HTTP header"),
        (response(gzip.compress(b"<p>" + b" " * 2_000_000), Content_Encoding="gzip"), "record too large"),
        (response(brotli.compress(b"<p>" + b" " * 2_000_000), Content_Encoding="br"), "record too large"),
        (response(b"<p>" + b"x" * 2_000_000), "record too large"),
        (
            response(bytes(range(128, 160)) * 9, content_type="text/html; charset=gbk"),
            "undecodable characters",
        ),
    ],
)
def test_broken_pages_are_set_aside_and_the_next_goes_on(read, block, reason):
    options = {"pages": {"extractor": "whole_page", "largest": 1_000_000}}
    broken = record("response", block, Content_Type="application/http")
    for content in (b"".join([CRAWL[0], broken, page("Next.")]), gzipped([CRAWL[0], broken, page("Next.")])):
        name = "a.warc" if content.startswith(b"WARC") else "a.warc.gz"
        reading = read({name: content}, path=name, **options)
        assert openings(reading) == ["Next."]
        start = len(CRAWL[0]) if name == "a.warc" else len(gzipped(CRAWL[:1]))
        assert reading.reasons == [(f"byte {start}", reason)]


@pytest.mark.parametrize("length", [0, 10, 200, 380, 5_000, -1, 10**14])
def test_a_record_with_a_wrong_length_ends_where_the_next_begins(read, length):
    """`length` is what it says; its response tells no length of its own."""
    wrong = record("response", response(html("Wrong.")), length=length)
    records = [page("One."), wrong, page("Two."), page("Three.")]
    for name, content in (("a.warc", b"".join(records)), ("a.warc.gz", gzipped(records))):
        reading = read({name: content}, path=name, **OPTIONS)
        assert openings(reading) == ["One.", "Two.", "Three."]
        assert reading.quarantine[0][2] == "the record's length is wrong"
        size = len(wrong) if name == "a.warc" else len(gzipped([wrong]))
        assert reading.set_aside.lost_bytes == size and entered(reading) == 4


def test_the_length_of_the_response_mends_that_of_the_record(read):
    body = html("Whole.")
    block = response(body, Content_Length=str(len(body)))
    content = record("response", block, length=len(block) - 4) + page("Next.")
    assert openings(read({"a.warc": content}, **OPTIONS)) == ["Whole.", "Next."]


def test_what_is_no_record_is_set_aside(read):
    content = b"junk\r\nand more\r\n" + page("One.") + b"WARC/1.0 but no header\r\n" + page("Two.")
    reading = read({"a.warc": content}, **OPTIONS)
    assert openings(reading) == ["One.", "Two."]
    assert [reason for _, reason in reading.reasons] == ["no record of a web archive"] * 2
    sizes = (len(b"junk\r\nand more\r\n"), len(b"WARC/1.0 but no header\r\n"))
    assert [row.bytes for row in reading.set_aside.rows] == [*sizes]


def test_a_corrupt_member_loses_only_its_records(read):
    records = [page(f"Page {number}. {random.Random(number).random()}") for number in range(9)]
    members = [gzipped([each]) for each in records]
    for damaged in (0, 4, 8):
        broken = bytearray(members[damaged])
        broken[len(broken) // 2] ^= 0xFF
        content = b"".join([*members[:damaged], bytes(broken), *members[damaged + 1 :]])
        reading = read({"a.warc.gz": content}, **OPTIONS)
        assert len(reading.documents) == 8
        ((position, reason),) = reading.reasons
        assert position == f"byte {sum(map(len, members[:damaged]))}" and reason == "corrupt gzip"
        assert reading.set_aside.lost_bytes == len(broken)


def test_a_corrupt_frame_loses_only_its_records(read):
    frames = [zstandarded([page(f"Page {number}.")]) for number in range(3)]
    broken = frames[1][:6] + b"\xff" * 20 + frames[1][26:]
    reading = read({"a.warc.zst": frames[0] + broken + frames[2]}, **OPTIONS)
    assert openings(reading) == ["Page 0.", "Page 2."]
    assert [reason for _, reason in reading.reasons] == ["corrupt zstd"]


def test_a_file_that_was_cut_off_keeps_what_was_whole(read):
    for whole, name, reason in (
        (b"".join(CRAWL), "a.warc", "truncated record"),
        (gzipped(CRAWL), "a.warc.gz", "truncated gzip"),
        (zstandarded(CRAWL), "a.warc.zst", "truncated zstd"),
    ):
        reading = read({name: whole[:-100]}, path=name, **OPTIONS)
        assert openings(reading) == ["One."]
        assert [why for _, why in reading.reasons] == [reason]


def test_a_record_may_be_split_into_members(read):
    head, body = page("One.")[:250], page("One.")[250:]
    reading = read({"a.warc.gz": gzipped([head, body, page("Two.")])}, **OPTIONS)
    assert openings(reading) == ["One.", "Two."] and not reading.quarantine


def test_a_page_that_shows_records_is_one_page(read):
    shown = b"<p>" + b"\r\n\r\n".join([b"", *CRAWL, b"</p>"])
    reading = read({"a.warc": record("response", response(html("One.") + shown)) + page("Two.")}, **OPTIONS)
    assert openings(reading)[1:] == ["Two."] and opening(reading.texts[0]) == "One."


@pytest.mark.parametrize("pack", [b"".join, gzipped])
def test_large_files_are_cut_at_records(tmp_path, pack):
    noise = random.Random(0)
    records = []
    for number in range(120):
        words = f"Page {number}. {noise.randbytes(8_000).hex()}"
        records += [record("request", b"GET / HTTP/1.1\r\n\r\n"), page(words)]
    name = "a.warc" if pack is not gzipped else "a.warc.gz"
    (tmp_path / name).write_bytes(pack(records))
    source = FilesConfig(reader="files", path=name, **OPTIONS).build("s", tmp_path)
    whole, parts = Reading(source, 1 << 30), Reading(source, 200_000)
    assert len(whole.units) == 1 and len(parts.units) >= 3
    assert parts.documents == whole.documents and len(whole.documents) == 120
    assert parts.set_aside.no_documents == whole.set_aside.no_documents == {"request": 120}
    limited = FilesConfig(reader="files", path=name, limit="150 documents", **OPTIONS).build("s", tmp_path)
    assert entered(Reading(limited, 200_000)) == 150
    some = Reading(limited, 200_000).documents
    assert 0 < len(some) < 120 and all(document in whole.documents for document in some)


def test_a_file_is_not_cut_within_an_archive_that_it_holds(tmp_path):
    """A member whose content is stored as it is shows the members of an archive that was downloaded."""
    noise = random.Random(0)
    inner = gzipped(page(noise.randbytes(3_000).hex()) for _ in range(300))
    stored = zlib.compressobj(0, zlib.DEFLATED, 31)
    outer = record("response", response(inner, content_type="application/warc"))
    member = stored.compress(outer) + stored.flush()
    assert len(inner) > 800_000
    (tmp_path / "a.warc.gz").write_bytes(gzipped([page("One.")]) + member + gzipped([page("Two.")]))
    source = FilesConfig(reader="files", path="a.warc.gz", **OPTIONS).build("s", tmp_path)
    reading = Reading(source, 100_000)
    assert openings(reading) == ["One.", "Two."]
    assert reading.set_aside.no_documents == {"media type application": 1}


DAMAGES = st.lists(
    st.tuples(st.sampled_from(["cut", "flip", "insert"]), st.floats(0, 1), st.binary(max_size=30)), max_size=3
)
RECORDS = st.lists(
    st.one_of(
        st.just(CRAWL[1]),
        st.builds(lambda words: page(words), st.text("abc <>&", max_size=40)),
        st.builds(
            lambda block, kind: record(kind, block),
            st.binary(max_size=60),
            st.sampled_from(["response", "resource"]),
        ),
        st.builds(lambda length: record("response", response(PAGE), length=length), st.integers(-1, 2_000)),
        st.builds(lambda block: arc("http://a.org", block), st.binary(max_size=60)),
    ),
    max_size=6,
)


@given(
    RECORDS,
    DAMAGES,
    st.sampled_from(["a.warc", "a.warc.gz", "a.warc.zst", "a.arc.xz"]),
    st.integers(1, 3_000),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_is_accounted_for_whatever_is_broken(tmp_path, records, damages, name, part_bytes):
    pack = {".warc": b"".join, ".gz": gzipped, ".zst": zstandarded, ".xz": lzma_of}
    content = pack["." + name.rpartition(".")[2]](records)
    for how, where, inserted in damages:
        at = int(where * len(content))
        if how == "cut":
            content = content[:at]
        elif how == "flip":
            content = content[:at] + bytes(byte ^ 0x55 for byte in content[at : at + 3]) + content[at + 3 :]
        else:
            content = content[:at] + inserted + content[at:]
    for old in tmp_path.iterdir():
        old.unlink()
    (tmp_path / name).write_bytes(content)
    source = FilesConfig(reader="files", path=name, **OPTIONS).build("s", tmp_path)
    if not content:
        return
    whole, parts = Reading(source, 1 << 30), Reading(source, part_bytes)
    assert len(set(whole.ids)) == len(whole.ids)
    assert parts.documents == whole.documents and parts.quarantine == whole.quarantine
    assert all(row.bytes >= 0 for row in whole.set_aside.rows)
    if not damages:
        assert entered(whole) >= len(records) - sum(b"Content-Length: -1" in each for each in records)
    if content.strip(b"\r\n\0") and content != pack["." + name.rpartition(".")[2]]([]):
        assert entered(whole) > 0


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_archive_are_set_aside_whole(tmp_path, content):
    (tmp_path / "a.warc").write_bytes(content)
    if not content.strip(b"\r\n"):
        return
    reading = Reading(FilesConfig(reader="files", path="a.warc", **OPTIONS).build("s", tmp_path))
    assert not reading.documents and reading.set_aside.lost_bytes == len(content.lstrip(b"\r\n"))
