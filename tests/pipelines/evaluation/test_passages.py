"""Passages of Stage 1 that fit questions: found by BM25, and put before questions."""

import json
import random
from collections.abc import Iterator
from math import log
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.commands.open_run import open_latest
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.in_context import (
    InContext,
    Placement,
    Prompt,
    with_passages,
    with_prompt,
)
from pipelines.evaluation.passages import FOLDER, Passages
from pipelines.stages.mixed_texts import MixedTexts
from tests.pipelines.corpus import document
from tests.trainers.plain_models import write_llama

RECIPE = """\
name: facts
sources: {{notes: {{reader: files, path: {corpus}}}}}
part_size: 80k
held_out: {{share: 0%}}
tokenizer: {{base: {tokenizer}}}
mixtures: {{stage1: {{tokens: 10k, sequence_length: 256, weights: {{notes: 1}}}}}}
"""
KEEPERS = 50


class Files:
    """A corpus in memory: each file a list of texts."""

    def __init__(self, *files: list[str]) -> None:
        self._files = files
        self.read: list[int] = []

    @property
    def fingerprint(self) -> str:
        return str(hash(self._files.__repr__()))

    @property
    def files(self) -> int:
        return len(self._files)

    def texts(self, file: int, rows: np.ndarray | None = None) -> Iterator[tuple[int, str]]:
        self.read.append(file)
        yield from ((row, text) for row, text in enumerate(self._files[file]) if rows is None or row in rows)


@pytest.fixture(scope="module")
def run(coupage, base_tokenizer, tmp_path_factory) -> Path:
    """A run with a fact in every document, of which Stage 1 contains some."""
    folder, rng = tmp_path_factory.mktemp("facts"), random.Random(1)
    lines = []
    for number in range(KEEPERS):
        text, more = document(rng, 24), document(rng, 24)
        lines.append({"text": f"{text}\nThe keeper of archive Q{number}Q was Zorin{number}x.\n{more}"})
    notes, recipe = folder / "notes.jsonl", folder / "recipe.yaml"
    notes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe.write_text(RECIPE.format(corpus=notes, tokenizer=base_tokenizer))
    coupage("run", recipe, "--workdir", folder / "run", "--workers", 1, "--until", "mix")
    return folder / "run"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PlainModel:
    return PlainModel.load(write_llama(tmp_path_factory.mktemp("model"), seed=3), dtype="float32")


def test_a_fact_of_stage_1_is_put_before_its_question_and_no_other_is(run: Path) -> None:
    mix = open_latest(run).graph.mixes["stage1"]
    documents = pa.ipc.open_file(mix.path(run, "documents.arrow")).read_all()
    contained = set(documents.column("doc_id").filter(documents.column("used")).to_pylist())
    assert 5 < len(contained) < KEEPERS - 5
    passages = Passages.of(MixedTexts(mix, run), run, 400)
    questions = [f"Who was the keeper of archive Q{number}Q?" for number in range(KEEPERS)]
    for number, before in enumerate(passages.before(questions, 2)):
        assert (f"Zorin{number}x" in before) == (f"notes/notes.jsonl:{number}" in contained)
        assert before.endswith("\n\n") and len(before) <= 2 * 402


def test_an_index_is_made_once_and_anew_where_it_is_damaged(tmp_path: Path) -> None:
    corpus = Files(["one two", "three four"], [], ["five"])
    assert Passages.of(corpus, tmp_path, 100).before(["three", "FIVE"], 1) == ["three four\n\n", "five\n\n"]
    (folder,) = (tmp_path / FOLDER).iterdir()
    made = corpus.read
    assert made == [0, 1, 2, 0, 2]
    again = Files(["one two", "three four"], [], ["five"])
    assert Passages.of(again, tmp_path, 100).places("five", 1) and not again.read
    damaged = next(folder.glob("*.term"))
    damaged.unlink()  # an open index still has it in memory
    damaged.write_bytes(b"")
    assert Passages.of(again, tmp_path, 100).places("five", 1) and again.read == [0, 1, 2]
    Passages.of(again, tmp_path, 200)
    Passages.of(Files(["one"]), tmp_path, 100)
    assert len(list((tmp_path / FOLDER).iterdir())) == 3


def test_a_broken_off_index_is_not_there(tmp_path: Path) -> None:
    class Broken(Files):
        def texts(self, file: int, rows: np.ndarray | None = None) -> Iterator[tuple[int, str]]:
            yield from super().texts(file, rows)
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Passages.of(Broken(["one"]), tmp_path, 100)
    assert Passages.of(Files(["one"]), tmp_path, 100).before(["one"], 1) == ["one\n\n"]
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_the_order_is_that_of_bm25(tmp_path: Path) -> None:
    rng = random.Random(2)
    words = [f"w{number}" for number in range(30)]
    texts = [" ".join(rng.choices(words, range(1, 31), k=rng.randint(5, 35))) for _ in range(60)]
    passages = Passages.of(Files(texts), tmp_path, 1000)
    split = [text.split() for text in texts]
    mean = sum(map(len, split)) / len(split)

    def score(question: str, text: list[str]) -> float:
        found = 0.0
        for word in question.split():
            holding, times = sum(word in other for other in split), text.count(word)
            idf = log(1 + (len(split) - holding + 0.5) / (holding + 0.5))
            found += idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * len(text) / mean))
        return found

    for _ in range(20):
        question = " ".join(rng.sample(words, 4))
        best = sorted(range(60), key=lambda row: -score(question, split[row]))[:5]
        assert [place.row for place in passages.places(question, 5)] == best


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("В каких городах плавят сталь?", "Сталью славится город Череповец"),
        ("Когда умер Артем?", "Артём умер в 1900 году"),
        ("Which cities were running?", "The city runs"),
        ("日本の首都", "東京は日本の首都です"),
        ("ＡＢＣ", "abc"),
        ("हिन्दी", "यह हिन्दी है"),
    ],
)
def test_forms_of_a_word_are_the_same_in_russian_and_english_and_all_scripts_have_words(
    question: str, wanted: str, tmp_path: Path
) -> None:
    passages = Passages.of(Files(["Nothing of it stands here", "Совсем о другом", wanted]), tmp_path, 100)
    assert passages.before([question], 1) == [f"{wanted}\n\n"]


def test_questions_are_words_and_nothing_else(tmp_path: Path) -> None:
    passages = Passages.of(Files(["alpha beta", "gamma"]), tmp_path, 100)
    hostile = ['text:"', "alpha AND (", "*", "-alpha", "", "\x00", "row:[0 TO 9]", "alpha " * 5000]
    before = passages.before(hostile, 3)
    assert before == ["", "alpha beta\n\n", "", "alpha beta\n\n", "", "", "", "alpha beta\n\n"]
    assert Passages.of(Files(), tmp_path, 100).before(["alpha"], 3) == [""]


def test_the_best_passage_is_nearest_and_equal_ones_are_in_order(tmp_path: Path) -> None:
    passages = Passages.of(Files(["red", "red blue"], ["red blue", "blue green", "green"]), tmp_path, 100)
    assert passages.before(["red blue"], 3) == ["red\n\nred blue\n\nred blue\n\n"]
    assert [place[:2] for place in passages.places("red blue", 3)] == [(0, 1), (1, 0), (0, 0)]


def test_a_model_reads_passages_or_a_prompt_before_it_goes_on(tmp_path: Path, model: PlainModel) -> None:
    passages = Passages.of(Files(["The sky is blue.", "Grass is green."]), tmp_path, 100)
    prompts = ["What is the grass like?\n\nWhat is the sky like?", "Grass", "0"]
    before = ["The sky is blue.\n\n", "Grass is green.\n\n", ""]
    asked = with_passages(model, passages, 1)
    expected = [b + p for b, p in zip(before, prompts, strict=True)]
    assert asked.continue_texts(prompts, 5, 2) == model.continue_texts(expected, 5, 2)
    assert vars(asked.placement.use) == {"requests": 3, "nothing_found": 1, "shortened": 0, "left_out": 0}
    prompted = with_prompt(model, "Be brief.\n")
    expected = [f"Be brief.\n\n{prompt}" for prompt in prompts]
    assert prompted.continue_texts(prompts, 5, 2, one_line=True) == model.continue_texts(expected, 5, 2)


def test_what_does_not_fit_is_cut_from_the_left_and_counted(model: PlainModel) -> None:
    text = "0123456789é" * 80  # 960 tokens
    asked = InContext(Placement(model, Prompt(text)))
    prompts = ["a" * 30, "b" * 300, "b" * 309, "c" * 1021]
    expected = [f"{text}\n\n{prompts[0]}", (f"{text}\n\n")[-660:] + prompts[1]]
    expected += [(f"{text}\n\n")[-651:] + prompts[2], prompts[3]]  # where the cut is within a character
    assert [len(model.encode(each)) for each in expected[1:3]] == [1020, 1019]
    assert asked.continue_texts(prompts, 4, 1) == model.continue_texts(expected, 4, 1)
    assert vars(asked.placement.use) == {"requests": 4, "nothing_found": 0, "shortened": 2, "left_out": 1}
