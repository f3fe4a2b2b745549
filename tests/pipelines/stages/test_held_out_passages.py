"""Held-out documents that share passages with training are not evaluated; nothing else changes."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.pipelines.commands.test_run import shard_bytes
from tests.pipelines.conftest import command, environment

RECIPE = """\
name: apart
sources:
  web: {{reader: files, path: web.jsonl, fields: {{id: id}}}}
  chats: {{reader: files, path: chats.jsonl, fields: {{id: id}}, messages: messages}}
part_size: 50k
dedup: {{minhash: null}}
held_out: {{share: 10%, tokens_per_group: {{min: 0, max: 100k}}, apart: {apart}}}
tokenizer: {{base: {tokenizer}, chat_template: chat.jinja}}
mixtures:
  stage1: {{tokens: 20k, sequence_length: 1024, weights: {{web: 80, chats: 20}}}}
"""
TEMPLATE = """\
{% for m in messages %}<<{{ m.role }}>>
{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}
{% else %}{{ m.content }}{% endif %}{% endfor %}"""
WORDS = 60


def words(rng: random.Random, number: int) -> str:
    """A paragraph of words that no other one has."""
    return " ".join("".join(rng.choices("abcdefghijklmnoprtuv", k=6)) for _ in range(number)) + "."


@dataclass
class Corpus:
    """Texts of paragraphs, and conversations; the first of each source are held out."""

    web: list[list[str]]
    chats: list[list[str]]

    def write(self, folder: Path, tokenizer: Path) -> None:
        web = ({"id": f"{n}", "text": "\n".join(text)} for n, text in enumerate(self.web))
        chats = ({"id": f"{n}", "messages": _messages(turns)} for n, turns in enumerate(self.chats))
        for name, rows in (("web", web), ("chats", chats)):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "chat.jinja").write_text(TEMPLATE)
        shutil.copytree(tokenizer, folder / "base", dirs_exist_ok=True)
        for apart in ("passages", "documents"):
            recipe = RECIPE.format(tokenizer="base", apart=apart)
            (folder / f"{apart}.yaml").write_text(recipe)


def _messages(turns: list[str]) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": turn} for n, turn in enumerate(turns)]


def held_out(run: Path, source: str) -> list[int]:
    found = []
    for path in sorted(run.glob(f"stages/select-documents-*/{source}/*.parquet")):
        table = pq.read_table(path)
        found += [
            int(doc_id.rpartition("/")[2]) for doc_id in table.filter(table["held_out"])["doc_id"].to_pylist()
        ]
    return found


def evaluated(run: Path) -> set[str]:
    return set(pq.read_table(run / "shards" / "held_out" / "segments.parquet")["doc_id"].to_pylist())


@dataclass
class Planted:
    """Runs of a corpus in whose training documents there are passages of held-out ones."""

    folder: Path
    leaving: set[str]
    staying: set[str]

    def run(self, name: str) -> Path:
        return self.folder / name

    def apart(self, name: str) -> Path:
        (found,) = (self.folder / "passages" / "stages").glob("apart-held_out-*")
        return found / name


@pytest.fixture(scope="module")
def planted(tmp_path_factory, coupage, base_tokenizer):
    folder = tmp_path_factory.mktemp("apart")
    rng = random.Random(5)
    web = [[words(rng, WORDS) for _ in range(4 + 6 * (number % 2))] for number in range(150)]
    chats = [[words(rng, 12), words(rng, WORDS)] for _ in range(60)]
    corpus = Corpus(web, chats)

    def draw() -> tuple[list[int], list[int]]:
        corpus.write(folder, base_tokenizer)
        run = folder / "draw"
        shutil.rmtree(run, ignore_errors=True)
        coupage("run", folder / "passages.yaml", "--workdir", run, "--until", "select", cwd=folder)
        return held_out(run, "web"), held_out(run, "chats")

    drawn = draw()
    short, long = ([n for n in drawn[0] if len(web[n]) == paragraphs] for paragraphs in (4, 10))
    trained = iter([n for n in range(150) if n not in drawn[0]])
    trained_chats = [n for n in range(60) if n not in drawn[1]]

    def plant(passage: str, documents: int = 1) -> None:
        for _ in range(documents):
            web[next(trained)].append(passage)

    plant(web[short[0]][1])
    chats[trained_chats[0]][1] += "\n\n" + web[short[1]][2]
    plant(web[short[2]][0], documents=10)
    edited = web[short[3]][3].split()
    plant(" ".join("another" if place % 8 == 5 else word for place, word in enumerate(edited)))
    plant(chats[drawn[1][0]][1])
    plant(web[short[4]][0], documents=11)
    plant(" ".join(web[short[5]][1].split()[10:25]))
    plant(web[long[0]][4])
    while (now := draw()) != drawn:
        # The draw goes by content: a planted document that it meets now becomes another one.
        for number in set(now[0]) - set(drawn[0]):
            web[number].append(words(rng, 3))
        for number in set(now[1]) - set(drawn[1]):
            chats[number][1] += words(rng, 3)
    for apart in ("passages", "documents"):
        coupage("run", folder / f"{apart}.yaml", "--workdir", folder / apart, cwd=folder)
    leaving = {*(f"web/{number}" for number in short[:4]), f"chats/{drawn[1][0]}"}
    return Planted(folder, leaving, {f"web/{number}" for number in (*short[4:6], long[0])})


def test_a_held_out_document_leaves_of_which_a_passage_stands_in_training_and_only_it(planted):
    """In a text, in a conversation, in ten documents, with words changed; and a passage of a conversation."""
    everything = evaluated(planted.run("documents"))
    assert planted.leaving < everything and planted.staying < everything
    assert evaluated(planted.run("passages")) == everything - planted.leaving


def test_training_loses_nothing(planted):
    with_passages, without = (shard_bytes(planted.run(name)) for name in ("passages", "documents"))
    names = [name for name in without if name.startswith("stage1/data")]
    assert names and all(with_passages[name] == without[name] for name in names)


def test_words_and_documents_are_counted(planted):
    documents = {row["doc_id"]: row for row in pq.read_table(planted.apart("documents.parquet")).to_pylist()}
    assert {doc_id for doc_id, row in documents.items() if row["known"]} == planted.leaving
    for doc_id in planted.leaving:
        # Of a conversation the short question goes with its answer.
        counted = (72, 72) if doc_id.startswith("chats") else (4 * WORDS, WORDS)
        assert (documents[doc_id]["words"], documents[doc_id]["known_words"]) == counted, doc_id
    assert sorted(documents[doc_id]["known_words"] for doc_id in planted.staying) == [0, 0, WORDS]
    passages = pq.read_table(planted.apart("passages.parquet")).to_pylist()
    counted = sorted((row["training_documents"], row["common"]) for row in passages)
    assert counted == [(1, False)] * 5 + [(10, False), (11, True)]


def test_how_many_leave_is_said_by_group(planted, coupage):
    run = planted.run("passages")
    ledger = json.loads((run / "shards" / "held_out" / "ledger.json").read_text())
    everything = evaluated(planted.run("documents"))
    total = sum(doc_id.startswith("web/") for doc_id in everything)
    said = f"web: 4 of {total} held-out documents share passages with training documents"
    assert any(sentence.startswith(said) for sentence in ledger["constraints"])
    for name in ("report.html", "README.md", "report.json"):
        assert said in (run / name).read_text()
    coupage("verify", run)


def test_inspect_says_why_a_held_out_document_is_not_evaluated(planted, coupage):
    found = coupage("inspect", planted.run("passages"), "--held-out", "-n", 100, "--json").stdout
    why = {row["doc_id"]: row["why"] for row in json.loads(found) if row["why"]}
    assert why.keys() == planted.leaving
    said = re.compile(r"not evaluated: \d+ of its \d+ words stand in training, as in (web|chats)/\d+")
    assert all(said.fullmatch(each) for each in why.values())


def test_what_all_have_leaves_the_evaluation_as_it_is(tmp_path, coupage, base_tokenizer):
    """A notice of the site is most of each document, and in some it is shorter."""
    rng = random.Random(6)
    notice = words(rng, 2 * WORDS)
    web = [[words(rng, WORDS), notice if n % 3 else notice[:-80]] for n in range(150)]
    Corpus(web, [[words(rng, 12), words(rng, WORDS)] for _ in range(60)]).write(tmp_path, base_tokenizer)
    for apart in ("passages", "documents"):
        coupage("run", tmp_path / f"{apart}.yaml", "--workdir", tmp_path / apart, cwd=tmp_path)
    assert len(evaluated(tmp_path / "passages")) > 10
    assert evaluated(tmp_path / "passages") == evaluated(tmp_path / "documents")


def test_where_all_are_known_nothing_is_evaluated_and_that_is_said(tmp_path, coupage, base_tokenizer):
    """Each text and conversation has what the one before it has."""
    rng = random.Random(8)
    passages = [words(rng, WORDS) for _ in range(151)]
    answers = [words(rng, WORDS) for _ in range(30)]
    web = [passages[n : n + 2] for n in range(150)]
    Corpus(web, [[words(rng, 12), answers[n // 2]] for n in range(60)]).write(tmp_path, base_tokenizer)
    coupage("run", tmp_path / "passages.yaml", "--workdir", tmp_path / "run", cwd=tmp_path)
    ledger = json.loads((tmp_path / "run" / "shards" / "held_out" / "ledger.json").read_text())
    assert ledger["rows"] == 0
    said = " ".join(ledger["constraints"])
    for group in ("web", "chats"):
        (number,) = re.findall(rf"{group}: (\d+) of \1 held-out documents share passages", said)
        assert int(number) == len(held_out(tmp_path / "run", group)) > 0
    coupage("verify", tmp_path / "run")


def test_a_killed_run_and_any_number_of_workers_give_the_same_bytes(planted, coupage):
    workdir = planted.folder / "killed"
    shutil.copytree(planted.folder / "passages", workdir, symlinks=True)
    for stage in ("training_passages-*", "apart-*", "mix-held_out-*", "shards-held_out-*"):
        for folder in (workdir / "stages").glob(stage):
            shutil.rmtree(folder)
    arguments = ("run", planted.folder / "passages.yaml", "--workdir", workdir, "--workers")
    running = subprocess.Popen(
        command(*arguments, 1),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd=planted.folder,
        start_new_session=True,
    )
    while running.poll() is None and not list(workdir.glob("stages/training_passages-*/receipts/*.json")):
        time.sleep(0.002)
    assert running.poll() is None, "the run ended before it was killed"
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    coupage(*arguments, 3, cwd=planted.folder)
    assert shard_bytes(workdir) == shard_bytes(planted.run("passages"))
    for stage in ("held_out_passages", "training_passages", "apart"):
        of_killed, whole = (_files(run, stage) for run in (workdir, planted.run("passages")))
        assert whole and of_killed == whole
    coupage("verify", workdir)


def _files(run: Path, stage: str) -> dict[str, bytes]:
    paths = sorted((run / "stages").glob(f"{stage}-*/*.[ap]*"))
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths if path.name != "manifest.json"
    }


def test_nothing_is_looked_for_where_nothing_is_held_out(tmp_path, coupage, base_tokenizer):
    rng = random.Random(7)
    Corpus([[words(rng, WORDS)] for _ in range(60)], [[words(rng, 12), words(rng, WORDS)]] * 20).write(
        tmp_path, base_tokenizer
    )
    recipe = tmp_path / "passages.yaml"
    recipe.write_text(recipe.read_text().replace("share: 10%", "share: 0"))
    shown = coupage("plan", recipe, "--workdir", tmp_path / "run", "--json", cwd=tmp_path).stdout
    labels = [stage["label"] for stage in json.loads(shown)["stages"]]
    assert labels and not [label for label in labels if "passages" in label or label.startswith("apart")]
