"""Names of languages and their usual scripts against `langcodes`, which has those of IANA and of CLDR."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from string import ascii_lowercase

import langcodes
import pytest
from langcodes import Language

from filters.language.language_codes import _TWO_LETTERS, _USUAL_SCRIPTS, LID_176, language_code

WITHDRAWN = {
    "bh": "ours is bho",
    "in": "now id",
    "iw": "now he",
    "ji": "now yi",
    "jw": "now jv",
    "mo": "now ro",
}
"""Two letters that ISO 639-1 no longer has, though langcodes takes them."""

OTHER_NAMES = {
    "hbs": "langcodes: sr-Latn; lid.176 has sh",
    "nob": "langcodes: nb; lid.176 has no for it, beside nn",
    "tgl": "langcodes: fil, the standard form of the language; lid.176 has tl",
    "fil": "langcodes: fil; we say tl as for tgl",
    "pbt": "langcodes does not count Southern Pashto as Pashto; ISO 639-3 does",
    "quy": "langcodes does not count Ayacucho Quechua as Quechua; ISO 639-3 does",
    "twi": "langcodes: ak, the group; Twi has two letters of its own",
}
"""Three letters that we shorten to others than langcodes does."""

OTHER_SCRIPTS = {
    "ko": "GlotLID says Hang, CLDR Kore, which includes Hanja",
    "zh": "GlotLID says Hani, CLDR Hans",
    "wuu": "GlotLID says Hani, CLDR Hans",
    "yue": "GlotLID says Hani, CLDR Hant",
    "acm": "langcodes knows no script; Mesopotamian Arabic",
    "acq": "langcodes knows no script; Ta'izzi-Adeni Arabic",
    "ajp": "langcodes knows no script; South Levantine Arabic",
    "azb": "langcodes knows no script; Azerbaijani in Iran",
    "xal": "langcodes knows no script; Kalmyk, Cyrillic since 1938",
}
"""Languages whose usual script is another to langcodes."""


def three_letters() -> dict[str, str]:
    """The three letters of each of two that langcodes knows."""
    known = {}
    for two in map("".join, product(ascii_lowercase, repeat=2)):
        with suppress(LookupError):
            known[two] = Language.get(two, normalize=False).to_alpha3()
    return known


def usual_script(code: str) -> str | None:
    return Language.get(code, normalize=False).maximize().script


def test_three_letters_become_the_same_two() -> None:
    known = three_letters()
    assert len(known) > 180
    differing = {
        two for two, three in known.items() if language_code(f"{three}_Latn").partition("-")[0] != two
    }
    assert differing == WITHDRAWN.keys() | {"nb"}


def test_chief_languages_of_a_group_become_the_group() -> None:
    shortened = {three: langcodes.standardize_tag(three, macro=True) for three in _TWO_LETTERS}
    assert {three for three, two in shortened.items() if _TWO_LETTERS[three] != two} == OTHER_NAMES.keys()


def test_languages_have_the_same_usual_script() -> None:
    codes = {*LID_176, *_TWO_LETTERS.values(), *_USUAL_SCRIPTS}
    differing = {code for code in codes if usual_script(code) != _USUAL_SCRIPTS.get(code, "Latn")}
    assert differing == OTHER_SCRIPTS.keys()


def test_the_usual_script_is_not_named() -> None:
    labels = {two: f"{three}_{usual_script(two)}" for two, three in three_letters().items()}
    named = {two for two, label in labels.items() if language_code(label) != two}
    assert named == WITHDRAWN.keys() | {"nb", "ko", "zh"}


@pytest.mark.parametrize(("label", "code"), [("kor_Hang", "ko"), ("cmn_Hani", "zh"), ("nob_Latn", "no")])
def test_what_glotlid_says_instead(label: str, code: str) -> None:
    assert language_code(label) == code


def test_the_languages_of_lid_176_are_named_as_iana_does() -> None:
    assert [code for code in LID_176 if not langcodes.tag_is_valid(code)] == ["eml"]  # now egl and rgn
    renamed = {code for code in LID_176 if langcodes.standardize_tag(code) != code}
    assert renamed == {"sh", "tl"}  # sr-Latn, fil: see OTHER_NAMES
