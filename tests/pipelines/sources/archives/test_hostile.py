"""Archives made to do harm: each member is refused by name and reason, the good ones beside it are read."""

import gzip
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources import compressed
from pipelines.sources.archives import limits, tar_files
from pipelines.sources.archives.names import leads_out, unsafe_name

from .packing import TARS, packed, tarred, zipped

UNSAFE = "unsafe member of an archive"
BOMB = "archive that becomes too large"
GOOD = ("good.txt", b"good")
ESCAPES = ["/etc/cron.d/evil.txt", "../../evil.txt", "a/../../evil.txt", "..", "..\\evil.txt", "C:/evil.txt"]


def _special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def _everything(folder) -> set[str]:
    return {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names}


@pytest.mark.parametrize("suffix", [".zip", *TARS])
def test_no_name_leads_out_and_nothing_is_written(read, tmp_path, suffix):
    members = [(name, b"evil") for name in ESCAPES]
    reading = read({f"deep/down/a{suffix}": packed([*members, GOOD], suffix)})
    assert reading.texts == ["good"]
    inside = f"deep/down/a{suffix}!/"
    assert [row[:1] + row[2:3] for row in reading.quarantine] == [(inside + name, UNSAFE) for name in ESCAPES]
    assert "absolute" in reading.quarantine[0][3] and "backslash" in reading.quarantine[4][3]
    assert _everything(tmp_path) == {str(tmp_path / f"deep/down/a{suffix}")}


def test_a_nul_in_a_name(read):
    content = zipped([("evilX.txt", b"x"), GOOD]).replace(b"evilX.txt", b"evil\0.txt")
    reading = read({"a.zip": content})
    assert reading.texts == ["good"]
    assert reading.quarantine == [("a.zip!/evil\0.txt", "", UNSAFE, "a NUL in its name")]


@pytest.mark.parametrize("suffix", TARS)
def test_links_and_devices_of_tar_files(read, suffix):
    members = [
        _special("out.txt", tarfile.SYMTYPE, "/etc/passwd"),
        _special("a/up.txt", tarfile.SYMTYPE, "../../x"),
        _special("hard.txt", tarfile.LNKTYPE, "../x"),
        _special("null.txt", tarfile.CHRTYPE),
        _special("disk.txt", tarfile.BLKTYPE),
        _special("pipe.txt", tarfile.FIFOTYPE),
        _special("a/harmless.txt", tarfile.SYMTYPE, "../good.txt"),
        _special("also.txt", tarfile.LNKTYPE, "good.txt"),
        GOOD,
    ]
    reading = read({f"a{suffix}": tarred(members, suffix)})
    assert reading.texts == ["good"]
    assert [(file.split("!/")[1], reason, why) for file, _, reason, why in reading.quarantine] == [
        ("out.txt", UNSAFE, "a link to /etc/passwd"),
        ("a/up.txt", UNSAFE, "a link to ../../x"),
        ("hard.txt", UNSAFE, "a hard link to ../x"),
        ("null.txt", UNSAFE, "a device or a pipe"),
        ("disk.txt", UNSAFE, "a device or a pipe"),
        ("pipe.txt", UNSAFE, "a device or a pipe"),
    ]
    assert {kind: each.files for kind, each in reading.set_aside.passed_over.items()} == {
        "link": 1,
        "hard link": 1,
    }


def test_links_and_devices_of_zip_files(read):
    def member(name: str, mode: int) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        return info

    members = [
        (member("out.txt", 0o120777), "/etc/passwd"),
        (member("in.txt", 0o120777), "good.txt"),
        (member("null.txt", 0o020666), ""),
        GOOD,
    ]
    reading = read({"a.zip": zipped(members)})
    assert reading.texts == ["good"]
    assert [(file, why) for file, _, _, why in reading.quarantine] == [
        ("a.zip!/out.txt", "a link to /etc/passwd"),
        ("a.zip!/null.txt", "a device or a pipe"),
    ]
    assert list(reading.set_aside.passed_over) == ["link"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("again", ["good.txt", "./good.txt", "x/./good.txt"])
def test_of_two_members_of_one_name_the_first_is_read(read, suffix, again):
    members = [GOOD, ("x/good.txt", b"other"), (again, b"evil")]
    reading = read({f"a{suffix}": packed(members, suffix)})
    assert reading.texts == ["good", "other"]
    assert reading.quarantine == [(f"a{suffix}!/{again}", "", UNSAFE, "a name that another member has")]


def test_encrypted_members_are_set_aside(read):
    content = bytearray(zipped([("secret.txt", b"x"), GOOD]))
    content[6] |= 1  # the flags of the first member
    content[content.index(b"PK\1\2") + 8] |= 1  # and in the directory
    reading = read({"a.zip": bytes(content)})
    assert reading.texts == ["good"]
    assert [row[:3] for row in reading.quarantine] == [("a.zip!/secret.txt", "", "encrypted")]


@pytest.mark.parametrize("inner", [".zip", ".tar", ".tgz"])
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_within_an_archive_is_not_opened(read, inner, suffix):
    reading = read({f"a{suffix}": packed([(f"inner{inner}", packed([GOOD], inner)), GOOD], suffix)})
    assert reading.texts == ["good"]
    assert [row[:3] for row in reading.quarantine] == [
        (f"a{suffix}!/inner{inner}", "", "archive within an archive")
    ]


@cache
def _zeros() -> bytes:
    """10 GiB of zeros, deflated: the same block over and over again."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(1 << 24)) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(bytes(1 << 24)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return block + again * 639 + deflate.flush()


def _zip_of(name: str, content: bytes, size: int, checksum: int = 0) -> bytes:
    """A zip file with one deflated member that claims what it is told to."""
    raw = name.encode()
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, checksum, len(content), size, len(raw), 0)
    local = b"PK\3\4" + fields + raw + content
    entry = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + raw
    return local + entry + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)


@pytest.mark.parametrize("name", ["zeros.txt", "zeros.jsonl", "zeros.parquet", "zeros.csv"])
@pytest.mark.parametrize("claimed", [4_000_000_000, 100])
def test_a_bomb_in_a_zip_is_not_unpacked(read, name, claimed):
    content = _zip_of(name, _zeros(), claimed)
    tracemalloc.start()
    reading = read({"a.zip": content})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(content) < 12_000_000 and peak < 150_000_000
    assert reading.texts == [] and {row[0] for row in reading.quarantine} == {f"a.zip!/{name}"}
    if claimed > 100:
        assert [(row[2], row[3]) for row in reading.quarantine] == [
            (BOMB, f"{len(_zeros()):,} bytes that become 4,000,000,000")
        ]


@pytest.fixture
def small_budget(monkeypatch):
    monkeypatch.setattr(compressed, "FREE_BYTES", 1 << 20)


@pytest.mark.parametrize("suffix", TARS[1:])
def test_a_bomb_in_a_tar_is_read_no_further(read, suffix, small_budget):
    members = [GOOD, ("zeros.txt", bytes(50 << 20)), ("behind.txt", b"x")]
    reading = read({f"a{suffix}": tarred(members, suffix)})
    assert reading.texts == ["good"]
    assert {(row[0].split("!/")[-1], row[2]) for row in reading.quarantine} >= {("zeros.txt", BOMB)}
    assert "behind.txt" not in str(reading.documents)


def test_many_small_bombs_are_one(read, small_budget):
    members = [(f"{n}.txt", bytes(900 << 10)) for n in range(40)]
    reading = read({"a.zip": zipped(members)})
    assert 0 < len(reading.texts) < 20
    assert {row[2] for row in reading.quarantine} == {BOMB}
    assert len(reading.texts) + len(reading.quarantine) == 40


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_what_is_compressed_within_counts_too(read, suffix, small_budget):
    members = [("zeros.jsonl.gz", gzip.compress(bytes(100 << 20))), GOOD]
    reading = read({f"a{suffix}": packed(members, suffix)})
    assert (f"a{suffix}!/zeros.jsonl.gz", BOMB) in [(row[0], row[2]) for row in reading.quarantine]


def test_members_that_share_their_bytes_are_refused(read):
    """As in the bomb of D. Fifield, "A better zip bomb" (2019)."""
    names = [f"{n}.txt" for n in range(3)]
    content = zipped([("0.txt", b"evil" * 100)])
    local, entry = (
        content[: content.index(b"PK\1\2")],
        content[content.index(b"PK\1\2") : content.index(b"PK\5\6")],
    )
    entries = b"".join(entry.replace(b"0.txt", name.encode()) for name in names)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 3, 3, len(entries), len(local), 0)
    reading = read({"a.zip": local + entries + end})
    assert reading.texts == []
    assert reading.quarantine == [("a.zip", "", BOMB, "members that share their bytes")]
    assert reading.set_aside.lost_bytes == len(local + entries + end)


@pytest.mark.parametrize(("claimed", "reason"), [(3, "corrupt zip"), (4000, "truncated zip")])
def test_a_member_that_is_not_as_long_as_its_header_says(read, claimed, reason):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = deflate.compress(b"content") + deflate.flush()
    reading = read({"a.zip": _zip_of("a.txt", content, claimed, zlib.crc32(b"content"))})
    assert reading.texts == []
    assert [(row[0], row[2]) for row in reading.quarantine] == [("a.zip!/a.txt", reason)]


def test_a_member_with_another_checksum(read):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = deflate.compress(b"content") + deflate.flush()
    reading = read({"a.zip": _zip_of("a.txt", content, 7, 1)})
    assert [row[2] for row in reading.quarantine] == ["corrupt zip"]


def test_a_directory_that_names_another_member_than_its_header(read):
    content = zipped([("good.txt", b"x")]).replace(b"good.txt", b"evil.txt", 1)
    reading = read({"a.zip": content})
    assert [(row[0], row[2]) for row in reading.quarantine] == [("a.zip!/good.txt", "unreadable file")]


def test_a_directory_larger_than_it_may_be_is_not_loaded(read, monkeypatch):
    from pipelines.sources.archives import zip_files

    monkeypatch.setattr(zip_files, "MAX_DIRECTORY_BYTES", 1 << 17)
    reading = read({"a.zip": zipped([(f"{n:0100}.txt", b"") for n in range(1000)])})
    assert [(row[0], row[2]) for row in reading.quarantine] == [("a.zip", "corrupt zip")]


def test_a_name_that_takes_the_memory(read):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 10 << 30
    content = header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)
    reading = read({"a.tar.gz": gzip.compress(content)})
    assert [row[2:] for row in reading.quarantine] == [("corrupt tar", "a header of 10,737,418,240 bytes")]
    assert limits.MAX_HEADER_BYTES < 10 << 30


def test_a_size_beyond_the_file(read):
    header = tarfile.TarInfo("a.jsonl")
    header.size = 1 << 50
    reading = read({"a.tar": header.tobuf(tarfile.GNU_FORMAT) + b'{"text": "one"}\n' * 10})
    assert reading.texts == ["one"] * 10
    assert {row[2] for row in reading.quarantine} == {"truncated tar"}


def test_more_members_than_are_remembered(read, monkeypatch):
    monkeypatch.setattr(tar_files, "MAX_MEMBERS", 10)
    reading = read({"a.tar": tarred([(f"{n}.txt", b"x") for n in range(20)])})
    assert len(reading.texts) == 10
    assert [row[2:] for row in reading.quarantine] == [(BOMB, "more than 10 members")]


def test_extended_attributes_that_lie(read):
    def tar(attributes: bytes) -> bytes:
        header = tarfile.TarInfo("x")
        header.type, header.size = tarfile.XHDTYPE, len(attributes)
        padded = attributes + bytes(-len(attributes) % 512)
        return header.tobuf() + padded + tarred([GOOD])

    for attributes in (b"999 path=x\n", b"0 path=x\n", b"nonsense", b"14 size=-512\n", b"12 size=x12\n"):
        reading = read({"a.tar": tar(attributes)})
        assert reading.texts == [] and [row[2] for row in reading.quarantine] == ["corrupt tar"]
    reading = read({"a.tar": tar(b"26 path=../../../evil.txt\n")})
    assert [(row[0], row[2]) for row in reading.quarantine] == [("a.tar!/../../../evil.txt", UNSAFE)]


PATHS = st.lists(st.sampled_from(["..", ".", "a", "", "b.txt", "/", "\\", "C:"]), max_size=6).map("/".join)


@given(PATHS)
@settings(max_examples=300)
def test_a_safe_name_stays_in_its_folder(name):
    if unsafe_name(name) is None:
        assert os.path.normpath(os.path.join("/root/folder", name)).startswith("/root/folder")


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map("/".join), PATHS, st.booleans())
@settings(max_examples=300)
def test_a_link_that_does_not_lead_out_stays_in_its_folder(name, target, from_root):
    if not leads_out(name, target, from_root):
        folder = "" if from_root else os.path.dirname(name)
        assert os.path.normpath(os.path.join("/root/top", folder, target)).startswith("/root/top")
