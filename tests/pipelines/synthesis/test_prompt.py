"""Prompts: shipped ones and a recipe's own."""

import pickle

import pytest

from pipelines.errors import UserError
from pipelines.synthesis.prompt import Prompts


def own(tmp_path, name, text):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Prompts(tmp_path)


def test_a_file_of_the_recipe_takes_the_place_of_the_shipped_one(tmp_path):
    prompts = own(tmp_path, "qa/why.en.yaml", "user: Why {{ passage }}?")
    prompt = prompts.get("qa/why", "en")
    assert prompt.messages({"passage": "not"}) == [{"role": "user", "content": "Why not?"}]
    assert prompts.get("qa/why", "ru").hash == Prompts().get("qa/why", "ru").hash
    assert prompts.hashes("qa")["why.en.yaml"] == prompt.hash != Prompts().hashes("qa")["why.en.yaml"]


def test_examples_stand_before_the_question(tmp_path):
    text = "system: Be kind.\nuser: '{{ a }}{{ b }}'\nexamples: [{values: {a: 1}, answer: ' {{ a }} '}]"
    asked = own(tmp_path, "m/p.en.yaml", text).get("m/p", "en").messages({"a": 2, "b": 3})
    assert [turn["content"] for turn in asked] == ["Be kind.", "13", "{{ a }}", "23"]


@pytest.mark.parametrize("language", ["und", "../qa/why", "en/../../x", "", "a\0b", "zh-Hant"])
def test_a_language_without_a_prompt_gets_the_english_one(language):
    assert Prompts().get("qa/why", language).language == "en"


@pytest.mark.parametrize(
    "text",
    ["user: [", "- a", "user: 1\nwho: 2", "system: a", b"user: \xff\xfe", "user: 2024-13-45", "[" * 5_000],
)
def test_a_file_that_is_no_prompt_is_named(tmp_path, text):
    with pytest.raises(UserError) as error:
        own(tmp_path, "qa/why.en.yaml", text).get("qa/why", "en")
    assert error.value.file == str(tmp_path / "qa/why.en.yaml")


@pytest.mark.parametrize(
    "user",
    ["{{ passages }}", "{% if %}", "{{ passage + 1 }}", "{{ 1 / 0 }}", "{{ passage.__class__.mro() }}"],
)
def test_a_prompt_that_cannot_be_filled_is_named(tmp_path, user):
    prompt = own(tmp_path, "qa/why.en.yaml", f"user: '{user}'").get("qa/why", "en")
    with pytest.raises(UserError, match="cannot be filled") as error:
        prompt.messages({"passage": "text"})
    assert error.value.file == str(tmp_path / "qa/why.en.yaml")


def test_a_file_without_a_language_is_named(tmp_path):
    with pytest.raises(UserError, match="names no language"):
        own(tmp_path, "qa/notes.yaml", "user: a").hashes("qa")


def test_what_is_edited_while_a_run_goes_on_changes_nothing_of_it(tmp_path):
    """A stage is named by what its prompts said when it was planned, in every process that works for it."""
    (tmp_path / "qa").mkdir()
    file = tmp_path / "qa" / "factual.en.yaml"
    file.write_text("user: before")
    prompts = Prompts(tmp_path)
    planned = prompts.hashes("qa")
    file.write_text("user: after")
    sent = pickle.loads(pickle.dumps(prompts))
    assert sent.get("qa/factual", "en").messages({}) == [{"role": "user", "content": "before"}]
    assert sent.hashes("qa") == planned != Prompts(tmp_path).hashes("qa")
