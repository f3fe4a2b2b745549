"""Contents of records from an object store on loopback that lies as Software Heritage's does."""

import gzip
import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from pydantic import ValidationError

from pipelines.errors import UserError
from pipelines.sources import software_heritage
from pipelines.sources.files import FilesConfig
from pipelines.sources.hub import HubConfig

from .conftest import Reading
from .presets.datasets_of_the_hub import THE_STACK_V2, parquet
from .remote.object_store import BadRoad, at, object_store

TEXTS = {
    "utf-8": "print('ünïcode')\n" * 20,
    "ISO-8859-1": "# café\n" * 30,
    "GB18030": "# 你好\n" * 30,
}


def blob_id(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def record(text: str, encoding: str | None = "utf-8", **other: object) -> dict:
    return {
        "blob_id": blob_id(text),
        "path": f"/src/{blob_id(text)[:6]}.py",
        "detected_licenses": ["MIT"],
        "license_type": "permissive",
        "src_encoding": encoding,
        "language": "Python",
        "is_vendor": False,
        "is_generated": False,
        "length_bytes": len(text),
        **other,
    }


@pytest.fixture(scope="module")
def store() -> Iterator[object]:
    """The bucket, whose address and credentials are in their usual variables."""
    software_heritage.store.cache_clear()
    with object_store():
        client = boto3.client("s3")
        client.create_bucket(Bucket="softwareheritage")
        yield client
    software_heritage.store.cache_clear()


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUPAGE_CACHE", str(tmp_path / "cache"))


def put(store, text: str, encoding: str = "utf-8", data: bytes | None = None) -> None:
    body = gzip.compress(text.encode(encoding)) if data is None else data
    store.put_object(Bucket="softwareheritage", Key=f"content/{blob_id(text)}", Body=body)


FIELDS = {"text": "content", "id": "blob_id", "license": "detected_licenses"}


def read_rows(tmp_path: Path, rows: list[dict], part_bytes: int = 1 << 20, **options: object) -> Reading:
    (tmp_path / "ids.parquet").write_bytes(parquet(THE_STACK_V2, rows, row_group_size=50))
    config = FilesConfig(
        reader="files", path="ids.parquet", contents="software_heritage", fields=FIELDS, **options
    )
    return Reading(config.build("s", tmp_path), part_bytes)


def test_texts_are_decoded_as_the_record_says_and_come_in_its_order(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(software_heritage, "BATCH", 16)
    many = [f"x = {number}\n" * 9 for number in range(60)]
    for text in many:
        put(store, text)
    for encoding, text in TEXTS.items():
        put(store, text, encoding)
    rows = [*map(record, many), *(record(text, encoding) for encoding, text in TEXTS.items())]
    reading = read_rows(tmp_path, rows)
    assert reading.texts == [*many, *TEXTS.values()] and not reading.quarantine
    assert reading.ids == [f"s/{row['blob_id']}" for row in rows]
    assert {document["license"] for document in reading.documents} == {"MIT"}


def test_what_cannot_be_had_is_set_aside_with_its_reason(store, tmp_path) -> None:
    good, missing, damaged, other = "good\n", "missing\n", "damaged\n", "other\n"
    put(store, good)
    put(store, damaged, data=b"no gzip")
    put(store, other, data=gzip.compress(b"\xff\xfe\xfa"))
    cut = "cut\n" * 99
    put(store, cut, data=gzip.compress(cut.encode())[:-9])
    rows = [
        record(missing),
        record(damaged),
        record(good),
        record(other),
        record(good, "no-such-code"),
        record(cut),
        record(good, blob_id="../../etc/passwd"),
    ]
    reading = read_rows(tmp_path, rows)
    assert reading.texts == [good]
    assert reading.reasons == [
        ("row 0", "its content is not in the store"),
        ("row 1", "corrupt gzip"),
        ("row 3", "its content is not in the encoding that it names"),
        ("row 4", "its content is not in the encoding that it names"),
        ("row 5", "corrupt gzip"),
        ("row 6", "its content is not in the store"),
    ]


def test_what_unpacks_beyond_bounds_is_set_aside(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(software_heritage, "MAX_RECORD_BYTES", 10_000)
    bomb = "bomb"
    put(store, bomb, data=gzip.compress(b"0" * 1_000_000))
    assert read_rows(tmp_path, [record(bomb)]).reasons == [("row 0", "record too large")]


def test_what_was_fetched_is_not_fetched_again(store, tmp_path) -> None:
    put(store, "once\n")
    first = read_rows(tmp_path, [record("once\n")])
    store.delete_object(Bucket="softwareheritage", Key=f"content/{blob_id('once' + chr(10))}")
    software_heritage.store().invalidate_cache()
    assert read_rows(tmp_path, [record("once\n")]).documents == first.documents


def test_only_what_is_wanted_is_fetched(store, tmp_path) -> None:
    put(store, "own\n")
    rows = [record("vendored\n", is_vendor=True), record("own\n"), record("generated\n", is_generated=True)]
    reading = read_rows(tmp_path, rows, where={"is_vendor": False, "is_generated": False})
    assert reading.texts == ["own\n"] and not reading.quarantine


def test_limits_count_records_and_not_bytes(store, tmp_path) -> None:
    for number in range(30):
        put(store, f"{number}\n")
    rows = [record(f"{number}\n") for number in range(30)]
    assert len(read_rows(tmp_path, rows, limit="7 documents").documents) == 7
    with pytest.raises(ValidationError, match="written in documents"):
        HubConfig(reader="hub", dataset="a/b", contents="software_heritage", limit="2GB")


def test_blobs_come_through_a_way_that_cuts_every_answer(store, tmp_path) -> None:
    texts = [random.Random(number).randbytes(size).hex() for number, size in enumerate((9, 5000, 20_000))]
    for text in texts:
        put(store, text)
    with BadRoad(os.environ["AWS_ENDPOINT_URL"], most=1500) as road, at(road.address):
        software_heritage.store.cache_clear()
        try:
            reading = read_rows(tmp_path, [*map(record, texts), record("missing\n")])
        finally:
            software_heritage.store.cache_clear()
    assert road.cut and reading.texts == texts
    assert reading.reasons == [("row 3", "its content is not in the store")]


def test_a_store_that_refuses_is_named(store, tmp_path, monkeypatch) -> None:
    class Refusing:
        def cat(self, paths, **options):
            return {path: PermissionError("Access Denied") for path in paths}

    monkeypatch.setattr(software_heritage, "store", Refusing)
    with pytest.raises(UserError, match=r"Software Heritage.*Access Denied") as caught:
        read_rows(tmp_path, [record("x\n")])
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_a_preview_fetches_few(store, tmp_path) -> None:
    rows = [record(f"{number}\n") for number in range(500)]
    for number in range(20):
        put(store, f"{number}\n")
    (tmp_path / "ids.parquet").write_bytes(parquet(THE_STACK_V2, rows, row_group_size=500))
    config = FilesConfig(reader="files", path="ids.parquet", contents="software_heritage", fields=FIELDS)
    preview = config.build("s", tmp_path).preview()
    assert preview.documents.num_rows == 20 and not preview.refused
    assert preview.records == pytest.approx(500, rel=0.1)


def test_records_nested_in_json_lines_are_read_too(read) -> None:
    files = (
        b'{"repo": "r", "files": [{"content": "a"}, {"content": "b", "kind": "x"}, 7]}\n{"repo": "q"}\n{bad\n'
    )
    reading = read({"a.jsonl": files}, records="files", fields={"text": "content"})
    assert reading.ids == ["s/a.jsonl:0.0", "s/a.jsonl:0.1"]
    assert [document["metadata"] for document in reading.documents] == [
        '{"repo":"r"}',
        '{"repo":"r","kind":"x"}',
    ]
    assert [reason for _, reason in reading.reasons] == [
        "record is not an object",
        "no text field",
        "invalid JSON",
    ]
