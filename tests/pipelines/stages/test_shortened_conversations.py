"""`overflow: truncate_context` through a run, with a template and a tokenizer in the shape of Llama 3's."""

import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest

from mixers.shards import Shards
from pipelines.stages.mix import NOWHERE
from tests.chat_templates import make_tokenizer
from tests.pipelines.corpus import document

RECIPE = """\
name: long
sources:
  chat: {{reader: files, path: {folder}/chat.jsonl, messages: messages}}
dedup: {{minhash: null}}
held_out: {{share: 0%}}
tokenizer: {{base: {folder}/llama3}}
mixtures:
  stage1:
    {{tokens: 30k, sequence_length: 1024, on_shortage: repeat, max_epochs: 8, overflow: truncate_context,
      weights: {{chat: 1}}}}
"""
SYSTEM, USER, ASSISTANT = (
    f"<|start_header_id|>{role}<|end_header_id|>\n\n" for role in ("system", "user", "assistant")
)
KINDS = ("short", "long question", "long answer", "nothing asked")


def conversation(rng, number):
    """Of the kind that its number says; the second question is short in all."""
    kind = KINDS[number % 4]
    asked = document(rng, 90 if kind == "long question" else 2)
    answered = document(rng, 90 if kind in ("long answer", "nothing asked") else 2)
    turns = [("system", f"Rules {number}."), ("user", f"{asked} Why {number}?"), ("assistant", answered)]
    if kind == "nothing asked":
        del turns[1]
    turns += [("user", "And then?"), ("assistant", f"Nothing {number}.")]
    return [{"role": role, "content": content} for role, content in turns]


@pytest.fixture(scope="module")
def built(tmp_path_factory, coupage):
    """The conversations by their ids, the run, and the uses of documents in its shards."""
    from tokenizers import Tokenizer

    folder, rng = tmp_path_factory.mktemp("long"), random.Random(11)
    chats = {f"c{number}": conversation(rng, number) for number in range(32)}
    (folder / "chat.jsonl").write_text(
        "".join(json.dumps({"id": name, "messages": messages}) + "\n" for name, messages in chats.items())
    )
    make_tokenizer(folder / "llama3", "llama3")
    (folder / "recipe.yaml").write_text(RECIPE.format(folder=folder))
    run = folder / "run"
    coupage("run", folder / "recipe.yaml", "--workdir", run)
    coupage("verify", run)
    tokenizer = Tokenizer.from_file(str(folder / "llama3/tokenizer.json"))
    segments = pq.read_table(run / "shards/stage1/segments.parquet").to_pylist()
    names = {(part["row"], part["position"]): part["doc_id"].removeprefix("chat/") for part in segments}
    shards = Shards.open(run / "shards/stage1")
    documents = []
    for row, pack in enumerate(shards):
        ends = np.cumsum(pack.seq_lengths)[:-1]
        for position, (ids, mask) in enumerate(
            zip(np.split(pack.input_ids, ends), np.split(pack.assistant_masks, ends), strict=True)
        ):
            runs = np.split(ids, np.flatnonzero(np.diff(mask)) + 1)[1 - mask[0] :: 2]
            text, *learnt = (tokenizer.decode(part, skip_special_tokens=False) for part in (ids, *runs))
            documents.append((names[row, position], text, learnt))
    return chats, run, documents


def kind_of(name):
    return KINDS[int(name.removeprefix("c")) % 4]


def test_a_shortened_conversation_begins_as_one_does_and_its_answers_are_whole(built):
    chats, _, documents = built
    assert {kind_of(name) for name, _, _ in documents} == {"short", "long question"}
    assert len({name for name, _, _ in documents}) == 16
    for name, text, learnt in documents:
        system, question, *rest = (message["content"] for message in chats[name])
        assert text.startswith(f"<|begin_of_text|>{SYSTEM}Cutting Knowledge Date")
        before, found, after = text.partition(f"{system}<|eot_id|>{USER}")
        assert found and USER not in before
        asked, answers = after.split(f"<|eot_id|>{ASSISTANT}", 1)
        assert question.endswith(asked) and asked.endswith(f"Why {name.removeprefix('c')}?")
        assert (asked == question) == (kind_of(name) == "short")
        assert [part.removesuffix("<|end_of_text|>") for part in learnt] == [
            f"{answer}<|eot_id|>" for answer in rest[0::2]
        ]
        assert answers.startswith(f"{rest[0]}<|eot_id|>{USER}And then?<|eot_id|>{ASSISTANT}{rest[2]}")


def test_counts_say_how_many_were_shortened_and_why_others_were_dropped(built):
    _, run, _ = built
    (group,) = json.loads((run / "shards/stage1/ledger.json").read_text())["groups"]
    assert (group["documents_shortened"], group["documents_used"]) == (8, 16)
    assert (group["documents_dropped"], group["documents_cut"]) == (16, 0)
    report = json.loads((run / "report.json").read_text())
    (mix,) = (stage for stage in report["stages"] if stage["stage"] == "mix stage1")
    dropped = {
        (row["what"], row["reason"]): row["number"]
        for row in mix["counts"]["flows"]["documents"]["dropped"]
        if row["number"]
    }
    assert dropped == {("too_long", ""): 8, ("too_long", NOWHERE): 8}
    (shortened,) = (row for row in mix["counts"]["facts"] if row["what"] == "documents_shortened")
    assert shortened["number"] == 8


def test_segments_name_the_tokens_that_are_there(built):
    _, run, _ = built
    segments = pq.read_table(run / "shards/stage1/segments.parquet").to_pylist()
    parts = {}
    for part in segments:
        parts.setdefault((part["row"], part["position"]), []).append(part)
    lengths = {(r, p): n for r, pack in enumerate(Shards.open(run / "shards/stage1"))
               for p, n in enumerate(pack.seq_lengths)}  # fmt: skip
    assert {key: sum(part["tokens"] for part in found) for key, found in parts.items()} == lengths
    for found in parts.values():
        is_shortened = kind_of(found[0]["doc_id"].removeprefix("chat/")) == "long question"
        assert len(found) == 1 + is_shortened
        assert found[0]["first_token"] == 0
        assert not is_shortened or found[1]["first_token"] > found[0]["tokens"]
