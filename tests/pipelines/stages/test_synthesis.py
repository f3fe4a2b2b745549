"""Questions from docstrings: asked about Stage 1 alone, kept whole, trained on their answers alone."""

import json
import random

import datasets
import pyarrow.parquet as pq
import pytest

from tests.pipelines.corpus import document, sentence

FUNCTION = '''
def {name}_{number}(value, limit={number}):
    """{summary}

    {more}
    """
    return value + {number}
'''

RECIPE = """\
name: asked
sources:
  code: {{reader: files, path: {corpus}/code.jsonl}}
  prose: {{reader: files, path: {corpus}/prose.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 5%}}
synthesize:
  qa: {{method: docstrings, from: stage1, domains: [code]}}
tokenizer: {{train: {{vocabulary_size: 800}}}}
mixtures:
  stage1: {{tokens: 30k, sequence_length: 256, weights: {{code: 50, prose: 50}}}}
  stage2: {{tokens: 6k, sequence_length: 256, weights: {{qa: 50, prose: 50}}}}
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory, coupage):
    rng = random.Random(3)
    folder = tmp_path_factory.mktemp("asked")

    def function(number: int) -> str:
        words = {"summary": sentence(rng), "more": f"{sentence(rng)} {sentence(rng)}"}
        return FUNCTION.format(name=rng.choice(["add", "merge", "count"]), number=number, **words)

    code = [{"id": str(i), "text": "".join(function(10 * i + j) for j in range(4))} for i in range(120)]
    prose = [{"id": str(i), "text": document(rng, 12)} for i in range(200)]
    for name, rows in (("code", code), ("prose", prose)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE.format(corpus=folder))
    coupage("run", folder / "recipe.yaml", "--workdir", folder / "run")
    return folder / "run"


def parts(run, stage):
    return [pq.read_table(path) for path in sorted(run.glob(f"stages/{stage}-*/*.parquet"))]


def test_questions_have_parents_in_stage1_and_no_held_out_parent(asked):
    (questions,) = parts(asked, "synthesize-qa")
    parents = set(questions["parent_id"].to_pylist())
    stage1 = set(pq.read_table(asked / "shards" / "stage1" / "segments.parquet")["doc_id"].to_pylist())
    held_out = set(pq.read_table(asked / "shards" / "held_out" / "segments.parquet")["doc_id"].to_pylist())
    assert parents and parents <= stage1
    assert not parents & held_out


def test_a_question_is_evaluated_although_its_parent_is_trained_on(asked):
    """It repeats its parent on purpose."""
    verdicts = pq.read_table(next(asked.glob("stages/select-qa-*/qa/*.parquet")))
    held_out = set(verdicts.filter(verdicts["held_out"])["doc_id"].to_pylist())
    shown = set(pq.read_table(asked / "shards" / "held_out" / "segments.parquet")["doc_id"].to_pylist())
    assert held_out and held_out <= shown


def test_a_question_is_never_cut_and_only_its_answer_is_trained(asked):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(asked / "tokenizer"))
    rows = datasets.load_from_disk(str(asked / "shards" / "stage2")).filter(lambda row: row["group"] == "qa")
    assert len(rows) > 3
    for row in rows:
        start = 0
        assert len(row["assistant_masks"]) == len(row["input_ids"])
        for length in row["seq_lengths"]:
            ids, mask = (row[name][start : start + length] for name in ("input_ids", "assistant_masks"))
            learnt = tokenizer.decode([i for i, bears in zip(ids, mask, strict=True) if bears])
            assert tokenizer.decode(ids).startswith("<|im_start|>user")
            assert "<|im_start|>" not in learnt and learnt.count("<|im_end|>") == 1
            start += length
        assert start == len(row["input_ids"])


def test_the_ledger_counts_loss_tokens_of_questions(asked):
    ledger = json.loads((asked / "shards" / "stage2" / "ledger.json").read_text())
    rows = datasets.load_from_disk(str(asked / "shards" / "stage2"))
    (qa,) = (group for group in ledger["groups"] if group["group"] == "qa")
    assert qa["loss_tokens"] == sum(sum(mask) for mask in rows["assistant_masks"] if mask)
    assert abs(qa["quota"]["built"] - 3_000) < 256
