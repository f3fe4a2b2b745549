"""Held-out documents that share passages with training are not evaluated; nothing else changes."""

import json
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.pipelines.commands.test_run import shard_bytes
from tests.pipelines.corpus import document

RECIPE = """\
name: apart
sources:
  web: {{reader: files, path: web.jsonl, fields: {{id: id}}}}
  chats: {{reader: files, path: chats.jsonl, fields: {{id: id, messages: messages}}}}
part_size: 100k
dedup: {{minhash: null}}
held_out: {{share: 5%, tokens_per_group: {{min: 1k, max: 100k}}, apart: {apart}}}
tokenizer: {{base: {tokenizer}, chat_template: chat.jinja}}
mixtures:
  stage1: {{tokens: 40k, sequence_length: 1024, weights: {{web: 80, chats: 20}}}}
"""
TEMPLATE = """\
{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}\
{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}
{% endfor %}"""


def paragraph(rng: random.Random, words: int) -> str:
    """A paragraph of words that nobody else has."""
    made = ["".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(words)]
    return " ".join(made).capitalize() + "."


def write_sources(folder: Path, texts: list[str], chats: list[list[str]]) -> None:
    lines = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts)]
    (folder / "web.jsonl").write_text("\n".join(lines))
    roles = ("user", "assistant")
    lines = [
        json.dumps(
            {
                "id": str(number),
                "messages": [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)],
            }
        )
        for number, turns in enumerate(chats)
    ]
    (folder / "chats.jsonl").write_text("\n".join(lines))


def held_out(run: Path, source: str) -> list[int]:
    tables = [pq.read_table(path) for path in sorted(run.glob(f"stages/select-documents-*/{source}/*.parquet"))]
    ids = [doc_id for table in tables for doc_id in table.filter(table["held_out"])["doc_id"].to_pylist()]
    return [int(doc_id.rpartition("/")[2]) for doc_id in ids]


def evaluated(run: Path) -> set[str]:
    return set(pq.read_table(run / "shards" / "held_out" / "segments.parquet")["doc_id"].to_pylist())
