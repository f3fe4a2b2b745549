"""Source code as the `files` reader reads it."""

import gzip
import io
import zipfile

import orjson
import pytest

from pipelines.sources.files import FilesConfig


def metadata_of(reading) -> list[dict]:
    return [orjson.loads(document["metadata"]) for document in reading.documents]


def test_a_source_file_is_a_document_with_its_language_and_licence(read):
    text = "# SPDX-License-Identifier: BSD-2-Clause\r\nx = 'é'\n"
    reading = read({"a/b.py": text.encode()})
    assert reading.texts == [text]
    assert reading.ids == ["s/a/b.py:0"]
    assert metadata_of(reading) == [{"path": "a/b.py", "programming_language": "Python"}]
    assert [document["license"] for document in reading.documents] == ["BSD-2-Clause"]


def test_what_no_header_says_is_what_the_recipe_says(read):
    reading = read({"a.c": b"int x;\n"}, license="mit", language="en")
    assert [document["license"] for document in reading.documents] == [reading.documents[0]["license"]]
    assert reading.documents[0]["language"] == "en"
    assert reading.documents[0]["license"].lower() == "mit"


def test_formats_of_records_and_text_go_before_code(read):
    files = {
        "a.jsonl": b'{"text":"record"}\n',
        "b.csv": b"text\ncell\n",
        "c.md": b"prose",
        "d.txt": b"plain",
        "e.go": b"package e\n",
        "CMakeLists.txt": b"project(x)\n",
    }
    reading = read(files)
    assert sorted(reading.texts) == sorted(
        ["record", "cell", "prose", "plain", "package e\n", "project(x)\n"]
    )
    coded = [each for each in metadata_of(reading) if "programming_language" in each]
    assert coded == [{"path": "e.go", "programming_language": "Go"}]


def test_data_and_rare_suffixes_are_passed_over(read, tmp_path):
    for name in ("a.py", "b.yaml", "c.las", "d.xml"):
        (tmp_path / name).write_bytes(b"x\n")
    source = FilesConfig(reader="files", path=".").build("s", tmp_path)
    assert [file.path for file in source.files] == ["a.py"]
    assert {each.kind for each in source.passed_over()} == {".yaml", ".las", ".xml"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("// Привет, это комментарий к программе\nint x;\n", "cp1251"),
        ("// Привет, это комментарий к программе\nint x;\n", "koi8_r"),
        ("// Résumé of a naïve café\nint x;\n", "cp1252"),
        ("// こんにちは、これはテストです。よろしくお願いします\n", "cp932"),
    ],
)
def test_an_older_character_set_is_told_and_noted(read, text, encoding):
    reading = read({"a.c": text.encode(encoding)})
    assert reading.texts == [text]
    assert metadata_of(reading)[0]["encoding"] == encoding


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_heeded_and_left_out(read, encoding):
    reading = read({"a.cs": "class A { string é; }\n".encode(encoding)})
    assert reading.texts == ["class A { string é; }\n"]


def test_binary_files_are_set_aside(read):
    reading = read({"a.ts": b"G\0" * 1000, "b.py": b"x = 1\n", "c.c": b"%PDF-1.7\n"})
    assert reading.texts == ["x = 1\n"]
    assert [row[0::2] for row in reading.quarantine] == [
        ("a.ts", "binary file"),
        ("c.c", "binary file"),
    ]
    assert reading.set_aside.lost_bytes == 2009


def test_compressed_code_is_read_and_broken_is_set_aside(read):
    whole = gzip.compress(b"fn main() {}\n")
    reading = read({"a.rs.gz": whole, "b.rs.gz": whole[:-9], "empty.py": b""})
    assert reading.texts == ["fn main() {}\n"]
    assert metadata_of(reading) == [{"path": "a.rs.gz", "programming_language": "Rust"}]
    assert [row[2] for row in reading.quarantine] == ["truncated gzip"]


def test_code_in_an_archive_is_read(read, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("src/a.py", "x = 1\n")
    reading = read({"a.zip": packed.getvalue()})
    assert reading.texts == ["x = 1\n"]
