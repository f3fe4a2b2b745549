"""fastText models of languages beside the official library: lid.176, random numbers, trained ones."""

from __future__ import annotations

import random
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.language.fasttext import STRETCHES, FastText
from pipelines.sources.language_model import bundled_model
from tests.filters.language.fasttext_models import HS, NS, OVA, SOFTMAX, ModelSpec
from tests.filters.sentences import SENTENCES
from tests.filters.strategies import documents

CLOSE = 1e-5

MODELS = {
    "hs": ModelSpec(loss=HS, labels=tuple(f"l{i}" for i in range(9))),
    "softmax": ModelSpec(loss=SOFTMAX),
    "words": ModelSpec(minn=0, maxn=0, word_ngrams=1, buckets=0),
    "word n-grams": ModelSpec(minn=0, maxn=0, word_ngrams=3),
    "both n-grams": ModelSpec(minn=1, maxn=3, word_ngrams=2, loss=HS),
    "pruned": ModelSpec(kept_buckets=(3, 1, 4, 15, 9, 26, 5), quantised=True, word_ngrams=2),
    "pruned to nothing": ModelSpec(kept_buckets=(), quantised=True),
    "quantised": ModelSpec(quantised=True, norms=True),
    "all quantised": ModelSpec(quantised=True, norms=True, output_quantised=True, dim=7),
    "no end token": ModelSpec(words=("the", "мир")),
    "one label": ModelSpec(labels=("only",), loss=HS),
    "version 11": ModelSpec(version=11),
    "many dimensions": ModelSpec(dim=40, buckets=2000, loss=HS),
}


class Official:
    """The official library."""

    def __init__(self, path: Path) -> None:
        self.model = fasttext.load_model(str(path))

    def best(self, text: str, k: int) -> list[tuple[float, str]]:
        labels, probabilities = self.model.predict(text.replace("\n", " "), k)
        return [
            (min(1.0, probability), label.removeprefix("__label__"))
            for label, probability in zip(labels, probabilities, strict=True)
        ]


@pytest.fixture(scope="module")
def lid() -> FastText:
    return FastText.parse(bundled_model().read_bytes())


@pytest.fixture(scope="module")
def official_lid() -> Official:
    return Official(bundled_model())


def column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def assert_same(model: FastText, official: Official, texts: list[str]) -> None:
    labels, probabilities = model.predict(column(texts))
    for text, label, probability in zip(texts, labels, probabilities, strict=True):
        expected = official.best(text, 2)
        if not expected:
            assert (label, probability) == (-1, 0)
            continue
        assert probability == pytest.approx(expected[0][0], abs=CLOSE)
        tied = len(expected) > 1 and expected[0][0] - expected[1][0] < CLOSE
        assert model.labels[label] in [label for _, label in expected[: 1 + tied]], text


def mixed_texts(number: int) -> list[str]:
    """Texts of some words of several languages in turn."""
    rng = random.Random(5)
    words = [text.split() for texts in SENTENCES.values() for text in texts]
    return [
        " ".join(word for part in rng.sample(words, rng.randint(1, 4)) for word in part[: rng.randint(1, 9)])
        for _ in range(number)
    ]


def hostile_texts(number: int) -> list[str]:
    rng = random.Random(6)
    alphabet = "ab<>/s_:# \t\v\f\r\n\0\u00a0\u200d\u0301éяЖ漢字カ😀🏽\ufeff\u202e"
    made = ["".join(rng.choice(alphabet) for _ in range(rng.randint(0, 60))) for _ in range(number)]
    return [
        *made,
        "",
        " ",
        "\0",
        "</s>",
        "Hello there, </s> привет, как дела сегодня?",
        "a</s>b <s> </s >",
        "__label__ru hello",
        "__label__zz привет",
        "__label__",
        "x" * 300,
        "! " * 300,
        "\u0301" * 300,
    ]


def test_predictions_are_those_of_the_official_library(lid: FastText, official_lid: Official) -> None:
    sentences = [text for texts in SENTENCES.values() for text in texts]
    assert_same(lid, official_lid, sentences + mixed_texts(2000) + hostile_texts(1000))


@given(text=documents)
def test_any_text_is_as_for_the_official_library(lid: FastText, official_lid: Official, text: str) -> None:
    assert_same(lid, official_lid, [text])


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_predicts_as_the_official_library(name: str, tmp_path: Path) -> None:
    data = MODELS[name].write()
    (tmp_path / "model.bin").write_bytes(data)
    model, official = FastText.parse(data), Official(tmp_path / "model.bin")
    assert model.labels == MODELS[name].labels
    texts = [*mixed_texts(60), *hostile_texts(60), "the house", "мир the 猫 猫 __label__ru the"]
    assert_same(model, official, texts)


@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_a_trained_model_predicts_as_the_official_library(tmp_path: Path, ngrams: int) -> None:
    lines = [f"__label__{language} {text}\n" for language, texts in SENTENCES.items() for text in texts]
    (tmp_path / "lines.txt").write_text("".join(lines) * 3)
    arguments = {"dim": 5, "wordNgrams": ngrams, "bucket": 50, "minCount": 2, "epoch": 10, "thread": 1}
    fasttext.train_supervised(str(tmp_path / "lines.txt"), verbose=0, **arguments).save_model(
        str(tmp_path / "model.bin")
    )
    model = FastText.parse((tmp_path / "model.bin").read_bytes())
    assert_same(model, Official(tmp_path / "model.bin"), [*mixed_texts(60), *hostile_texts(60)])


def stretches(text: str, sample: int) -> str:
    """The sample of a text, in Python."""
    data = text.encode()
    if len(data) <= sample:
        return text
    length = sample // STRETCHES
    parts = []
    for number in range(STRETCHES):
        first = (len(data) - length) * number // (STRETCHES - 1)
        last = first + length
        while first > 0 and data[first] & 0xC0 == 0x80:
            first -= 1
        while last < len(data) and data[last] & 0xC0 == 0x80:
            last -= 1
        parts.append(data[first:last].decode())
    return " ".join(parts)


@pytest.mark.parametrize("sample", [STRETCHES, 40, 101, 1000])
def test_a_sample_is_the_beginning_the_middle_and_the_end(lid: FastText, sample: int) -> None:
    texts = [*mixed_texts(200), "ы" * 500, " ".join(mixed_texts(50)), "</s> ".join(mixed_texts(9))]
    cut = [stretches(text, sample) for text in texts]
    sampled, whole = lid.predict(column(texts), sample), lid.predict(column(cut))
    assert sampled[0].tolist() == whole[0].tolist()
    assert sampled[1].tolist() == whole[1].tolist()


def test_other_documents_of_the_batch_do_not_matter(lid: FastText) -> None:
    texts = mixed_texts(300)
    together = lid.predict(column(texts))
    alone = [lid.predict(column([text])) for text in texts]
    assert together[0].tolist() == [labels[0] for labels, _ in alone]
    assert together[1].tolist() == [probabilities[0] for _, probabilities in alone]


def test_slices_and_chunks_are_read_in_place(lid: FastText) -> None:
    texts = column(mixed_texts(20))
    chunked = pa.chunked_array([texts.slice(3, 5), texts.slice(8, 0), texts.slice(8, 12)])
    assert lid.predict(chunked)[0].tolist() == lid.predict(texts)[0].tolist()[3:]
    assert lid.predict(texts.slice(0, 0))[0].tolist() == []


def test_ten_megabytes_of_one_character(lid: FastText) -> None:
    labels, probabilities = lid.predict(column(["я" * 5_000_000, "! " * 5_000_000]), 1536)
    assert (labels >= 0).all()
    assert np.isfinite(probabilities).all()


def test_a_sample_without_bytes_is_refused(lid: FastText) -> None:
    with pytest.raises(ValueError, match="at least 3"):
        lid.predict(column(["a"]), 2)


@pytest.mark.parametrize("name", ["hs", "all quantised", "pruned"])
def test_a_file_that_is_cut_short_is_refused(name: str) -> None:
    data = MODELS[name].write()
    for size in [*range(0, 300, 7), *range(300, len(data), 997), len(data) - 1]:
        with pytest.raises(ValueError, match=r"cut short|no fastText model|damaged"):
            FastText.parse(data[:size])


@given(garbage=st.binary(max_size=400))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="fastText"):
        FastText.parse(garbage)


@given(
    name=st.sampled_from(["hs", "all quantised", "pruned", "word n-grams"]),
    place=st.integers(0, 420),
    value=st.integers(0, 255),
)
def test_a_damaged_file_is_refused_or_does_no_harm(name: str, place: int, value: int) -> None:
    data = bytearray(MODELS[name].write())
    data[place] = value
    try:
        model = FastText.parse(bytes(data))
    except ValueError:
        return
    labels, _ = model.predict(column(["the house of the мир", "猫"]))
    assert set(labels.tolist()) <= set(range(-1, len(model.labels)))


def test_numbers_that_are_none_do_no_harm() -> None:
    for loss in (HS, SOFTMAX):
        spec = ModelSpec(loss=loss)
        data = bytearray(spec.write())
        data[-4 * spec.dim * len(spec.labels) :] = np.full(
            spec.dim * len(spec.labels), np.nan, "f4"
        ).tobytes()
        labels, probabilities = FastText.parse(bytes(data)).predict(column(["the house"]))
        assert -1 <= labels[0] < len(spec.labels)
        assert np.isfinite(probabilities).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec(model=2), "word vectors"),
        (ModelSpec(version=13), "format 13"),
        (ModelSpec(loss=9), "loss 9"),
        (ModelSpec(loss=NS), "each label on its own"),
        (ModelSpec(loss=OVA), "each label on its own"),
        (ModelSpec(buckets=0, kept_buckets=()), "0 buckets"),
        (ModelSpec(kept_buckets=(51,)), "kept buckets outside"),
    ],
)
def test_what_is_no_classifier_is_named(spec: ModelSpec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FastText.parse(spec.write())
