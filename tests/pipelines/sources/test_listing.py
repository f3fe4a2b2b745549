"""What a path, a folder or a glob stands for: links, names with brackets, what may not be looked at."""

import multiprocessing
import os
import tempfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.sources.files import FilesConfig
from pipelines.sources.listing import list_files

LINE = b'{"text":"t"}\n'


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LINE)


def link(folder: Path, name: str, target: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(target)


def listed(folder: Path, pattern: str) -> list[str]:
    return [file.path for file in list_files(pattern, str(folder)).files]


def loops(folder: Path, pattern: str) -> list[str]:
    return [
        each.path
        for each in list_files(pattern, str(folder)).others
        if each.kind == "link to a folder around it"
    ]


def test_links_to_folders_are_followed(tmp_path):
    write(tmp_path, "data/a.jsonl", "elsewhere/b.jsonl", "elsewhere/deep/c.jsonl")
    link(tmp_path, "data/more", "../elsewhere")
    everything = ["a.jsonl", "more/b.jsonl", "more/deep/c.jsonl"]
    assert listed(tmp_path, "data") == listed(tmp_path, "data/**/*.jsonl") == everything
    assert listed(tmp_path, "data/*/*.jsonl") == ["more/b.jsonl"]
    assert listed(tmp_path, "data/more") == ["b.jsonl", "deep/c.jsonl"]
    assert listed(tmp_path, "*/more/**/c.jsonl") == ["data/more/deep/c.jsonl"]


def test_a_folder_of_two_names_is_read_under_both(tmp_path):
    write(tmp_path, "first/a.jsonl")
    link(tmp_path, "second", "first")
    assert listed(tmp_path, ".") == ["first/a.jsonl", "second/a.jsonl"]
    assert loops(tmp_path, ".") == []


def test_a_link_to_a_folder_around_it_is_passed_over(tmp_path):
    write(tmp_path, "a/x.jsonl", "b/y.jsonl")
    for name, target in {"a/up": "..", "a/self": ".", "a/b": "../b", "b/a": "../a"}.items():
        link(tmp_path, name, target)
    assert listed(tmp_path, ".") == ["a/b/y.jsonl", "a/x.jsonl", "b/a/x.jsonl", "b/y.jsonl"]
    assert loops(tmp_path, ".") == ["a/b/a", "a/self", "a/up", "b/a/b", "b/a/self", "b/a/up"]


def test_a_link_to_a_folder_around_the_whole_source_is_passed_over(tmp_path):
    write(tmp_path, "data/x.jsonl", "other/y.jsonl", "runs/z.jsonl")
    link(tmp_path, "data/up", "..")
    link(tmp_path, "by_link", "data")
    for path in ("data", "by_link"):
        assert (listed(tmp_path, path), loops(tmp_path, path)) == (["x.jsonl"], ["up"])


def test_where_there_is_only_a_pipe_or_a_loop(tmp_path):
    (tmp_path / "round").mkdir()
    link(tmp_path, "round/up", "..")
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path, what in {"pipe.jsonl": "pipe", "round": "link to a folder around it"}.items():
        with pytest.raises(UserError, match=what):
            listed(tmp_path, path)


names = st.sampled_from(["p", "q", "r"])
places = st.lists(names, min_size=1, max_size=3).map("/".join)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(places, max_size=6),
    st.lists(st.tuples(places, st.one_of(places, st.just("."))), max_size=5),
)
def test_every_file_is_found_by_every_way_that_enters_no_folder_twice(folders, links):
    with TemporaryDirectory() as place:
        root = Path(place).resolve()
        (root / "x.txt").write_text("x")
        for folder in folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / "x.txt").write_text("x")
        for name, target in links:
            if (
                (root / name).parent.is_dir()
                and not os.path.lexists(root / name)
                and (root / target).is_dir()
            ):
                (root / name).symlink_to(root / target)

        def walk(folder: Path, around: list[Path]):
            here = folder.resolve()
            if here in around:
                return
            for entry in folder.iterdir():
                if entry.is_dir():
                    yield from walk(entry, [*around, here])
                else:
                    yield entry.relative_to(root).as_posix()

        assert listed(root, ".") == listed(root, "**/*.txt") == sorted(walk(root, []))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("data/gone.jsonl", "data"),
        ("data/gone.jsonl", "data/*.jsonl"),
        ("data/gone.jsonl", "**/*.jsonl"),
        ("data/gone.jsonl", "data/gone.jsonl"),
        ("data/GONE.CSV.XZ", "data"),
        ("data/gone", "data"),
        ("data/gone", "data/*/*.jsonl"),
        ("data/2024.01", "data"),
        ("data/gone", "data/gone"),
        ("data/gone", "data/gone/*.jsonl"),
        ("data/gone", "data/gone/b/c.jsonl"),
    ],
)
@pytest.mark.parametrize("target", ["/nonexistent/annex", "../.git/annex/objects/x", "itself"])
def test_a_link_to_nothing_is_an_error(tmp_path, name, path, target):
    write(tmp_path, "data/a.jsonl", "data/deep/b.jsonl")
    link(tmp_path, name, Path(name).name if target == "itself" else target)
    with pytest.raises(UserError) as error:
        FilesConfig(reader="files", path=path).build("s", tmp_path).identity()
    assert error.value.file == str(tmp_path / name)
    assert target == "itself" or Path(target).name in error.value.message


@pytest.mark.parametrize("path", ["data", "data/*", "data/*.jsonl", "**/*.jsonl"])
def test_a_link_to_nothing_that_nobody_would_read_is_none(tmp_path, path):
    write(tmp_path, "data/a.jsonl")
    for name in ("data/picture.png", "data/README", "data/.#a.jsonl"):
        link(tmp_path, name, "/nonexistent")
    source = FilesConfig(reader="files", path=path).build("s", tmp_path)
    assert [file.location for file in source.files] == [str(tmp_path / "data/a.jsonl")]


def test_brackets_are_letters_in_names_that_exist(tmp_path):
    folder = tmp_path / "b[1]*"
    write(folder, "data [2].jsonl", "d[ab]/x.jsonl", "d[ab]/y[1].jsonl", "c1.jsonl", "c2.jsonl", "c[1].jsonl")

    def files(path: str) -> list[str]:
        return [file.path for file in FilesConfig(reader="files", path=path).build("s", folder).files]

    assert files("data [2].jsonl") == ["data [2].jsonl"]
    assert files("d[ab]") == files("d[ab]/*.jsonl") == ["x.jsonl", "y[1].jsonl"]
    assert files("*/y[1].jsonl") == ["d[ab]/y[1].jsonl"]
    assert files("c[1].jsonl") == ["c[1].jsonl"]
    assert files("c[12].jsonl") == ["c1.jsonl", "c2.jsonl"]
    assert files("c[[]1].jsonl") == ["c[1].jsonl"]
    with pytest.raises(UserError, match="no file matches") as error:
        files("data [3].jsonl")
    assert "data [2].jsonl" in error.value.hint


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me[1]"))
    write(tmp_path, "me[1]/data/a.jsonl", "here/~no such user/b.jsonl")

    def files(path: str) -> list[str]:
        source = FilesConfig(reader="files", path=path).build("s", tmp_path / "here")
        return [file.location for file in source.files]

    assert files("~/data/*.jsonl") == files("~") == [str(tmp_path / "me[1]/data/a.jsonl")]
    assert files("~no such user") == [str(tmp_path / "here/~no such user/b.jsonl")]


def _as_nobody(folder: str, results) -> None:
    """In a child process: drop root's privileges, then list."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    for pattern in (".", "locked/*.jsonl", "locked/a.jsonl", "named/a.jsonl", "*/a.jsonl"):
        files = list_files(pattern, folder).files
        results.put([(file.path, file.denied) for file in files])


def test_what_may_not_be_looked_at_is_denied(tmp_path):
    write(tmp_path, "a.jsonl", "locked/a.jsonl", "named/a.jsonl", "secret/a.jsonl")
    link(tmp_path, "linked.jsonl", str(tmp_path / "secret/a.jsonl"))
    (tmp_path / "locked").chmod(0)
    (tmp_path / "secret").chmod(0)
    (tmp_path / "named").chmod(0o444)  # its names can be read, and no more
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_as_nobody, args=(str(tmp_path), results))
    child.start()
    everything, inside, named, listable, every = (results.get(timeout=60) for _ in range(5))
    child.join()
    for name in ("locked", "named", "secret"):
        (tmp_path / name).chmod(0o755)
    denied = [(name, True) for name in ("linked.jsonl", "locked", "named/a.jsonl", "secret")]
    assert everything == [("a.jsonl", False), *denied]
    assert inside == [(".", True)]
    assert named == listable == [("a.jsonl", True)]
    assert every == [(f"{name}/a.jsonl", True) for name in ("locked", "named", "secret")]
