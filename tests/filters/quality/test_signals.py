"""Signals against slow, obvious references; datatrove's own counting functions where it has them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate,
    find_duplicates,
    find_top_duplicate,
    get_n_grams,
)
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from hypothesis import given

from filters.quality.gopher_quality import ENGLISH_STOP_WORDS, RUSSIAN_STOP_WORDS
from filters.quality.signals import FAMILIES, SIGNALS, compute_signals, families_of
from tests.filters.strategies import documents
from tests.filters.text.test_words import split


def signals(text: str, words: str = "unicode") -> dict[str, float]:
    return compute_signals(pa.array([text], pa.large_string()), words).to_pylist()[0]


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def mean(answers: Iterable[bool]) -> float:
    found = list(answers)
    return share(sum(found), len(found))


def reference(text: str) -> dict[str, float]:
    words = split(text)
    real = [word for word in words if any(character not in PUNCTUATION_SET for character in word)]
    lines = text.splitlines()
    expected: dict[str, float] = {
        "bytes": len(text.encode()),
        "characters": len(text),
        "words": len(words),
        "lines": len(lines),
        "non_symbol_words": len(real),
        "mean_word_length": share(sum(map(len, real)), len(real)),
        "hashes_per_word": share(text.count("#"), len(words)),
        "ellipses_per_word": share(text.count("...") + text.count("…"), len(words)),
        "bullet_line_fraction": mean(line.lstrip().startswith(("•", "-")) for line in lines),
        "bullet_line_fraction_ru": mean(
            line.lstrip().startswith(("•", "-"))
            and line.rstrip()[-1] not in {*TERMINAL_PUNCTUATION, *'»”“"…'}
            for line in lines
        ),
        "ellipsis_line_fraction": mean(line.rstrip().endswith(("...", "…")) for line in lines),
        "alpha_word_fraction": mean(any(map(str.isalpha, word)) for word in words),
        "stop_words_en": len(set(ENGLISH_STOP_WORDS) & set(words)),
        "stop_words_ru": len(set(RUSSIAN_STOP_WORDS) & set(words)),
        "curly_brackets": text.count("{"),
        "lorem_ipsum": len(re.findall("lorem ipsum", text, re.IGNORECASE | re.ASCII)),
    }
    paragraphs = re.split(r"\n{2,}", text.strip())
    repeated, characters = find_duplicates(paragraphs)
    expected["dup_paragraph_fraction"] = share(repeated, len(paragraphs))
    expected["dup_paragraph_char_fraction"] = share(characters, len(text))
    parts = re.split(r"\n+", text)
    repeated, characters = find_duplicates(parts)
    expected["dup_line_fraction"] = share(repeated, len(parts))
    expected["dup_line_char_fraction"] = share(characters, len(text))
    for n in (2, 3, 4):
        ngrams = get_n_grams(words, n)
        expected[f"top_{n}gram_char_fraction"] = (
            share(find_top_duplicate(ngrams), len(text)) if ngrams else 0.0
        )
    full = [line for line in text.split("\n") if line.strip()]
    expected["punctuated_line_fraction"] = mean(line[-1] in TERMINAL_PUNCTUATION for line in full)
    expected["short_line_fraction"] = mean(len(line) <= 30 for line in full)
    unbroken = text.replace("\n", "")
    expected["dup_nonblank_line_char_fraction"] = share(find_duplicates(full)[1], len(unbroken))
    expected["newlines_per_word"] = text.count("\n") / max(len(words), 1)
    return expected


@given(documents)
def test_signals_equal_the_reference(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    found = signals(text)
    for name, value in reference(text).items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


@given(documents)
def test_repeated_ngrams_equal_datatroves(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    # datatrove joins the words of an n-gram without spaces: "ab c" repeats "a bc". One-letter words do not.
    words = [word[0] for word in split(text)]
    line = " ".join(word if word.isalpha() and word.islower() else "x" for word in words)
    found = signals(line, "whitespace")
    for n in range(5, 11):
        expected = share(find_all_duplicate(line.split(), n), len(line))
        assert found[f"dup_{n}gram_char_fraction"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        ("One", 1),
        ("One. Two! Three? Four", 4),
        ("Wait... what", 1),
        ('He said "no." Then he left.', 2),
        ("One.  ) Two", 2),
        ("One.\nTwo", 2),
        ("One.\n\n\nTwo.\r\nThree.", 3),
        ("Mr. Smith went. Home", 2),
        ("今天天气很好。你去哪里？他说：“不知道。”我也不知道！", 4),
        ("今日は天気がいいですね。どこへ行くの？", 2),
        ("كيف حالك؟ أنا بخير. وأنت؟", 3),
        ("یہ اچھا ہے۔یہ بھی۔", 2),
        ("यह अच्छा है। वह भी।", 2),
        ("今天。。。明天", 2),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert signals(text)["sentences"] == sentences


def test_russian_is_not_penalised_for_its_script() -> None:
    text = "Я не знаю, что с ним случилось… Он жил по соседству и в тот вечер пришёл на ужин: «Здравствуйте!»"
    found = signals(text)
    assert found["stop_words_ru"] == 7
    assert found["stop_words_en"] == 0
    assert found["alpha_word_fraction"] > 0.6
    assert found["punctuated_line_fraction"] == 0
    assert found["punctuated_line_fraction_ru"] == 1
    assert 3 < found["mean_word_length"] < 10


def test_a_batch_is_the_sum_of_its_documents() -> None:
    texts = ["One two.", "", "Три четыре\nтри четыре", "x" * 100_000, "a b " * 50_000, "\n" * 10_000]
    whole = compute_signals(pa.chunked_array([texts[:2], texts[2:]], pa.string()))
    assert whole.column_names == list(SIGNALS)
    assert all(column.null_count == 0 for column in whole.columns)
    for row, text in zip(whole.to_pylist(), texts, strict=True):
        assert row == signals(text)


def test_a_family_is_the_same_when_it_is_asked_for_alone() -> None:
    texts = pa.array(["One two. Three!\n- four #5", "", "a b a b\n\na b"], pa.large_string())
    whole = compute_signals(texts)
    for name, family in FAMILIES.items():
        alone = compute_signals(texts, families=[name])
        assert alone.column_names == [signal.name for signal in family.signals]
        assert alone.equals(whole.select(alone.column_names))
    some = families_of(["words", "bytes", "sentences"])
    assert some == ["length", "c4"]
    in_any_order = compute_signals(texts, families=some[::-1])
    assert in_any_order.column_names[:4] == ["bytes", "characters", "words", "lines"]


def test_documents_do_not_depend_on_their_neighbours() -> None:
    texts = [f"Document {n} has line {n % 7}.\n" * (n % 50) for n in range(3000)]
    whole = compute_signals(pa.array(texts))
    rows = [0, 1, 999, 1500, 2049, 2999]
    assert whole.take(rows).to_pylist() == [signals(texts[row]) for row in rows]


@pytest.mark.parametrize("piece", ["!", "я ", "word and 漢字, "])
def test_of_a_huge_document_the_beginning_is_read(piece: str) -> None:
    text = piece * (12 * 2**20 // len(piece.encode()))
    found = signals(text)
    assert found.pop("bytes") == len(text.encode())
    beginning = signals(text.encode()[: 2**23].decode(errors="ignore"))
    beginning.pop("bytes")
    assert found == beginning


def test_a_slice_of_an_array_is_read_as_such() -> None:
    array = pa.array(["first", "second one", "third"], pa.large_string())
    assert compute_signals(array.slice(1, 1)).to_pylist()[0] == signals("second one")


@pytest.mark.parametrize("words", ["unicode", "whitespace"])
@pytest.mark.parametrize(
    "piece", ["!", ") ", "─", "👍", "\u200b", "e\u0301 ", "a.", "x\n", "ab cd ", "…", "don't "]
)
def test_hostile_repetition_is_survived(piece: str, words: str) -> None:
    found = signals(piece * 100_000, words)
    assert all(np.isfinite(value) for value in found.values())
    assert found["characters"] == len(piece) * 100_000


def test_nulls_and_unknown_definitions_are_refused() -> None:
    with pytest.raises(ValueError, match="Row 1 has no text"):
        compute_signals(pa.array(["a", None], pa.large_string()))
    with pytest.raises(ValueError, match="Use one of unicode, whitespace"):
        compute_signals(pa.array(["a"]), "syllables")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not int64"):
        compute_signals(pa.array([1]))
    with pytest.raises(ValueError, match="Unknown families of signals: lenght"):
        compute_signals(pa.array(["a"]), families=["length", "lenght"])
