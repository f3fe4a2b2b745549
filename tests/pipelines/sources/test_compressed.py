"""Compressed files: every kind of compression with every format that may be compressed."""

import bz2
import gzip
import io
import json
import lzma

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.compressed import COMPRESSIONS, Decompressed
from pipelines.sources.formats import READABLE, suffix_of

COMPRESS = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}
RECORDS = [f"document {number}" for number in range(30)]
LINES = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in RECORDS)
CONTENTS = {
    ".jsonl": LINES,
    ".json": json.dumps([{"text": text} for text in RECORDS]).encode(),
    ".csv": b"".join(b"%s\r\n" % line.encode() for line in ["n,text", *(f"1,{text}" for text in RECORDS)]),
    ".tsv": b"".join(b"%s\n" % line.encode() for line in ["n\ttext", *(f"1\t{text}" for text in RECORDS)]),
    ".txt": b"one\ntwo\n",
    ".md": b"# one\n",
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", CONTENTS)
def test_what_is_compressed_is_read_as_what_is_not(read, suffix, compression):
    plain = read({f"p/f{suffix}": CONTENTS[suffix]}, path="p")
    assert plain.texts
    for name in (
        f"f{suffix}{compression}",
        f"F{suffix}{compression}".upper(),
        f"f{suffix}{compression.upper()}",
    ):
        packed = read({f"{name}.d/{name}": COMPRESS[compression](CONTENTS[suffix])}, path=f"{name}.d")
        assert packed.texts == plain.texts
        assert packed.quarantine == []
    if suffix in (".txt", ".md"):
        packed = read({}, path=f"f{suffix}{compression}.d", text_document="line")
        assert packed.texts == CONTENTS[suffix].decode().splitlines()


def test_suffixes_count_in_any_case(read):
    reading = read(
        {"A.JSON": CONTENTS[".json"], "B.Tsv": CONTENTS[".tsv"], "C.CSV": CONTENTS[".csv"], "D.Md": b"# one"}
    )
    assert reading.texts == [*RECORDS, *RECORDS, *RECORDS, "# one"]
    assert suffix_of("x.PARQUET") == ".parquet"


def test_what_is_read_from_within_is_not_compressed_as_a_whole():
    for compression in COMPRESSIONS:
        assert suffix_of(f"a.parquet{compression}") is suffix_of(f"a.arrow{compression}") is None
        assert suffix_of(f"a{compression}") is None
        assert compression in READABLE


def decompressed(data: bytes, kind: str) -> Decompressed:
    return Decompressed(io.BytesIO(data), COMPRESSIONS[kind])


kinds = st.sampled_from(sorted(COMPRESS))
contents = st.one_of(st.binary(max_size=3000), st.just(LINES * 50), st.just(b"\n" * 300_000))


@settings(max_examples=60, deadline=None)
@given(kinds, st.lists(contents, max_size=4), st.integers(0, 3), st.integers(1, 70_000))
def test_members_follow_one_another(kind, members, zeros, size):
    padding = bytes(4 * zeros) if kind in (".gz", ".xz") else b""
    data = b"".join(COMPRESS[kind](member) + padding for member in members)
    stream = decompressed(data, kind)
    pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == b"".join(members)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert stream.broken is None
    assert (stream.consumed, stream.produced) == (len(data), sum(map(len, members)))


@settings(max_examples=60, deadline=None)
@given(kinds, st.lists(st.one_of(st.binary(max_size=3000), st.just(LINES * 50)), min_size=1, max_size=3))
def test_lines_of_a_compressed_file(kind, members):
    data = COMPRESS[kind](b"".join(members))
    lines = list(iter(decompressed(data, kind).readline, b""))
    assert lines == io.BytesIO(b"".join(members)).readlines()
    bounded = decompressed(data, kind)
    assert b"".join(iter(lambda: bounded.readline(10), b"")) == b"".join(members)


@settings(max_examples=80, deadline=None)
@given(kinds, contents, contents, st.data())
def test_what_comes_before_a_truncation_is_given_out(kind, first, second, draw):
    whole = COMPRESS[kind](first) + (last := COMPRESS[kind](second))
    cut = draw.draw(st.integers(len(whole) - len(last) + 1, len(whole) - 1))
    stream = decompressed(whole[:cut], kind)
    given_out = b"".join(iter(lambda: stream.read(1000), b""))
    assert (first + second).startswith(given_out) and len(given_out) >= len(first)
    name = COMPRESSIONS[kind].name
    assert stream.broken == f"truncated {name}"
    assert stream.read(1) == stream.readline() == b""
    assert (stream.consumed, stream.produced) == (cut, len(given_out))


@settings(max_examples=60, deadline=None)
@given(kinds, st.binary(min_size=20, max_size=3000), st.data())
def test_damage_is_found(kind, content, draw):
    whole = bytearray(COMPRESS[kind](content))
    whole[draw.draw(st.integers(len(whole) // 2, len(whole) - 1))] ^= draw.draw(st.integers(1, 255))
    stream = decompressed(bytes(whole), kind)
    given_out = b"".join(iter(lambda: stream.read(1000), b""))
    if given_out == content and stream.broken is None:
        return  # bits that mean nothing
    assert stream.broken in (f"corrupt {COMPRESSIONS[kind].name}", f"truncated {COMPRESSIONS[kind].name}")


@pytest.mark.parametrize("kind", COMPRESS)
def test_other_content_is_corrupt(kind):
    for data in (b"not compressed", COMPRESS[kind](LINES) + b"more" * 10):
        stream = decompressed(data, kind)
        while stream.read(1 << 20):
            pass
        assert stream.broken == f"corrupt {COMPRESSIONS[kind].name}"


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_is_taken_a_little_at_a_time(kind):
    zeros, times = bytes(1 << 20), 1 << 7
    if kind == ".zst":
        writer = zstandard.ZstdCompressor().compressobj()
        bomb = b"".join(writer.compress(zeros) for _ in range(times)) + writer.flush()
    else:
        bomb = COMPRESS[kind](zeros * times)
    stream = decompressed(bomb, kind)
    assert stream.read(1) == b"\0"
    assert stream.produced < 80 << 20


@pytest.mark.parametrize("window", [27, 28, 31])
def test_long_windows_of_zstd_are_read(read, window):
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window, enable_ldm=True)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    reading = read({"a.jsonl.zst": writer.compress(LINES) + writer.flush()})
    assert reading.texts == RECORDS


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", CONTENTS)
def test_a_truncated_file_is_set_aside(read, suffix, compression):
    whole = COMPRESS[compression](CONTENTS[suffix])
    reading = read({f"f{suffix}{compression}": whole[:-2]})
    assert [reason for _, reason in reading.reasons][-1:] == [f"truncated {COMPRESSIONS[compression].name}"]
