"""Where a mixture counts loss tokens, its reports show them beside tokens, and deviations in them."""

import json
import random

import pytest

from tests.pipelines.corpus import document

RECIPE = """\
name: by_loss
sources:
  chat: {{reader: files, path: chat.jsonl, messages: messages}}
  web: {{reader: files, path: web.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 0}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1: {{tokens: 3k, unit: loss_tokens, sequence_length: 512, weights: {{chat: 1, web: 1}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, coupage, base_tokenizer):
    folder = tmp_path_factory.mktemp("by_loss")
    texts = [document(random.Random(number), 10) for number in range(80)]
    chats = [
        [{"role": "user", "content": text[:200]}, {"role": "assistant", "content": text[200:300]}]
        for text in texts
    ]
    records = {
        "chat": [{"messages": each} for each in chats],
        "web": [{"text": text[:400]} for text in texts],
    }
    for name, rows in records.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE.format(tokenizer=base_tokenizer))
    shown = coupage("run", folder / "recipe.yaml", "--workdir", folder / "run", cwd=folder).stdout
    return folder / "run", shown


def test_loss_tokens_stand_beside_tokens_everywhere(run):
    folder, shown = run
    ledger = json.loads((folder / "shards" / "stage1" / "ledger.json").read_text())
    groups = {group["group"]: group for group in ledger["groups"]}
    assert groups["chat"]["loss_tokens"] < groups["chat"]["tokens"] / 2
    total = sum(group["loss_tokens"] for group in groups.values())
    assert f"{total:,}" in shown and "loss tokens" in shown
    page, card = (folder / "report.html").read_text(), (folder / "README.md").read_text()
    assert f"of which {total:,} bear loss" in page and f"({total:,} bear loss)" in card
    assert "largest deviation</button> in loss tokens" in page and "largest deviation in loss tokens" in card
    for group in groups.values():
        quota, loss, tokens = group["quota"]["quota"], group["loss_tokens"], group["tokens"]
        worst = f"{group['quota']['largest_prefix_deviation']:.0f}"
        assert f">{loss:,}<" in page and f">{worst}<" in page
        assert f"| {quota:,} | {loss:,} | {worst} | {tokens:,} |" in card


def test_where_tokens_are_counted_there_is_no_such_column(finished):
    page = (finished / "report.html").read_text()
    assert "bear loss" not in page and "in loss tokens" not in page
    assert "loss tokens" not in (finished / "README.md").read_text()
