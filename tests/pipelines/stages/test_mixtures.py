"""Mixtures of a run: groups by predicate, a stage inside another, questions about Stage 1 alone."""

import json
import random

import pyarrow.parquet as pq
import pytest

from tests.pipelines.corpus import document

RECIPE = """\
name: mixed
sources:
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{language: lang}}}}
  qa: {{reader: files, path: {corpus}/qa.jsonl}}
held_out: {{share: 5%}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1:
    tokens: 20k
    sequence_length: 256
    weights: {{english: 3, russian: 1}}
    groups: {{english: "domain = 'web' and language = 'en'", russian: "domain = 'web' and language = 'ru'"}}
  stage2:
    tokens: 8k
    sequence_length: 256
    include: {{stage1: 40}}
    weights: {{qa: 60}}
    qa_about: stage1
"""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, coupage, base_tokenizer):
    rng = random.Random(8)
    folder = tmp_path_factory.mktemp("mixed")
    web = [
        {"id": str(i), "lang": rng.choice(["en", "ru", "de"]), "text": document(rng, 16)} for i in range(400)
    ]
    qa = [{"id": f"q{i}", "parent_id": f"web/{i % 400}", "text": document(rng, 4)} for i in range(600)]
    for name, rows in (("web", web), ("qa", qa)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(corpus=folder, tokenizer=base_tokenizer))
    coupage("run", recipe, "--workdir", folder / "run")
    return folder / "run", {f"web/{row['id']}": row["lang"] for row in web}


def documents(run, stage):
    return set(pq.read_table(run / "shards" / stage / "segments.parquet")["doc_id"].to_pylist())


def test_tokens_are_counted_by_group_and_language(mixed):
    run, languages = mixed
    report = json.loads((run / "report.json").read_text())
    segments = pq.read_table(run / "shards" / "stage1" / "segments.parquet").to_pylist()
    found = {(row["group"], row["language"]): row for row in report["domains_languages"]["stage1"]}
    assert set(found) == {("english", "en"), ("russian", "ru")}
    for (_, language), row in found.items():
        of_language = [each for each in segments if languages[each["doc_id"]] == language]
        assert row["tokens"] == sum(each["tokens"] for each in of_language)
        assert row["documents"] == len({each["doc_id"] for each in of_language})


def test_groups_are_what_their_predicates_say(mixed):
    run, languages = mixed
    ledger = json.loads((run / "shards" / "stage1" / "ledger.json").read_text())
    built = {group["group"]: group["quota"]["built"] for group in ledger["groups"]}
    assert abs(built["english"] - 15_000) < 256 and abs(built["russian"] - 5_000) < 256
    assert {languages[doc_id] for doc_id in documents(run, "stage1")} == {"en", "ru"}


def test_an_included_stage_keeps_its_mix(mixed):
    run, _ = mixed
    ledger = json.loads((run / "shards" / "stage2" / "ledger.json").read_text())
    shares = {group["group"]: group["quota"]["asked_share"] for group in ledger["groups"]}
    assert shares == pytest.approx({"english": 0.3, "russian": 0.1, "qa": 0.6})


def test_questions_are_about_documents_of_stage1_and_the_others_are_counted(mixed):
    run, _ = mixed
    contained = documents(run, "stage1")
    asked = {doc_id for doc_id in documents(run, "stage2") if doc_id.startswith("qa/")}
    assert asked
    assert {f"web/{int(doc_id.removeprefix('qa/q')) % 400}" for doc_id in asked} <= contained
    report = json.loads((run / "report.json").read_text())
    (mix,) = (stage for stage in report["stages"] if stage["stage"] == "mix stage2")
    dropped = mix["counts"]["flows"]["documents"]["dropped"]
    (about,) = (row for row in dropped if row["what"] == "parent_unused")
    assert about["scope"] == "stage1" and about["number"] > 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("mixtures.stage1.groups.english=language = ", "cannot be evaluated"),
        ("mixtures.stage1.groups.russian=language in ('ru', 'en')", "are in both groups"),
        ("mixtures.stage1.qa_about=stage1", "`qa_about` is for the stages after stage1"),
        ("mixtures.stage1.include={stage2: 1}", "include"),
    ],
)
def test_mistakes_are_told(coupage, mixed, change, message):
    run, _ = mixed
    failed = coupage("run", run.parent / "recipe.yaml", "--workdir", run, "--set", change, code=2)
    assert message in failed.stderr and "Traceback" not in failed.stderr


CONVERSATIONS = """\
name: long
sources:
  chat: {{reader: files, path: {corpus}/chat.jsonl, messages: messages}}
dedup: {{minhash: null}}
held_out: {{share: 0%}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1:
    {{tokens: 2k, sequence_length: 256, unit: loss_tokens, on_shortage: repeat, overflow: {overflow},
      weights: {{chat: 1}}}}
"""


def test_a_conversation_longer_than_a_row_keeps_its_question_and_answer(tmp_path, coupage, base_tokenizer):
    from datasets import load_from_disk
    from transformers import PreTrainedTokenizerFast

    rng = random.Random(9)
    questions, answers = ([f"{kind} {n} {document(rng, 4)}" for n in range(8)] for kind in ("Why", "So"))
    passages = [document(rng, 60 if n % 2 else 4) for n in range(8)]
    with (tmp_path / "chat.jsonl").open("w") as file:
        for passage, question, answer in zip(passages, questions, answers, strict=True):
            asked = {"role": "user", "content": f"{passage}\n{question}"}
            messages = [asked, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"messages": messages}) + "\n")

    def built(overflow):
        recipe = tmp_path / f"{overflow}.yaml"
        recipe.write_text(CONVERSATIONS.format(corpus=tmp_path, tokenizer=base_tokenizer, overflow=overflow))
        run = tmp_path / overflow
        coupage("run", recipe, "--workdir", run)
        coupage("verify", run)
        (ledger,) = json.loads((run / "shards/stage1/ledger.json").read_text())["groups"]
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(base_tokenizer / "tokenizer.json"))
        rows = load_from_disk(str(run / "shards/stage1"))["input_ids"]
        return ledger, "\n".join(tokenizer.decode(list(row)) for row in rows)

    ledger, text = built("drop")
    assert (ledger["documents_dropped"], ledger["documents_shortened"]) == (4, 0)
    ledger, text = built("truncate_context")
    assert (ledger["documents_dropped"], ledger["documents_shortened"]) == (0, 4)
    assert all(
        question in text and answer in text for question, answer in zip(questions, answers, strict=True)
    )
    assert all((passage in text) == (n % 2 == 0) for n, passage in enumerate(passages))
