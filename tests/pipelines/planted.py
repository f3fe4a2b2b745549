"""A benchmark of thirty items and documents that have some of them, written by the tests themselves."""

import json
import random
from collections.abc import Iterable
from pathlib import Path

from tests.pipelines.corpus import document

NAMES = "Anna Boris Clara Dmitri Elena Felix Greta Hugo Irina Jonas".split()
THINGS = "apples pencils tickets marbles bottles candles stamps ribbons walnuts lanterns".split()
PLACES = "harbour meadow glacier orchard quarry".split()


def exam() -> list[dict[str, str]]:
    """Twenty items of a test split and ten to learn from, of which the last says the same as the first."""
    items = []
    for number in range(29):
        name, thing, place = NAMES[number % 10], THINGS[(7 * number + number // 10) % 10], PLACES[number % 5]
        had, sold = 11 + number, 3 + number % 5
        question = (
            f"{name} carries {had} {thing} across the frozen {place} and sells {sold} of them to a retired "
            f"clockmaker named Ambrose{number}. How many {thing} does {name} still carry home that evening?"
        )
        answer = f"{name} sells {sold} of {had} {thing}, so {had - sold} {thing} remain. #### {had - sold}"
        split = "train" if number >= 20 else "test"
        items.append({"id": f"q{number}", "question": question, "answer": answer, "split": split})
    return [*items, {**items[0], "id": "q29", "split": "train"}]


def with_answer(item: dict[str, str]) -> str:
    return f"{item['question']} {item['answer']}"


def inside(planted: str, rng: random.Random) -> str:
    """A document with something between its paragraphs."""
    return f"{document(rng, 20)}\n{planted}\n{document(rng, 20)}"


def write_records(path: Path, records: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def write_documents(path: Path, texts: Iterable[str]) -> Path:
    return write_records(path, ({"id": str(number), "text": text} for number, text in enumerate(texts)))


RECIPE = """\
name: planted
seed: 3
sources:
  web: {reader: files, path: web.jsonl, fields: {id: id}}
  law: {reader: files, path: law.jsonl, fields: {id: id}}
part_size: 60k
decontaminate:
%s
held_out: {share: 0}
tokenizer: {train: {vocabulary_size: 600}}
mixtures:
  stage1: {tokens: 5k, sequence_length: 256, weights: {web: 70, law: 30}}
"""
AGAINST = "  against: {exam: {path: exam.jsonl, id: id, split: split}}"


def write_recipe(folder: Path, decontaminate: str = AGAINST) -> Path:
    """A recipe that compares `web.jsonl` and `law.jsonl` with the benchmark."""
    path = folder / "planted.yaml"
    path.write_text(RECIPE % decontaminate)
    return path
