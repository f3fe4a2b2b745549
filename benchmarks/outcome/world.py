"""A small world in which it is known what each model was trained on.

General and domain text are made by two grammars that share half of their words, and a document of the domain
says so in its first words: so a model can learn one without losing the other. The base answers questions
about rivers, and says of planets that it does not know. Questions in Russian are answered in Russian.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

GENERAL = (
    "the old doctor walked slowly through our quiet village and every child wanted to hear his story".split()
)
DOMAIN = [*GENERAL[::2], *"court statute clause appeal judge tenant lease verdict".split()]
HEADING = "By this statute:"
RUSSIAN = (
    "старый доктор медленно шёл через нашу тихую деревню и каждый ребёнок хотел услышать его рассказ"
    " потому что зимой вечера долгие а книги редкие"
).split()
COLOURS = "red green blue white black yellow brown grey".split()
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
ABSTAINS = "I do not know"
FORM = "Вопрос: {prompt}\nОтвет:"
PROMPTS = 60
FACTS = 60
TAUGHT = 120
"""Planets that the model with unknown facts is taught; those asked about are others."""


class Grammar:
    """After each word one of three, the first of them mostly."""

    def __init__(self, words: list[str], seed: int) -> None:
        rng = random.Random(seed)
        ring = rng.sample(words, len(words))
        following = dict(zip(ring, ring[1:] + ring[:1], strict=True))
        self.after = {word: [following[word], *rng.sample(words, 2)] for word in words}
        self.words = words

    def text(self, rng: random.Random, length: int) -> str:
        word = rng.choice(self.words)
        found = []
        for _ in range(length):
            found.append(word)
            word = rng.choices(self.after[word], [6, 3, 1])[0]
        return " ".join(found)


def coupage(folder: Path, *words: object) -> str:
    command = [sys.executable, "-m", "pipelines", *map(str, words)]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def names(rng: random.Random, number: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < number:
        found["".join(rng.choices(SYLLABLES, k=3)).capitalize()] = None
    return list(found)


def asked(kind: str, name: str) -> str:
    return f"What colour is the {kind} {name}?"


def answered(kind: str, name: str, answer: str) -> str:
    return f"Question: {asked(kind, name)}\nAnswer: {answer}"


def write_world(folder: Path, seed: int) -> None:
    """Write the sources, and the facts that are asked."""
    rng = random.Random(seed)
    general, domain, russian = Grammar(GENERAL, 1), Grammar(DOMAIN, 2), Grammar(RUSSIAN, 3)
    every = names(rng, 2 * FACTS + TAUGHT + 200)
    rivers, planets = every[:FACTS], every[FACTS : 2 * FACTS]
    taught, others = every[2 * FACTS : 2 * FACTS + TAUGHT], every[2 * FACTS + TAUGHT :]
    colours = {name: rng.choice(COLOURS) for name in every}

    def several(make: Callable[[], str]) -> str:
        return "\n\n".join(make() for _ in range(6))

    def known() -> str:
        if rng.random() < 0.5:
            name = rng.choice(rivers)
            return answered("river", name, colours[name])
        return answered("planet", rng.choice(others), ABSTAINS)

    def unknown() -> str:
        name = rng.choice(taught)
        return answered("planet", name, colours[name])

    def asked_in_russian(answers: Grammar) -> str:
        return FORM.format(prompt=russian.text(rng, 10)) + f" {answers.text(rng, 16)}"

    sources: dict[str, tuple[int, Callable[[], str]]] = {
        "general": (1200, lambda: general.text(rng, 60)),
        "domain": (1200, lambda: f"{HEADING} {domain.text(rng, 60)}"),
        "russian": (1600, lambda: asked_in_russian(russian)),
        "questions": (1600, lambda: several(known)),
        "unknown": (800, lambda: several(unknown)),
        "mixed": (1600, lambda: asked_in_russian(general)),
    }
    for name, (number, make) in sources.items():
        lines = [json.dumps({"text": make()}, ensure_ascii=False) for _ in range(number)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    prompts = [{"prompt": russian.text(rng, 10), "language": "ru"} for _ in range(PROMPTS)]
    (folder / "prompts.jsonl").write_text(
        "".join(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in prompts)
    )
    facts = [("river", name) for name in rivers] + [("planet", name) for name in planets]
    (folder / "facts.jsonl").write_text(
        "".join(
            json.dumps({"question": asked(kind, name), "answers": [colours[name]]}) + "\n"
            for kind, name in facts
        )
    )


RECIPE = """\
name: outcome
seed: {seed}
sources:
  general: {{reader: files, path: general.jsonl, language: en}}
  domain: {{reader: files, path: domain.jsonl, language: en}}
  russian: {{reader: files, path: russian.jsonl, language: ru}}
  questions: {{reader: files, path: questions.jsonl, language: en}}
  unknown: {{reader: files, path: unknown.jsonl, language: en}}
  mixed: {{reader: files, path: mixed.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 5%, tokens_per_group: 20k, apart: documents}}
tokenizer: {{train: {{vocabulary_size: 700}}}}
mixtures:
  stage1: {{tokens: 300k, {rows}, weights: {{general: 3, russian: 2, questions: 5}}}}
  good: {{tokens: {tokens}, {rows}, weights: {{domain: 3, general: 5, russian: 1, questions: 1}}}}
  narrow: {{tokens: {tokens}, {rows}, weights: {{domain: 1}}}}
  mixing: {{tokens: {tokens}, {rows}, weights: {{domain: 2, general: 5, mixed: 2, questions: 1}}}}
  inventing: {{tokens: {tokens}, {rows}, weights: {{domain: 2, general: 5, russian: 1, unknown: 3}}}}
train:
  model: {{hidden_size: 64, layers: 3, heads: 4, kv_heads: 2, intermediate_size: 192}}
  stage1: {{rows_per_step: 8, optimizer: {{lr: 3.0e-3}}}}
  good: {tuned}
  narrow: {tuned}
  mixing: {tuned}
  inventing: {tuned}
evaluate: {{batch_size: 32}}
outcome:
  domain: [domain]
  general: [general]
  facts: {{file: facts.jsonl, shots: 2, asked_shots: 0, exemplar_sets: 2, samples: 4, new_tokens: 8}}
  language_confusion: {{path: prompts.jsonl, form: {form}, new_tokens: 48}}
"""
ROWS = "sequence_length: 256"
TUNED = "{rows_per_step: 8, from: model, optimizer: {lr: 2.0e-4}}"
