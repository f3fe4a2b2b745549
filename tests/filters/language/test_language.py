"""Languages of sentences, of mixed and of hostile text; names of languages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from filters.language.fasttext import FastText
from filters.language.identify import LOW_SCORE, NOT_KEPT, LanguageIdentifier, LanguageRule
from filters.language.language_codes import LID_176, UNKNOWN, check_codes, language_code
from pipelines.sources.language_model import bundled_model
from tests.filters.language.fasttext_models import ModelSpec
from tests.filters.sentences import SENTENCES
from tests.filters.strategies import documents


@pytest.fixture(scope="module")
def identifier() -> LanguageIdentifier:
    return LanguageIdentifier.build(FastText.parse(bundled_model().read_bytes()))


def identify(identifier: LanguageIdentifier, *texts: str) -> list[tuple[str, float]]:
    found = identifier.identify(pa.array(texts, pa.large_string())).to_pylist()
    return [(row["language"], row["language_score"]) for row in found]


@pytest.mark.parametrize("language", SENTENCES)
def test_languages_are_recognised(identifier: LanguageIdentifier, language: str) -> None:
    ((found, score),) = identify(identifier, "\n".join(SENTENCES[language]))
    assert found == language
    assert score > 0.65


def test_the_sample_of_a_long_document_decides(identifier: LanguageIdentifier) -> None:
    russian, english = ("\n".join(SENTENCES[language]) for language in ("ru", "en"))
    found = identify(
        identifier, russian * 100, english * 100, russian * 100 + english, english * 100 + russian
    )
    assert [language for language, _ in found] == ["ru", "en", "ru", "en"]


def test_passages_in_another_language_lower_the_score(identifier: LanguageIdentifier) -> None:
    german = " ".join(SENTENCES["de"])
    (_, pure), (_, mixed) = identify(identifier, german, f"{german} {' '.join(SENTENCES['en'])}")
    assert mixed < pure - 0.1


@pytest.mark.parametrize(
    "text",
    ["", "ok", "да", "12345 !!! 67890", "👍🏽" * 50, "\u200b\u0301" * 40, "\0\n\t ", "(..) [] — «»" * 9],
)
def test_too_little_text_has_no_language(identifier: LanguageIdentifier, text: str) -> None:
    assert identify(identifier, text) == [(UNKNOWN, 0)]


@pytest.mark.parametrize(("text", "language"), [("Привет", "ru"), ("你好世界", "zh"), ("안녕하세요", "ko")])
def test_a_word_may_be_enough(identifier: LanguageIdentifier, text: str, language: str) -> None:
    assert identify(identifier, text)[0][0] == language


@given(text=documents)
def test_any_text_has_a_language_or_none(identifier: LanguageIdentifier, text: str) -> None:
    ((language, score),) = identify(identifier, text)
    assert language in LID_176 or (language, score) == (UNKNOWN, 0)
    assert 0 <= score <= 1


def test_newlines_are_blanks(identifier: LanguageIdentifier) -> None:
    text = " ".join(SENTENCES["fr"])
    assert identify(identifier, text) == identify(identifier, text.replace(" ", "\n"))


def test_ten_megabytes_without_a_letter(identifier: LanguageIdentifier) -> None:
    assert identify(identifier, "!" * 10_000_000) == [(UNKNOWN, 0)]
    assert identify(identifier, "я" * 5_000_000)[0][1] >= 0


def test_the_codes_are_those_of_the_bundled_model(identifier: LanguageIdentifier) -> None:
    assert tuple(sorted(identifier.codes)) == LID_176
    assert identifier.codes == identifier.model.labels


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("rus_Cyrl", "ru"),
        ("eng_Latn", "en"),
        ("arb_Arab", "ar"),
        ("cmn_Hani", "zh"),
        ("jpn_Jpan", "ja"),
        ("ceb_Latn", "ceb"),
        ("srp_Cyrl", "sr"),
        ("srp_Latn", "sr-Latn"),
        ("rus_Latn", "ru-Latn"),
        ("zho_Hans", "zh-Hans"),
        ("ru", "ru"),
    ],
)
def test_labels_with_a_script_become_codes(label: str, code: str) -> None:
    assert language_code(label) == code


def test_a_model_with_labels_of_languages_and_scripts() -> None:
    labels = ("rus_Cyrl", "eng_Latn", "srp_Latn")
    model = LanguageIdentifier.build(FastText.parse(ModelSpec(labels=labels).write()))
    assert model.codes == ("ru", "en", "sr-Latn")
    assert {language for language, _ in identify(model, *SENTENCES["en"])} <= set(model.codes)


@pytest.mark.parametrize(
    ("code", "near"), [("rus", "ru"), ("eng", "en"), ("RU", "ru"), ("rus_Cyrl", "ru"), ("ruu", "ru")]
)
def test_an_unknown_code_is_refused_with_the_nearest(code: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"no language '{code}' .* mean '{near}'"):
        check_codes([code], LID_176)


def table(*rows: tuple[str, float]) -> pa.Table:
    languages, scores = zip(*rows, strict=True)
    return pa.table({"language": pa.array(languages), "language_score": np.array(scores, np.float32)})


def test_verdicts_name_the_reason() -> None:
    found = table(("ru", 0.9), ("ru", 0.5), ("de", 0.9), ("de", 0.5), (UNKNOWN, 0.0), ("en", 0.65))
    rule = LanguageRule(0.65, ("ru", "en"))
    assert rule.failed(found).to_pylist() == [None, LOW_SCORE, NOT_KEPT, LOW_SCORE, LOW_SCORE, None]
    assert rule.believed(found).to_pylist() == ["ru", UNKNOWN, "de", UNKNOWN, UNKNOWN, "en"]


def test_without_languages_to_keep_nothing_is_dropped() -> None:
    found = table(("ru", 0.9), ("de", 0.1))
    assert LanguageRule().failed(found).to_pylist() == [None, None]
    assert LanguageRule().failed(found.slice(0, 0)).to_pylist() == []
    assert LanguageRule(keep=("ru",)).failed(found.slice(0, 0)).to_pylist() == []
