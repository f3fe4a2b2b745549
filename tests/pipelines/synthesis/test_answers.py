"""The store of a model's answers: what was stored is found again, and nothing else."""

import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.synthesis.asking import answer_index, answers
from pipelines.synthesis.asking.answers import Answers, StoredAnswer, stored_answers, usage

TEXTS = st.text(st.characters(exclude_categories=()))
"""Any text, line feeds and halves of characters included."""


def answer(text: str = "yes", **others) -> StoredAnswer:
    about = {
        "model": "m",
        "prompt": "qa/factual",
        "prompt_hash": "0123",
        "passage": "doc#1",
        "draw": 0,
        "finish_reason": "stop",
        "input_tokens": 7,
        "output_tokens": 5,
        "began": 10.0,
        "ended": 12.5,
    }
    return StoredAnswer(text=text, **(about | others))


def key(number: object) -> str:
    return fingerprint(number)


def as_written(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def fill(folder: Path, name: str, texts: list[str], first: int = 0) -> None:
    with Answers(folder, name) as store:
        for number, text in enumerate(texts, first):
            store.add(key(number), answer(text))


@given(st.lists(TEXTS, max_size=30), st.integers(2, 200), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_what_was_stored_is_found_at_once_and_later(texts, block, merged_at):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_BLOCK", block)
        patch.setattr(answers, "_FIRST_READ", block)
        patch.setattr(answer_index, "_MERGED_AT", merged_at)
        folder = Path(name)
        with Answers(folder, "a") as store:
            for number, text in enumerate(texts):
                assert store.get(key(number)) is None
                store.add(key(number), answer(text, draw=number))
                assert store.get(key(number)) == answer(as_written(text), draw=number)
        with Answers(folder, "b") as store:
            found = [store.get(key(number)) for number in range(len(texts) + 1)]
        assert found == [answer(as_written(text), draw=n) for n, text in enumerate(texts)] + [None]


def test_answers_of_all_files_are_found_and_one_is_added_to(tmp_path):
    fill(tmp_path, "first", ["a", "b"])
    fill(tmp_path, "second", ["c"], first=2)
    before = (tmp_path / "first.jsonl").read_bytes()
    with Answers(tmp_path, "third") as store:
        assert [store.get(key(number)).text for number in range(3)] == ["a", "b", "c"]
        store.add(key(3), answer("d"))
    assert (tmp_path / "first.jsonl").read_bytes() == before
    assert [found.text for found in stored_answers(tmp_path / "third.jsonl")] == ["d"]


FEW_OPEN_FILES = """
import resource, sys
from pathlib import Path
from pipelines.synthesis.asking.answers import Answers
from tests.pipelines.synthesis.test_answers import key
resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))
with Answers(Path(sys.argv[1]), "more") as store:
    for n in (*range(150), *range(150)):
        assert store.get(key(n)).text == str(n)
"""


def test_more_files_than_may_be_open_are_read(tmp_path):
    for number in range(150):
        fill(tmp_path, f"task-{number}", [str(number)], first=number)
    subprocess.run([sys.executable, "-c", FEW_OPEN_FILES, str(tmp_path)], check=True)


def test_nothing_is_made_before_the_first_answer(tmp_path):
    with Answers(tmp_path / "answers", "a") as store:
        assert store.get(key(0)) is None
    assert not (tmp_path / "answers").exists()


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_torn_or_changed_line_counts_as_none_and_harms_no_other(data):
    texts = data.draw(st.lists(TEXTS, min_size=1, max_size=8))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, "a", texts)
        file = folder / "a.jsonl"
        content = bytearray(file.read_bytes())
        lines = bytes(content).split(b"\n")[:-1]
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            del content[at:]
            harmed = {n for n in range(len(texts)) if sum(len(line) + 1 for line in lines[: n + 1]) > at}
        else:
            content[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
            struck = next(n for n in range(len(texts)) if sum(len(line) + 1 for line in lines[: n + 1]) > at)
            harmed = {struck, struck + 1}  # a line feed that is gone joins two lines
        file.write_bytes(content)
        with Answers(folder, "a") as store:
            for number, text in enumerate(texts):
                if number not in harmed:
                    assert store.get(key(number)).text == as_written(text)
                elif store.get(key(number)) is None:
                    store.add(key(number), answer(text))
        with Answers(folder, "b") as store:
            assert [store.get(key(n)).text for n in range(len(texts))] == [*map(as_written, texts)]


def test_the_whole_one_of_two_lines_of_a_key_is_found(tmp_path):
    fill(tmp_path, "b", ["whole"])
    line = (tmp_path / "b.jsonl").read_bytes()
    for name in ("a", "c"):
        (tmp_path / f"{name}.jsonl").write_bytes(line.replace(b"whole", b"wrong"))
    with Answers(tmp_path, "d") as store:
        assert store.get(key(0)).text == "whole"


def test_lines_are_json(tmp_path):
    fill(tmp_path, "a", ["two\nlines\u2028"])
    [line] = (tmp_path / "a.jsonl").read_bytes().splitlines()
    assert orjson.loads(line)["text"] == "two\nlines\u2028"


def test_what_is_no_answer_is_passed_over(tmp_path):
    junk = b"\n\nhello\n{}\n" + b'{"key":"' + b"x" * 200 + b"\n" + b"\x00" * 500 + b"\n[1,2]\n"
    (tmp_path / "a.jsonl").write_bytes(junk)
    (tmp_path / "a.txt").write_bytes(b"not read")
    fill(tmp_path, "a", ["yes"])
    with Answers(tmp_path, "b") as store:
        assert store.get(key(0)).text == "yes"
    assert usage([tmp_path / "a.jsonl"]).answers == 1


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "answers").write_text("a file")
    with pytest.raises(WorkError, match="answers of the model cannot be read") as caught:
        Answers(tmp_path / "answers", "a")
    assert caught.value.file == str(tmp_path / "answers")
    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(WorkError, match="cannot be read") as caught:
        Answers(tmp_path, "b")
    assert caught.value.file == str(tmp_path / "a.jsonl")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    store = Answers(tmp_path / "other", "a")
    (tmp_path / "other").write_text("in the way")
    with pytest.raises(WorkError, match="cannot be stored") as caught:
        store.add(key(0), answer())
    assert caught.value.file.endswith("a.jsonl")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from pipelines.errors import WorkError
from pipelines.synthesis.asking.answers import Answers
from tests.pipelines.synthesis.test_answers import answer, key
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
with Answers(Path(sys.argv[1]), "a") as store:
    for number in range(100):
        try:
            store.add(key(number), answer("x" * 500))
        except WorkError as error:
            assert "cannot be stored" in str(error) and error.file and error.hint
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.add(key(100), answer("room again"))
print(number)
"""


def test_a_full_disk_is_named_and_what_was_stored_is_kept(tmp_path):
    """The system's bound on the size of files stands for the disk: writes come to an end within a line."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    stored = int(done.stdout)
    assert 0 < stored < 100
    with Answers(tmp_path, "b") as store:
        assert all(store.get(key(number)) for number in range(stored))
        assert store.get(key(stored)) is None
        assert store.get(key(100)).text == "room again"


INTERVALS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=40)


@given(INTERVALS, INTERVALS)
@settings(deadline=None, max_examples=50)
def test_tokens_are_summed_and_busy_seconds_are_counted_once(first, second):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, intervals in (("a", first), ("b", second)):
            with Answers(folder, file) as store:
                for number, (began, length) in enumerate(intervals):
                    store.add(key((file, number)), answer(began=float(began), ended=float(began + length)))
        used = usage([folder / "a.jsonl", folder / "b.jsonl"])
    busy = {second for began, length in first + second for second in range(began, began + length)}
    count = len(first) + len(second)
    assert used == (count, 7 * count, 5 * count, len(busy))


def test_memory_an_answer_is_small(tmp_path):
    """Many keys, in lines of the shape of answers: the index alone grows, about 24 bytes each."""
    line = answers._line_of(key(0), answer()).decode()
    count = 200_000
    with (tmp_path / "a.jsonl").open("w") as file:
        file.writelines(line.replace(key(0), f"{number:032x}") for number in range(count))
    tracemalloc.start()
    store = Answers(tmp_path, "b")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    store.close()
    assert size < 32 * count
