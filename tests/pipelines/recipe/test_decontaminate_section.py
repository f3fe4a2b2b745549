"""The section `decontaminate` of a recipe: what it may say, what it means, and how mistakes are told."""

import pytest

from filters.contamination.items import KINDS
from pipelines.errors import UserError
from pipelines.recipe.load import load_recipe, recipe_schema
from pipelines.recipe.recipe import Recipe

AROUND = """\
name: mine
sources:
  web: {{reader: files, path: web.jsonl}}
  old: {{reader: files, path: old.jsonl}}
dedup: {{against: [old]}}
decontaminate:
{section}
mixtures:
  stage1: {{tokens: 1M, weights: {{web: 1}}}}
"""
WHOLE = """\
  against:
    gsm8k: {task: gsm8k}
    own: {path: exam.jsonl, question: q, answer: a.words, action: {question: drop}}
    secret: {path: [notes.txt, more], action: {passage: cut}}
  action: {answer: cut, passage: drop}
  thresholds: {question: 70%}
  allow: judgements.jsonl
  semantic:
    embedder: {base_url: "http://localhost:1/v1", model: small, key: MY_KEY}
    judge: {base_url: "http://localhost:2/v1", model: large}
    threshold: 0.7
  sources: [web]
"""


def load(tmp_path, section: str) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(AROUND.format(section=section))
    return load_recipe(str(path))


def test_a_recipe_without_the_section_compares_nothing(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(AROUND.format(section="").replace("decontaminate:\n", ""))
    assert load_recipe(str(path)).decontaminate is None


def test_a_whole_section_is_typed(tmp_path):
    section = load(tmp_path, WHOLE).decontaminate
    assert section.against["gsm8k"].task == "gsm8k"
    assert section.against["own"].path == ("exam.jsonl",) and section.against["own"].answer == "a.words"
    assert section.against["secret"].path == ("notes.txt", "more")
    assert section.thresholds.question == 0.7 and section.thresholds.answer < 1
    assert section.semantic.embedder.endpoint.base_url == "http://localhost:1/v1"
    assert section.semantic.embedder.endpoint.key == "MY_KEY" and section.semantic.judge.key is None
    assert (section.semantic.share, section.semantic.threshold) == (0.01, 0.7)
    assert section.semantic.judge.sampling["temperature"] == 0 and not section.semantic.translations


def test_a_benchmark_may_have_actions_of_its_own(tmp_path):
    section = load(tmp_path, WHOLE).decontaminate
    actions = {name: [section.action_for(name, kind) for kind in KINDS] for name in section.against}
    assert KINDS == ("answer", "question", "passage", "template")
    assert actions == {
        "gsm8k": ["cut", "flag", "drop", "flag"],
        "own": ["cut", "drop", "drop", "flag"],
        "secret": ["cut", "flag", "cut", "flag"],
    }


def test_by_default_what_bears_the_answer_is_dropped_and_the_rest_flagged(tmp_path):
    section = load(tmp_path, "  against: {gsm8k: {task: gsm8k}}").decontaminate
    assert [section.action_for("gsm8k", kind) for kind in KINDS] == ["drop", "flag", "flag", "flag"]
    assert section.semantic is None and section.sources is None and section.allow is None


@pytest.mark.parametrize("off", ["false", "null"])
def test_semantic_is_turned_off(tmp_path, off):
    section = f"  against: {{gsm8k: {{task: gsm8k}}}}\n  semantic: {off}"
    assert load(tmp_path, section).decontaminate.semantic is None


def test_an_embedder_may_be_its_folder_alone(tmp_path):
    section = "  against: {gsm8k: {task: gsm8k}}\n  semantic: {embedder: models/small}"
    embedder = load(tmp_path, section).decontaminate.semantic.embedder
    assert embedder.model == "models/small" and embedder.endpoint is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: gsm8k", "tsk: gsm8k", "unknown key `decontaminate.against.gsm8k.tsk`; did you mean `task`?"),
        ("question: q", "qestion: q", "`decontaminate.against.own.qestion`; did you mean `question`?"),
        ("{answer: cut", "{anser: cut", "`decontaminate.action.anser`; did you mean `answer`?"),
        ("answer: cut", "answer: keep", "`decontaminate.action.answer`"),
        ("question: drop", "question: erase", "`decontaminate.against.own.action.question`"),
        ("embedder:", "embeder:", "did you mean `embedder`?"),
        ("embedder: {", "judge2: {", "the key `decontaminate.semantic.embedder` is missing"),
        ("http://localhost:2/v1", "", "`decontaminate.semantic.judge.base_url`"),
        ("http://localhost:1/v1", "localhost:1", "must be an address such as"),
        ("threshold: 0.7", "threshold: 7", "`decontaminate.semantic.threshold`"),
        ("threshold: 0.7", "share: 0", "`decontaminate.semantic.share`"),
        ("threshold: 0.7", "treshold: 0.7", "did you mean `threshold`?"),
        ("key: MY_KEY", "key: sk-1234", "`decontaminate.semantic.embedder.key`"),
        ('base_url: "http://localhost:1/v1", ', "", "`key` is for an endpoint"),
        ("{task: gsm8k}", "{task: gsm8k, path: x.jsonl}", "either a `task` or files by their `path`"),
        ("{task: gsm8k}", "{}", "either a `task` or files by their `path`"),
        ("{task: gsm8k}", "{task: gsm8k, question: q}", "`question` is for files by their `path`"),
        ("question: 70%", "question: 170%", "`decontaminate.thresholds.question`"),
        ("question: 70%", "question: 0", "`decontaminate.thresholds.question`"),
        ("gsm8k: {", "GSM 8K: {", "`decontaminate.against.GSM 8K`"),
        ("allow: judgements.jsonl", "alow: judgements.jsonl", "did you mean `allow`?"),
        ("sources: [web]", "sources: [wbe]", "there is no source `wbe` (there are: web, old)"),
        ("sources: [web]", "sources: [old]", "`old` is only compared with (`dedup.against`)"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, old, new, message):
    assert WHOLE.count(old) == 1
    with pytest.raises(UserError) as raised:
        load(tmp_path, WHOLE.replace(old, new))
    assert message in str(raised.value) and "recipe.yaml" in str(raised.value)


def test_something_must_be_compared_with(tmp_path):
    with pytest.raises(UserError, match=r"the key `decontaminate.against` is missing"):
        load(tmp_path, "  action: {answer: drop}")
    with pytest.raises(UserError, match=r"`decontaminate.against`"):
        load(tmp_path, "  against: {}")


def test_editors_know_every_key():
    definitions = recipe_schema()["$defs"]
    assert {"task", "path", "question", "action"} <= definitions["AgainstBenchmark"]["properties"].keys()
    assert all(each.get("description") for each in definitions["Decontaminate"]["properties"].values())
