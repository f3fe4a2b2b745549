"""Training of fastText classifiers: what is learned, that it is the same each time, and who can read it."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.classify.fasttext import FastText
from filters.classify.fasttext_text import plain_words
from filters.classify.fasttext_training import Training, train_fasttext

SEA = "sea ship wave harbour captain sail anchor fish tide море корабль волна гавань якорь парус".split()
LAW = "court judge statute appeal clause tort verdict plea суд закон статья иск приговор пошлина".split()
BOTH = "the of and to in a is was that which for on with и в на что как не это".split()


def examples(number: int, seed: int = 0) -> tuple[pa.Array, np.ndarray]:
    rng = random.Random(seed)
    labels = np.arange(number, dtype=np.int32) % 2
    texts = [" ".join(rng.choices(BOTH, k=12) + rng.choices((SEA, LAW)[label], k=4)) for label in labels]
    return pa.array(texts, pa.large_string()), labels


SMALL = Training(dimensions=8, buckets=1000, min_count=1, epochs=30, learning_rate=1.0, seed=3)


def test_topics_are_told_apart() -> None:
    model = FastText.parse(train_fasttext(*examples(200), ("sea", "law"), SMALL))
    texts, labels = examples(100, seed=1)
    assert model.labels == ("sea", "law")
    assert (model.probabilities(texts).argmax(axis=1) == labels).mean() > 0.97


def test_same_examples_give_the_same_bytes_and_another_seed_others() -> None:
    texts, labels = examples(50)
    first = train_fasttext(texts, labels, ("a", "b"), SMALL)
    again = train_fasttext(pa.chunked_array([texts[:20], texts[20:]]), labels, ("a", "b"), SMALL)
    assert first == again
    assert first != train_fasttext(texts, labels, ("a", "b"), Training(8, 2, 1000, 1, 30, 1.0, seed=4))


@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_the_official_library_reads_the_model_and_says_the_same(tmp_path, ngrams: int) -> None:
    fasttext = pytest.importorskip("fasttext")
    training = Training(dimensions=5, ngrams=ngrams, buckets=50, min_count=2, epochs=10, seed=1)
    (tmp_path / "model.bin").write_bytes(train_fasttext(*examples(60), ("sea", "law"), training))
    theirs = fasttext.load_model(str(tmp_path / "model.bin"))
    ours = FastText.parse((tmp_path / "model.bin").read_bytes())
    texts = [*examples(20, seed=2)[0].to_pylist(), "", "unheard words", "the sea"]
    for text, row in zip(texts, ours.probabilities(pa.array(texts, pa.large_string())), strict=True):
        said = {label: probability for probability, label in theirs.f.predict(text + "\n", 2, 0.0, "strict")}
        assert [said["__label__sea"], said["__label__law"]] == pytest.approx(row.tolist(), abs=2e-4)


def test_words_that_look_like_labels_are_none() -> None:
    texts = pa.array(["__label__law sea sea ship", "court </s> ship ship", ""] * 10, pa.large_string())
    labels = np.array([0, 1, 1] * 10, np.int32)
    model = FastText.parse(train_fasttext(texts, labels, ("sea", "law"), SMALL))
    assert model.labels == ("sea", "law")
    assert model.probabilities(texts).argmax(axis=1).tolist() == labels.tolist()


def test_a_vocabulary_of_any_size_is_counted() -> None:
    texts = pa.array(
        [" ".join(f"w{i}" for i in range(start, start + 2000)) for start in range(0, 120_000, 2000)]
    )
    labels = np.arange(60, dtype=np.int32) % 2
    training = Training(dimensions=2, ngrams=1, min_count=1, epochs=1)
    data = train_fasttext(texts, labels, ("a", "b"), training)
    assert FastText.parse(data).input.shape[0] == 120_001  # and the end of a text


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_plain_words_are_what_python_would_make(texts: list[str]) -> None:
    assert plain_words(pa.array(texts, pa.large_string())).to_pylist() == [slow_plain_words(t) for t in texts]


def slow_plain_words(text: str) -> str:
    import unicodedata

    text = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    text = "".join(f" {c} " if unicodedata.category(c)[0] == "P" else " " if c.isspace() else c for c in text)
    words = text.split()
    blank = bool(words) and (text[-1:].isspace())
    return " ".join(words) + (" " if blank else "")


def test_plain_words_of_two_scripts() -> None:
    text = pa.array(["Don't STOP,\n\nÉcole № 5!", "«Привет», — сказал Ёж.\t"], pa.large_string())
    assert plain_words(text).to_pylist() == ["don ' t stop , école № 5 ! ", "« привет » , — сказал ёж . "]
