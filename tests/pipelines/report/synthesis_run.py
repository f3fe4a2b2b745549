"""A small run whose questions a model on the loopback interface writes, hostile text among them."""

import json
import random
import re
from pathlib import Path

from tests.pipelines.corpus import document
from tests.pipelines.sources.model_server import Reply, Request

HOSTILE = "<script>alert('x')</script> {{ 7 * 7 }} | **bold** \x1b[2J </details></table>"
MODEL = "owner/<i>model</i>"
INPUT, OUTPUT = 300, 40
"""Tokens of each call, as the server says."""
PASSAGE = re.compile(r"<passage>\n(.*?)\n</passage>", re.DOTALL)

RECIPE = """\
name: told
sources:
  prose: {{reader: files, path: {folder}/prose.jsonl, fields: {{id: id}}}}
  law: {{reader: files, path: {folder}/law.jsonl, fields: {{id: id}}}}
dedup: {{minhash: null}}
held_out: {{share: 5%, tokens_per_group: 3k}}
synthesize:
  endpoint: {{base_url: "{url}", model: "{model}", price: {{input: 10, output: 20}}}}
  questions:
    method: qa
    domains: [law]
    kinds: [factual]
    per_passage: 1
    tokens: 200k
    checks: {{min_words: 2, language: false, grounded_words: null}}
tokenizer: {{train: {{vocabulary_size: 700}}}}
mixtures:
  stage1: {{tokens: 20k, sequence_length: 256, weights: {{prose: 50, law: 50}}}}
  stage2: {{tokens: 6k, sequence_length: 256, weights: {{questions: 50, law: 50}}}}
train:
  model: {{hidden_size: 32, layers: 2, heads: 2, kv_heads: 1, intermediate_size: 64}}
  stage1: {{rows_per_step: 8, max_steps: 4}}
  stage2: {{rows_per_step: 2, evaluate_every: 3}}
"""


def answer(request: Request) -> Reply:
    """Two questions about the passage: one to be kept, one to be rejected."""
    (passage,) = PASSAGE.findall(request.body["messages"][-1]["content"])
    words = passage.split()
    questions = [
        {
            "question": f"What comes after {' '.join(words[:6])}?",
            "answer": f"{' '.join(words[6:12])} {HOSTILE}",
        },
        {"question": f"What comes before {' '.join(words[-6:])}?", "answer": "word"},
    ]
    message = {"role": "assistant", "content": json.dumps({"questions": questions})}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}
    body = {"object": "chat.completion", "choices": [choice], "usage": usage}
    return Reply(body=json.dumps(body).encode())


def write_recipe(path: Path, url: str) -> None:
    """The recipe and its documents."""
    folder = path.parent
    rng = random.Random(5)
    for name, number in (("prose", 100), ("law", 80)):
        rows = [{"id": str(i), "text": f"{document(rng, 16)}\n{HOSTILE}"} for i in range(number)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path.write_text(RECIPE.format(folder=folder, url=url, model=MODEL))
