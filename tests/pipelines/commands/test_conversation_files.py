"""Commands that take files read conversations: named by a setting, or recognised and said."""

import json

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.pipelines.commands.conftest import write_lines


@pytest.fixture(scope="module")
def chats(tmp_path_factory, texts):
    """The same conversations as ShareGPT, in a field of another name, and as text."""
    folder = tmp_path_factory.mktemp("chats")
    talks = [[{"from": "human", "value": "Go on."}, {"from": "gpt", "value": text}] for text in texts]
    return {
        "recognised": write_lines(folder / "chats.jsonl", [{"conversations": talk} for talk in talks]),
        "named": write_lines(folder / "talks.jsonl", [{"talk": talk} for talk in talks]),
        "text": write_lines(folder / "text.jsonl", [{"text": f"Go on.\n\n{text}"} for text in texts]),
    }


@pytest.fixture
def given(chats):
    """The arguments for a file, and what is to be said of it."""
    return {
        "recognised": ([chats["recognised"]], "chats.jsonl: no field `text`; read as conversations"),
        "named": ([chats["named"], "--messages", "talk"], ""),
    }


@pytest.mark.parametrize("how", ["recognised", "named"])
def test_a_tokenizer_learns_of_conversations_what_it_learns_of_their_text(
    coupage, tmp_path, chats, given, how
):
    arguments, said = given[how]
    size = ("--vocabulary-size", 600)
    done = coupage("tokenizer", "train", *arguments, "-o", tmp_path / "chats", *size)
    coupage("tokenizer", "train", chats["text"], "-o", tmp_path / "text", *size)
    extend = coupage(
        "tokenizer", "extend", tmp_path / "text", *arguments, "-o", tmp_path / "more", "--tokens", 9
    )
    report = coupage("tokenizer", "report", tmp_path / "text", *arguments, "--json")
    files = [(tmp_path / name / "tokenizer.json").read_bytes() for name in ("chats", "text")]
    assert files[0] == files[1]
    assert len(json.loads((tmp_path / "more" / "pieces.json").read_text())) == 9
    assert json.loads(report.stdout)["all"]["documents"] == len(chats["text"].read_text().splitlines())
    for each in (done, extend, report):
        assert said in each.stderr


@pytest.mark.parametrize("how", ["recognised", "named"])
def test_conversations_are_judged_by_their_text(coupage, tmp_path, chats, given, how):
    arguments, said = given[how]
    assert said in coupage("annotate", *arguments, "-o", tmp_path / "chats").stderr
    coupage("annotate", chats["text"], "-o", tmp_path / "text")
    found, wanted = (
        pq.read_table(tmp_path / name / "signals.parquet").drop_columns("doc_id")
        for name in ("chats", "text")
    )
    assert found.equals(wanted)


def test_conversations_that_differ_in_a_call_alone_are_no_duplicates(coupage, tmp_path):
    def talk(city, note=""):
        call = {"type": "function", "function": {"name": "weather", "arguments": {"city": city}}}
        answer = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": note}
        return {"messages": [{"role": "user", "content": "How is the weather?"}, answer]}

    records = [talk("Bonn"), talk("Rome"), talk("Bonn"), talk("Bonn", "They mean the one on the Rhine.")]
    file = write_lines(tmp_path / "talks.jsonl", records)
    coupage("dedup", file, "-o", tmp_path / "out", "--exact-only")
    kept = pl.read_parquet(tmp_path / "out" / "kept" / "*.parquet")
    assert sorted(kept["doc_id"]) == ["talks.jsonl:0", "talks.jsonl:1", "talks.jsonl:3"]


OTHERS = [
    ([{"body": "x"}] * 9, (), "no field `text`; the records have: body"),
    ([{"talk": [{"role": "user", "content": "q"}]}] * 9, (), "--messages talk"),
    ([{"instruction": "q", "output": "a"}] * 9, ("--messages", "sharegpt"), "--messages alpaca"),
    ([{"text": "a"}] * 30 + [{"text": None}] * 31, (), "only 30 of the 61 records are documents"),
]


@pytest.mark.parametrize(("records", "options", "said"), OTHERS)
@pytest.mark.parametrize("command", ["annotate", "dedup", "tokenizer train"])
def test_files_of_which_most_would_be_left_out_are_refused(
    coupage, tmp_path, command, records, options, said
):
    file = write_lines(tmp_path / "file.jsonl", records)
    done = coupage(*command.split(), file, *options, "-o", tmp_path / "out", code=2)
    assert said in done.stderr and "file.jsonl" in done.stderr


def test_a_file_of_another_shape_is_refused_also_beside_good_ones(coupage, tmp_path, chats):
    other = write_lines(tmp_path / "other.jsonl", [{"body": "x"}])
    done = coupage("tokenizer", "train", chats["text"], other, "-o", tmp_path / "out", code=2)
    assert "other.jsonl" in done.stderr and not (tmp_path / "out").exists()
