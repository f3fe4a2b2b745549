"""Small corpora that the tests make for themselves, with known duplicates and known bad documents."""

import json
import random
from pathlib import Path

WORDS = """
the of and to a in is that it was for on are with as his they be at one have this from or had by hot
word but what some we can out other were all there when up use your how said an each she which do
their time if will way about many then them write would like so these her long make thing see him
two has look more day could go come river mountain engine kernel tensor doctor patient court statute
prime integral function return value memory
""".split()


def sentence(rng: random.Random) -> str:
    words = [rng.choice(WORDS) for _ in range(rng.randint(6, 18))]
    return " ".join(words).capitalize() + "."


def document(rng: random.Random, sentences: int) -> str:
    return "\n".join(" ".join(sentence(rng) for _ in range(4)) for _ in range(max(1, sentences // 4)))


def write_corpus(folder: Path, seed: int = 1, documents: int = 400) -> Path:
    """Web and law documents as JSON lines.

    Every tenth web document is an exact copy, every twentieth a near copy.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    web: list[str] = []
    for number in range(documents):
        if number % 10 == 9:
            web.append(web[number - 5])
        elif number % 20 == 3:
            web.append("A few words in front of it. " + web[number - 2])
        elif number % 25 == 12:
            web.append(sentence(rng))
        else:
            web.append(document(rng, rng.randint(12, 60)))
    law = [document(rng, rng.randint(12, 60)) for _ in range(documents // 2)]
    for name, texts in (("web", web), ("law", law)):
        lines = "".join(json.dumps({"id": f"{i}", "text": text}) + "\n" for i, text in enumerate(texts))
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


RECIPE = """\
name: small
seed: 3
sources:
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{id: id}}}}
  law: {{reader: files, path: {corpus}/law.jsonl, fields: {{id: id}}}}
part_size: 60k
curate:
  rules:
    - use: [gopher_quality]
      sources: [web]
held_out: {{share: 3%, tokens_per_group: 5k}}
tokenizer:
  {tokenizer}
mixtures:
  stage1:
    tokens: 60k
    sequence_length: 256
    weights: {{web: 70, law: 30}}
  stage2:
    tokens: 20k
    sequence_length: 256
    weights: {{web: 20, law: 80}}
train:
  model: {{hidden_size: 32, layers: 2, heads: 2, kv_heads: 1, intermediate_size: 64}}
  stage1: {{rows_per_step: 8}}
  stage2: {{rows_per_step: 8}}
"""


def write_recipe(path: Path, corpus: Path, tokenizer: str = "train: {vocabulary_size: 600}") -> Path:
    path.write_text(RECIPE.format(corpus=corpus, tokenizer=tokenizer))
    return path
