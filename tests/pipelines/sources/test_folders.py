"""What of a folder is read as documents, and what is passed over, by kind."""

import os
from pathlib import Path

import datasets
import pytest

from pipelines.errors import UserError
from pipelines.sources.files import FilesConfig, FilesSource
from pipelines.sources.passed_over import MAX_KINDS, OTHER_KINDS, PassedOver, describe

LINE = b'{"text":"t"}\n'


def source(folder: Path, path: str = ".") -> FilesSource:
    return FilesConfig(reader="files", path=path).build("s", folder)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LINE)


def read(source: FilesSource) -> list[str]:
    return [file.path for file in source.files]


def counted(source: FilesSource) -> dict[str, tuple[int, str]]:
    return {each.kind: (each.files, each.example) for each in source.passed_over()}


ABOUT_THE_DATA = [
    *("README", "README.md", "readme.txt", "ReadMe.rst", "README_ru.md", "README.md.gz", "sub/README.MD"),
    *("LICENSE", "LICENSE.txt", "LICENSE-MIT", "licence.md", "LICENSES.txt"),
    *("COPYING", "COPYING.LESSER", "NOTICE", "notice.txt"),
]
DOCUMENTS = ["README.jsonl", "licensed.txt", "notices.txt", "readmes.md", "notice 12.md", "my README.md"]


def test_what_is_about_the_data_is_no_document(tmp_path):
    write(tmp_path, "a.jsonl", *ABOUT_THE_DATA, *DOCUMENTS)
    for path in (".", "**/*", "**"):
        assert read(source(tmp_path, path)) == sorted(["a.jsonl", *DOCUMENTS]), path
        kinds = counted(source(tmp_path, path))
        assert kinds == {
            "README": (7, "README"),
            "LICENSE": (3, "LICENSE"),
            "LICENCE": (1, "licence.md"),
            "LICENSES": (1, "LICENSES.txt"),
            "COPYING": (2, "COPYING"),
            "NOTICE": (2, "NOTICE"),
        }


@pytest.mark.parametrize("path", ["README.md", "*/README.md", "**/README*.md", "README[1].md"])
def test_what_is_asked_for_by_its_name_is_read(tmp_path, path):
    write(tmp_path, "README.md", "README[1].md", "sub/README.md")
    assert read(source(tmp_path, path))
    assert counted(source(tmp_path, path)) == {}


def test_a_folder_that_holds_only_what_is_about_the_data(tmp_path):
    write(tmp_path, "README.md", "scan.png")
    with pytest.raises(UserError, match="no file to read") as error:
        _ = source(tmp_path).files
    assert "README (1, e.g. README.md)" in error.value.hint
    assert ".png (1, e.g. scan.png)" in error.value.hint
    assert ".parquet" in error.value.hint


def test_files_that_are_not_read_are_counted_by_kind(tmp_path):
    write(
        tmp_path,
        "a.jsonl",
        "x.bin",
        "sub/Y.BIN",
        "crawl.warc.gz",
        "all.parquet.gz",
        "Makefile",
        ".hidden.bin",
    )
    (tmp_path / "round").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "gone.png").symlink_to("/nonexistent.png")
    assert source(tmp_path).passed_over() == [
        PassedOver(".bin", 2, "sub/Y.BIN"),
        PassedOver(".parquet.gz", 1, "all.parquet.gz"),
        PassedOver(".png", 1, "gone.png"),
        PassedOver(".warc.gz", 1, "crawl.warc.gz"),
        PassedOver("link to a folder around it", 1, "round"),
        PassedOver("no suffix", 1, "Makefile"),
        PassedOver("pipe or device", 1, "pipe.jsonl"),
    ]
    assert counted(source(tmp_path, "*.jsonl")) == {"pipe or device": (1, "pipe.jsonl")}
    assert describe(source(tmp_path, "*.*n*").passed_over()) == (
        "3 files passed over: .bin (1, e.g. x.bin), .png (1, e.g. gone.png), "
        "pipe or device (1, e.g. pipe.jsonl)"
    )


def test_the_rarest_of_many_kinds_are_counted_together(tmp_path):
    write(tmp_path, "a.jsonl", "x.bin", "y.bin", *(f"mail.{number:03}" for number in range(30)))
    kinds = counted(source(tmp_path))
    assert len(kinds) == MAX_KINDS + 1
    assert kinds[".bin"] == (2, "x.bin")
    assert sum(files for files, _ in kinds.values()) == 32
    assert kinds[OTHER_KINDS][0] == 30 - (MAX_KINDS - 1)


def test_what_save_to_disk_keeps_beside_the_data_is_no_document(tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["one", "two", "three"]})
    rows.save_to_disk(tmp_path / "one", num_shards=2)
    datasets.DatasetDict({"train": rows, "test": rows.select([0])}).save_to_disk(tmp_path / "many")
    write(tmp_path, "one/cache-1234.arrow", "plain/state.json", "plain/dataset_dict.json")
    assert read(source(tmp_path, "one")) == ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    assert counted(source(tmp_path, "one")) == {
        "state of a saved dataset": (3, "cache-1234.arrow"),
    }
    assert read(source(tmp_path, "many")) == [
        "test/data-00000-of-00001.arrow",
        "train/data-00000-of-00001.arrow",
    ]
    assert counted(source(tmp_path, "many"))["state of a saved dataset"] == (5, "dataset_dict.json")
    assert read(source(tmp_path, "plain")) == ["dataset_dict.json", "state.json"]
    assert read(source(tmp_path, "one/state.json")) == ["state.json"]


@pytest.mark.parametrize("path", [".", "**", "*.jsonl"])
def test_a_name_that_is_not_utf8_is_an_error(tmp_path, path):
    write(tmp_path, "a.jsonl")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")).write_bytes(LINE)
    with pytest.raises(UserError, match="not UTF-8") as error:
        source(tmp_path, path).identity()
    assert error.value.file.endswith(r"/\xff.jsonl'")


def test_a_name_that_is_not_utf8_of_a_file_that_is_not_read(tmp_path):
    write(tmp_path, "a.jsonl")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.b\xfe")).write_bytes(LINE)
    assert source(tmp_path).passed_over() == [PassedOver(r".b\udcfe", 1, r"\udcff.b\udcfe")]


def test_remote_folders(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    names = ["a.jsonl", "B.JSONL", "README.md", "x.bin", "saved/state.json", "saved/dataset_info.json"]
    memory.pipe({f"/shelf/{name}": LINE for name in [*names, "data [1].jsonl", "data1.jsonl"]})
    for path in ("memory://shelf", "memory://shelf/**"):
        remote = source(tmp_path, path)
        assert read(remote) == ["B.JSONL", "a.jsonl", "data [1].jsonl", "data1.jsonl"]
        assert counted(remote) == {
            ".bin": (1, "x.bin"),
            "README": (1, "README.md"),
            "state of a saved dataset": (2, "saved/dataset_info.json"),
        }
    assert read(source(tmp_path, "memory://shelf/data [1].jsonl")) == ["data [1].jsonl"]
    assert read(source(tmp_path, "memory://shelf/data[12].jsonl")) == ["data1.jsonl"]
    assert read(source(tmp_path, "memory://shelf/README.md")) == ["README.md"]
