"""fastText classifiers: what is learned, that it is the same each time, and models of others."""

from __future__ import annotations

import random
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from pipelines.recipe.classify import FastTextClassifier
from pipelines.sources.models import ModelInput
from pipelines.stages.classify import classifier
from pipelines.stages.classify.fasttext import FastTextModel, labels_in, train
from tests.filters.language.fasttext_models import HS, NS, OVA, SOFTMAX, ModelSpec

SEA = "sea ship wave harbour captain sail anchor fish tide море корабль волна гавань якорь парус".split()
LAW = "court judge statute appeal clause tort verdict plea суд закон статья иск приговор пошлина".split()
BOTH = "the of and to in a is was that which for on with и в на что как не это".split()


def examples(number: int, seed: int = 0) -> tuple[pa.ChunkedArray, np.ndarray]:
    rng = random.Random(seed)
    labels = np.arange(number, dtype=np.int32) % 2
    texts = [" ".join(rng.choices(BOTH, k=12) + rng.choices((SEA, LAW)[label], k=4)) for label in labels]
    return column(*texts), labels


def column(*texts: str) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.large_string())])


def small(**options: object) -> FastTextClassifier:
    train = {"a": [{"file": "a"}], "b": [{"file": "b"}]}
    defaults = {"model": "fasttext", "train": train, "dimensions": 8, "buckets": 1000, "min_count": 1}
    return FastTextClassifier.model_validate(defaults | options)


def trained(
    texts: pa.ChunkedArray, labels: np.ndarray, names: tuple[str, ...] = ("sea", "law"), **options: object
) -> FastTextModel:
    return train(texts, labels, names, small(**options), epochs=30, seed=3)


def file_of(model: FastTextModel, folder: Path) -> Path:
    model.save(folder / "model.bin")
    return folder / "model.bin"


def test_topics_are_told_apart() -> None:
    model = trained(*examples(200))
    texts, labels = examples(100, seed=1)
    assert model.labels == ("sea", "law")
    assert (model.probabilities(texts).argmax(axis=1) == labels).mean() > 0.97


def test_same_examples_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    texts, labels = examples(50)
    first = file_of(trained(texts, labels), tmp_path).read_bytes()
    chunks = pa.chunked_array([texts.chunk(0)[:20], texts.chunk(0)[20:]])
    assert file_of(trained(chunks, labels), tmp_path).read_bytes() == first
    other = train(texts, labels, ("sea", "law"), small(), epochs=30, seed=4)
    assert file_of(other, tmp_path).read_bytes() != first


def test_a_seed_of_any_size_is_taken() -> None:
    train(*examples(10), ("sea", "law"), small(), epochs=1, seed=2**64)


def test_a_model_from_its_file_says_the_same(tmp_path: Path) -> None:
    model = trained(*examples(60), ngrams=3)
    path = file_of(model, tmp_path)
    assert set(labels_in(path)) == {"sea", "law"}
    read = FastTextModel.load(path, ("sea", "law"), folded=True)
    texts = column(*examples(20, seed=2)[0].to_pylist(), "", "unheard words", "the sea")
    assert np.array_equal(read.probabilities(texts), model.probabilities(texts))


@pytest.mark.parametrize("words", ["folded", "as they are"])
def test_words_that_look_like_labels_are_none(tmp_path: Path, words: str) -> None:
    texts = column(
        *["__label__law sea sea ship", "court </s> ship ship", "", "sail\n__label__x __label__"] * 10
    )
    labels = np.array([0, 1, 1, 0] * 10, np.int32)
    model = trained(texts, labels, words=words)
    assert set(labels_in(file_of(model, tmp_path))) == {"sea", "law"}
    assert model.probabilities(texts).argmax(axis=1).tolist() == labels.tolist()


@pytest.mark.parametrize("words", ["folded", "as they are"])
def test_a_text_is_one_line(tmp_path: Path, words: str) -> None:
    texts, labels = examples(40)
    lines = column(*(text.replace(" ", "\n", 5) for text in texts.to_pylist()))
    model, same = trained(texts, labels, words=words), trained(lines, labels, words=words)
    assert np.array_equal(model.probabilities(texts), same.probabilities(lines))


def test_a_vocabulary_of_any_size_is_counted(tmp_path: Path) -> None:
    texts = [" ".join(f"w{i}" for i in range(start, start + 2000)) for start in range(0, 120_000, 2000)]
    labels = np.arange(60, dtype=np.int32) % 2
    model = train(column(*texts), labels, ("a", "b"), small(dimensions=2, ngrams=1), epochs=1, seed=0)
    read = fasttext.load_model(str(file_of(model, tmp_path)))
    assert len(read.words) == 120_001  # and the end of a text


def test_labels_may_have_any_name(tmp_path: Path) -> None:
    texts, _ = examples(60)
    names = ("computer science", "50%20 off", "наука\t\u00a0и\nбыт\0", "")
    labels = np.arange(60, dtype=np.int32) % 4
    path = file_of(trained(texts, labels, names), tmp_path)
    assert sorted(labels_in(path)) == sorted(names)
    model = FastTextModel.load(path, labels_in(path), folded=True)
    assert model.probabilities(texts).sum(axis=1) == pytest.approx(1, abs=0.01)


def test_a_label_without_examples_is_never_likely() -> None:
    texts, _ = examples(20)
    found = trained(texts, np.ones(20, np.int32)).probabilities(texts)
    assert found.tolist() == [[0, 1]] * 20


def test_what_has_no_known_word_has_no_label() -> None:
    texts, labels = examples(20)
    model = trained(texts, labels, min_count=1000, ngrams=1)
    assert model.probabilities(column("the sea", "")).tolist() == [[0, 0]] * 2


def test_a_training_that_diverges_is_refused() -> None:
    with pytest.raises(ValueError, match="Lower its learning rate"):
        trained(*examples(20), learning_rate=1e6)


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(loss=HS),
        ModelSpec(loss=NS),
        ModelSpec(loss=SOFTMAX, word_ngrams=2),
        ModelSpec(loss=OVA, quantised=True, norms=True, output_quantised=True),
        ModelSpec(kept_buckets=(3, 1, 4, 15, 9, 26, 5), quantised=True, word_ngrams=2),
    ],
)
def test_a_model_of_others_says_what_the_library_says(tmp_path: Path, spec: ModelSpec) -> None:
    (tmp_path / "model.ftz").write_bytes(spec.write())
    library = fasttext.load_model(str(tmp_path / "model.ftz"))
    model = FastTextModel.load(tmp_path / "model.ftz", labels_in(tmp_path / "model.ftz"), folded=False)
    assert model.labels == spec.labels
    texts = ["the house", "Мир\nthe 猫 猫 __label__ru the", "nothing", ""]
    for text, row in zip(texts, model.probabilities(column(*texts)), strict=True):
        words, probabilities = library.predict(text.replace("\n", " "), k=-1)
        expected = {word.removeprefix("__label__"): p for word, p in zip(words, probabilities, strict=True)}
        assert row.tolist() == [np.float32(min(1, expected.get(label, 0))) for label in model.labels]


def test_numbers_that_are_none_are_kept_as_such(tmp_path: Path) -> None:
    spec = ModelSpec(words=("the", "house"), minn=0, maxn=0, word_ngrams=1)
    data = bytearray(spec.write())
    nothing = np.full(spec.dim * len(spec.labels), np.nan, "f4").tobytes()
    data[-len(nothing) :] = nothing
    (tmp_path / "model.bin").write_bytes(data)
    model = FastTextModel.load(tmp_path / "model.bin", labels_in(tmp_path / "model.bin"), folded=False)
    found = model.probabilities(column("the house", "unheard"))
    assert np.isnan(found[0]).all() and found[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [0, 3, 60, 120, 200, 500, -1])
def test_a_damaged_file_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "model.bin").write_bytes(ModelSpec().write()[:size])
    with pytest.raises(ValueError, match=r"cut short|no fastText model|empty|damaged"):
        labels_in(tmp_path / "model.bin")


def test_another_version_of_the_library_is_another_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    def fingerprint() -> str:
        given = FastTextClassifier(model="fasttext", file="a.bin")
        return classifier.Classifier(
            scope="a",
            config=given,
            places=(),
            model=ModelInput("a.bin", None, "hash"),
            held_out_share=0.0,
            seed=0,
        ).fingerprint

    before = fingerprint()
    assert fingerprint() == before
    monkeypatch.setattr(classifier, "library_versions", lambda name: {name: "0.0"})
    assert fingerprint() != before
