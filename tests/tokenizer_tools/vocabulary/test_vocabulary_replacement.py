"""Which tokens give their places to new ones."""

import pytest
from small_corpus import CORPUS
from vocabulary_texts import DOMAIN, EASTERN

from tokenizer_tools.load import TokenizerError
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyReplacement
from tokenizer_tools.vocabulary.family import Family
from tokenizer_tools.vocabulary.scripts import SCRIPTS, check_scripts, used_scripts, written_in


@pytest.fixture(scope="module")
def replaced(trained, counted):
    def replace(tokens, scripts=(), documents=DOMAIN, reference=CORPUS):
        words = counted(trained, documents)
        wanted = VocabularyReplacement(tokens=tokens, scripts=scripts)
        judged = counted(trained, reference)
        return change_vocabulary(trained, words, extension=None, replacement=wanted, reference=judged)

    return replace


def test_only_tokens_of_the_scripts_go_and_none_that_the_text_uses(trained, replaced, counted):
    words = counted(trained, [*DOMAIN, "葡萄酒 葡萄酒"])
    used = set(Family(trained).segment(words.words).ids.tolist())
    result = replaced(12, EASTERN, [*DOMAIN, "葡萄酒 葡萄酒"])
    family = Family(trained)
    assert len(result.replaced) == 12
    for number, token in result.replaced.items():
        text = family.text(token)
        assert text is not None and number not in used
        assert any(ord(letter) > 0x600 for letter in text)
        assert not any("a" <= letter.lower() <= "z" or "а" <= letter.lower() <= "я" for letter in text)


def test_what_a_token_that_goes_made_goes_too(trained, replaced):
    family = Family(trained)
    gone = set(replaced(12, EASTERN).replaced.values())
    for left, right in family.merges:
        assert left + right in gone or not {left, right} & gone


def test_of_no_script_named_those_go_that_no_text_uses(trained, replaced):
    latin_and_cyrillic = [text for text in CORPUS if text[0] in "TВ"]
    result = replaced(12, (), DOMAIN, latin_and_cyrillic)
    assert result.replaced == replaced(12, EASTERN, DOMAIN, latin_and_cyrillic).replaced
    with pytest.raises(TokenizerError, match="only 0 may go"):
        replaced(12, (), DOMAIN, CORPUS)


def test_the_least_used_go_first_and_of_equals_the_higher_id(trained, replaced):
    reference = ["葡萄酒在橡木桶中陈酿"] * 9
    few, many = (set(replaced(tokens, ("Han", "Arabic"), DOMAIN, reference).replaced) for tokens in (8, 12))
    assert few < many
    used = set(Family(trained).segment(["葡萄酒在橡木桶中陈酿"]).ids.tolist())
    assert not few & used


def test_too_few_are_said_with_the_scripts_that_could_go(replaced):
    with pytest.raises(TokenizerError, match=r"60 tokens .* only \d+ may go.*further scripts.*Latin \(\d+\)"):
        replaced(60, ("Arabic",))


def test_an_unknown_script_is_refused_with_the_nearest(replaced):
    with pytest.raises(TokenizerError, match=r"no script 'hna'.*Han"):
        replaced(1, ("hna",))


def test_every_script_of_the_table_is_known_to_the_patterns():
    check_scripts(SCRIPTS)
    assert written_in(["漢字", "kanji", " 漢!"], SCRIPTS).all()
    assert not written_in(["漢字 12", "。", ""], SCRIPTS).any()
    assert written_in(["漢字", "kanji", "каn"], ["Han", "Latin"]).tolist() == [True, True, False]


def test_a_script_of_hardly_any_letters_is_not_used(trained, counted):
    assert used_scripts(counted(trained, ["word слово 言葉"])) == {"Latin", "Cyrillic", "Han"}
    assert used_scripts(counted(trained, ["word " * 20000 + "言 12"])) == {"Latin"}
    assert used_scripts(counted(trained, ["12 34"])) == set()
