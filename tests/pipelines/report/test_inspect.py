"""`coupage inspect`: which documents it finds, and what it shows of them."""

import json
from collections import Counter

import pytest

from tests.pipelines.commands.conftest import write_lines
from tests.pipelines.corpus import document


@pytest.fixture(scope="module")
def look(coupage, finished):
    """What `inspect` finds in a finished run."""

    def inspect(*arguments: object) -> list[dict]:
        return json.loads(coupage("inspect", finished, *arguments, "--json").stdout)

    return inspect


def test_a_reason_is_found_by_its_beginning(look):
    found = {document["verdict"] for document in look("--reason", "gopher", "-n", 500)}
    assert found == {"dropped: gopher_quality.min_words"}
    duplicates = look("--reason", "exact", "-n", 500)
    assert duplicates and {each["verdict"] for each in duplicates} == {"dropped: exact duplicate"}


@pytest.mark.parametrize(
    ("arguments", "message", "nearest"),
    [
        (
            ["--reason", "gofer_quality"],
            "there is no reason `gofer_quality`",
            "Did you mean `gopher_quality`?",
        ),
        (["--reason", "nothing at all"], "there is no reason", "exact duplicate"),
        (["--source", "wed"], "there is no source `wed`", "Did you mean `web`? There are: web, law."),
        (["--group", "lew"], "there is no group `lew`", "Did you mean `law`? There are: law, web."),
        (["--kept", "--held-out"], "kept, held out, or dropped", "Give one of"),
        (["--kept", "--reason", "near"], "kept, held out, or dropped", "Give one of"),
        (["--search", "a\x1b[2Jb"], "this is no text", "printable"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(coupage, finished, arguments, message, nearest):
    told = coupage("inspect", finished, *arguments, code=2).stderr
    assert message in told and nearest in told


def test_a_reason_that_dropped_nothing_is_no_mistake(coupage, finished):
    assert (
        "no document is like that"
        in coupage("inspect", finished, "--reason", "gopher_quality.max_words").stdout
    )


def test_kept_and_held_out_are_apart(look):
    kept, held_out = look("--kept", "-n", 1000), look("--held-out", "-n", 1000)
    assert {each["verdict"] for each in kept} == {"kept"}
    assert {each["verdict"] for each in held_out} == {"held out"}
    dropped = [each for each in look("-n", 1000) if each["verdict"].startswith("dropped")]
    assert len(kept) + len(held_out) + len(dropped) == len(look("-n", 1000)) == 600
    assert {each["group"] for each in look("--group", "law", "-n", 1000)} == {"law"}


def test_text_is_searched_whatever_its_capitals(look):
    everything = look("-n", 1000)
    for text in ("river Mountain", "in front"):
        expected = [each["doc_id"] for each in everything if text.lower() in each["text"].lower()]
        assert [each["doc_id"] for each in look("--search", text, "-n", 1000)] == expected
    assert expected
    assert look("--search", "in front", "--source", "law") == []


def test_a_sample_is_of_all_and_always_the_same(look):
    everything = {each["doc_id"]: each for each in look("-n", 1000)}
    sample = look("--random", 3, "-n", 20)
    assert sample == look("--random", 3, "-n", 20) != look("--random", 4, "-n", 20)
    assert len({each["doc_id"] for each in sample}) == 20
    assert all(everything[each["doc_id"]] == each for each in sample)
    whole = look("--random", 3, "-n", 1000)
    assert {each["doc_id"] for each in whole} == everything.keys()
    assert [each["doc_id"] for each in whole[:20]] == [each["doc_id"] for each in sample]
    kept = look("--random", 3, "-n", 1000, "--kept")
    assert {each["doc_id"] for each in kept} == {each["doc_id"] for each in look("--kept", "-n", 1000)}


def test_a_sample_is_uniform(finished):
    import coupage

    run = coupage.open_run(finished)
    drawn = Counter(each["source"] for seed in range(60) for each in run.documents(random=seed, number=10))
    assert 340 < drawn["web"] < 460  # of 600, two thirds


def test_the_signals_that_rules_judged_are_shown_first(coupage, finished, look):
    (shown,) = look("--source", "web", "-n", 1)
    assert set(shown["judged_signals"]) < shown["signals"].keys()
    few = coupage("inspect", finished, "--source", "web", "-n", 1).stdout
    every = coupage("inspect", finished, "--source", "web", "-n", 1, "--signals").stdout
    unjudged = next(name for name in shown["signals"] if name not in {*shown["judged_signals"], "language"})
    assert all(f"{name} " in few for name in shown["judged_signals"]) and f"{unjudged} " not in few
    assert "more with --signals" in few and all(f"{name} " in every for name in shown["signals"])


def test_conversations_are_shown_as_turns(coupage, tmp_path, base_tokenizer):
    import random

    rng = random.Random(1)
    talks = [
        [
            {"role": "user", "content": f"Question {number}?"},
            {"role": "assistant", "content": document(rng, 12)},
        ]
        for number in range(10)
    ]
    write_lines(tmp_path / "talks.jsonl", [{"messages": talk} for talk in talks])
    (tmp_path / "talks.yaml").write_text(f"""\
name: talks
sources:
  talk: {{reader: files, path: {tmp_path}/talks.jsonl, messages: messages}}
tokenizer: {{base: {base_tokenizer}}}
mixtures: {{stage1: {{tokens: 1k, weights: {{talk: 1}}}}}}
""")
    coupage("run", tmp_path / "talks.yaml", "--workdir", tmp_path / "run", "--until", "select")
    shown = coupage("inspect", tmp_path / "run", "-n", 1).stdout
    assert "user: Question 0?\n" in shown and "\nassistant: " in shown
    (found,) = json.loads(coupage("inspect", tmp_path / "run", "-n", 1, "--json").stdout)
    assert [turn["role"] for turn in found["messages"]] == ["user", "assistant"]


def test_what_is_thought_and_called_is_shown(coupage, tmp_path, base_tokenizer):
    call = {"type": "function", "function": {"name": "look", "arguments": {"city": "Bonn"}}}
    talk = [
        {"role": "user", "content": "Question?"},
        {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [call]},
        {"role": "assistant", "content": "Answer.", "weight": 0},
    ]
    plain = [talk[0], {"role": "assistant", "content": "Answer."}]
    write_lines(
        tmp_path / "talks.jsonl",
        [{"messages": talk, "tools": [{"type": "function"}]}, {"messages": plain}],
    )
    (tmp_path / "talks.yaml").write_text(f"""\
name: talks
sources:
  talk: {{reader: files, path: {tmp_path}/talks.jsonl}}
tokenizer: {{base: {base_tokenizer}}}
mixtures: {{stage1: {{tokens: 1k, weights: {{talk: 1}}}}}}
""")
    coupage("run", tmp_path / "talks.yaml", "--workdir", tmp_path / "run", "--until", "select")
    shown = coupage("inspect", tmp_path / "run", "-n", 1).stdout
    assert 'assistant: Hm.\ncalls look {"city": "Bonn"}\n' in shown
    assert "assistant (seen, not learnt): Answer.\n" in shown and 'tools: [{"type":"function"}]' in shown
    (found,) = json.loads(coupage("inspect", tmp_path / "run", "-n", 1, "--json").stdout)
    assert found["messages"][1]["content"] is None
    assert found["template_fields"]["messages"][2] == {"weight": 0}
