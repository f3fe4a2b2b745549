"""`tokenizer.chat_template`: a template of the recipe's own, for a given tokenizer and for a trained one."""

import json
import shutil

import pytest

from tests.pipelines.corpus import write_corpus
from tokenizer_tools.load import load_tokenizer

TEMPLATE = """\
{% for message in messages %}<<{{ message.role }}>>
{% if message.role == 'assistant' %}{% generation %}{{ message.content }} SO IT IS{% endgeneration %}
{% else %}{{ message.content }}{% endif %}{% endfor %}"""
RECIPE = """\
name: chats
sources:
  web: {{reader: files, path: corpus/web.jsonl}}
  chats: {{reader: files, path: chats.jsonl, messages: messages}}
dedup: {{minhash: null}}
held_out: {{share: 0}}
tokenizer: {tokenizer}
mixtures:
  stage1:
    tokens: 4k
    sequence_length: 256
    weights: {{web: 1, chats: 1}}
    on_shortage: renormalize
"""


@pytest.fixture
def folder(tmp_path, base_tokenizer):
    write_corpus(tmp_path / "corpus", documents=60)
    chats = (
        {"messages": [{"role": "user", "content": f"ask {n}"}, {"role": "assistant", "content": f"say {n}"}]}
        for n in range(60)
    )
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    (tmp_path / "own.jinja").write_text(TEMPLATE)
    shutil.copytree(base_tokenizer, tmp_path / "base")
    return tmp_path


def run(coupage, folder, tokenizer, **kwargs):
    (folder / "chats.yaml").write_text(RECIPE.format(tokenizer=tokenizer))
    return coupage("run", folder / "chats.yaml", "--workdir", folder / "run", **kwargs)


def learnt(folder):
    """What the rows of conversations teach, as text."""
    import datasets
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "run/tokenizer/tokenizer.json"))
    rows = datasets.load_from_disk(str(folder / "run/shards/stage1"))
    return " ".join(
        tokenizer.decode(
            [i for i, mask in zip(row["input_ids"], row["assistant_masks"], strict=True) if mask],
            skip_special_tokens=False,
        )
        for row in rows
        if row["group"] == "chats"
    )


@pytest.mark.parametrize(
    "tokenizer",
    ["{base: base, chat_template: own.jinja}", "{train: {special_tokens: []}, chat_template: own.jinja}"],
)
def test_the_template_of_the_recipe_is_used_and_saved(coupage, folder, tokenizer):
    run(coupage, folder, tokenizer)
    assert load_tokenizer(folder / "run/tokenizer").chat_template == TEMPLATE
    text = learnt(folder)
    assert "SO IT IS" in text and "say" in text and "ask" not in text


def test_another_template_encodes_the_conversations_anew(coupage, folder):
    run(coupage, folder, "{base: base, chat_template: own.jinja}")
    (folder / "own.jinja").write_text(TEMPLATE.replace("SO IT IS", "OR NOT"))
    run(coupage, folder, "{base: base, chat_template: own.jinja}")
    assert "OR NOT" in learnt(folder) and "SO IT IS" not in learnt(folder)
    coupage("report", folder / "run")


def test_a_part_of_nothing_but_refused_conversations_is_counted(coupage, folder):
    asked = [{"role": "user", "content": "one question"}]
    refused = "".join(
        json.dumps({"messages": [*asked, {"role": "user", "content": f"{n}"}]}) + "\n" for n in range(9)
    )
    (folder / "chats").mkdir()
    (folder / "chats.jsonl").rename(folder / "chats/a.jsonl")
    (folder / "chats/b.jsonl").write_text(refused)
    (folder / "chats.yaml").write_text(
        RECIPE.format(tokenizer="{base: base}").replace("path: chats.jsonl", "path: chats")
        + "part_size: 1k\n"
    )
    coupage("run", folder / "chats.yaml", "--workdir", folder / "run")
    report = json.loads((folder / "run/report.json").read_text())
    assert "has no assistant message" in json.dumps(report)
    coupage("verify", folder / "run")


WITH_CALLS = """\
{% for tool in tools or [] %}may {{ tool.function.name }} {% endfor %}
{% for message in messages %}<<{{ message.role }}>>
{% if message.role == 'assistant' %}{% generation %}{{ message.content or '' }}\
{% for call in message.tool_calls or [] %}CALL {{ call.function.name }} \
{{ call.function.arguments | tojson }}{% endfor %} END{% endgeneration %}
{% else %}{{ message.content }}{% endif %}{% endfor %}"""


def test_calls_reach_the_ids_and_what_the_template_leaves_out_is_said(coupage, folder):
    call = {"type": "function", "function": {"name": "look", "arguments": {"city": "Bonn"}}}
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    turns = [
        {"role": "user", "content": "ask"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "fine"},
        {"role": "assistant", "content": "unlearnt", "weight": 0},
    ]
    records = ({"messages": [*turns, {"role": "user", "content": f"{n}"}, turns[1]]} for n in range(60))
    lines = (json.dumps({**record, "tools": [tool], "documents": [{"text": "d"}]}) for record in records)
    (folder / "chats.jsonl").write_text("\n".join(lines))
    (folder / "own.jinja").write_text(WITH_CALLS)
    done = run(coupage, folder, "{base: base, chat_template: own.jinja}")
    assert 'CALL look {"city": "Bonn"} END' in learnt(folder) and "unlearnt" not in learnt(folder)
    said = "the chat template leaves out `documents`, which 60 conversations of the source `chats` have"
    assert said in done.stdout and "leaves out `tools`" not in done.stdout
    report = json.loads((folder / "run/report.json").read_text())
    (chats,) = (source for source in report["sources"] if source["source"] == "chats")
    assert chats["left_out_by_template"] == {"documents": 60}
