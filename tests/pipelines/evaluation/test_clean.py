"""Scores without the questions that were found in training data, through the real harness."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch

from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.harness import Harness, TaskScore
from pipelines.evaluation.hit_questions import HitQuestions
from pipelines.recipe.evaluate import HarnessTask
from tests.pipelines.evaluation.test_harness import likeliest, said
from tests.trainers.plain_models import write_llama

QUESTIONS = [f"Is {number} even?" for number in range(60)]
TASK = """\
task: {name}
tag: numbers
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
"""
CHOICE = """\
output_type: multiple_choice
doc_to_text: "{{question}} Answer:"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
SPOKEN = """\
output_type: generate_until
doc_to_text: "{{question}} Answer:"
doc_to_target: answer
generation_kwargs: {until: ["\\n"], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match}, {metric: chrf}]
filter_list:
- {name: whole, filter: [{function: take_first}]}
- {name: first, filter: [{function: regex, regex_pattern: "(.)"}, {function: take_first}]}
"""
TEXT = """\
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: question
metric_list: [{metric: byte_perplexity}]
"""
GROUP = """\
group: {name}
task: [few, many]
aggregate_metric_list: [{{metric: acc, weight_by_size: {weighted}}}]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PlainModel:
    return PlainModel.load(write_llama(tmp_path_factory.mktemp("model"), seed=3), dtype="float32")


@pytest.fixture(scope="module")
def items(model: PlainModel) -> list[dict]:
    """Choices are words by chance. The model says every third answer, and of every third the beginning."""
    rng = np.random.default_rng(5)
    return [
        {
            "question": question,
            "choices": ["".join(rng.choice(list("abcdefgh"), rng.integers(2, 6))) for _ in range(2)],
            "gold": int(rng.integers(2)),
            "answer": ["no way", own := said(model, f"{question} Answer:", 6), own + " and more"][number % 3],
        }
        for number, question in enumerate(QUESTIONS)
    ]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory, items: list[dict]) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    kinds = {"choice": CHOICE, "spoken": SPOKEN, "text": TEXT, "few": CHOICE, "many": CHOICE}
    for name, kind in kinds.items():
        some = items[:10] if name == "few" else items
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in some))
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, data=folder / f"{name}.jsonl") + kind)
    for name, weighted in {"pooled": True, "by_task": False}.items():
        (folder / f"{name}.yaml").write_text(GROUP.format(name=name, weighted=weighted))
    return folder


def hit(**numbers: list[int]) -> HitQuestions:
    return HitQuestions(
        frozenset(numbers),
        {(name, "test"): frozenset(some) for name, some in numbers.items()},
    )


def ask(model: PlainModel, tasks: Path, name: str, hits: HitQuestions, **asked: int) -> TaskScore:
    return Harness([tasks]).run(model, HarnessTask(task=name, **asked), 8, hits)


HIT = [0, 3, 6, 7, *range(30, 48)]
CLEAN = [number for number in range(60) if number not in HIT]


def test_means_are_of_the_questions_that_were_not_hit(model, tasks, items):
    found = ask(model, tasks, "choice", hit(choice=HIT))
    for metric, by_byte in (("acc", False), ("acc_norm", True)):
        right = np.array([likeliest(model, item, by_byte) == item["gold"] for item in items])
        assert found.metrics[metric] == pytest.approx(right.mean())
        share = right[CLEAN].mean()
        assert 0 < share < 1 and share != right.mean()
        assert found.clean.metrics[metric] == pytest.approx(share)
        error = math.sqrt(share * (1 - share) / (len(CLEAN) - 1))
        assert found.clean.errors[metric] == pytest.approx(error)
        low, high = found.clean.intervals[metric]
        assert (low + high) / 2 == pytest.approx(share - right.mean())
    assert (found.questions, found.hit, found.clean.questions) == (60, len(HIT), len(CLEAN))


def test_what_is_no_mean_is_aggregated_anew(model, tasks, items):
    found = ask(model, tasks, "spoken", hit(spoken=HIT))
    words = [said(model, f"{item['question']} Answer:", 6) for item in items]
    answers = [item["answer"] for item in items]
    for chain, answered in {"whole": words, "first": [word[:1] for word in words]}.items():
        for numbers, metrics in ((range(60), found.metrics), (CLEAN, found.clean.metrics)):
            said_these, right = [answered[n] for n in numbers], [answers[n] for n in numbers]
            chrf = sacrebleu.corpus_chrf(said_these, [right]).score
            assert metrics[f"chrf,{chain}"] == pytest.approx(chrf)
            same = np.mean([a == b for a, b in zip(said_these, right, strict=True)])
            assert metrics[f"exact_match,{chain}"] == pytest.approx(same)
    assert found.clean.metrics["chrf,whole"] != found.metrics["chrf,whole"]
    assert found.clean.errors["chrf,whole"] > 0
    assert set(found.clean.intervals) == {"exact_match,whole", "exact_match,first"}


def nats_after_begin(model: PlainModel, text: str) -> float:
    ids = torch.tensor([[model.tokenizer.eos_token_id, *model.encode(text)]])
    with torch.no_grad():
        logits = model.model(input_ids=ids).logits[0, :-1]
    return float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))


def test_perplexity_weighs_each_question_by_its_bytes(model, tasks, items):
    found = ask(model, tasks, "text", hit(text=HIT))
    questions = [item["question"] for item in items]
    nats = np.array([nats_after_begin(model, question) for question in questions])
    size = np.array([len(question) for question in questions])
    for numbers, metrics in ((range(60), found.metrics), (CLEAN, found.clean.metrics)):
        expected = math.exp(nats[numbers].sum() / size[numbers].sum())
        assert metrics["byte_perplexity"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["choice", "spoken", "text", "pooled", "by_task"])
def test_with_nothing_hit_the_clean_score_is_the_harness_s_own(model, tasks, name):
    found = ask(model, tasks, name, hit(**{name: []}))
    assert found.hit == 0 and found.metrics
    assert found.clean.metrics == found.metrics and found.clean.questions == found.questions
    bootstrapped = {metric for metric in found.errors if metric.startswith("chrf")}
    for metric in found.errors.keys() - bootstrapped:
        assert found.clean.errors[metric] == pytest.approx(found.errors[metric])
    plain = Harness([tasks]).run(model, HarnessTask(task=name))
    assert plain.metrics == found.metrics and plain.clean is plain.hit is None


def test_groups_weigh_their_tasks_by_clean_questions(model, tasks):
    hits = hit(pooled=[], few=[0, 1, 2], many=HIT)
    few, many = (ask(model, tasks, name, hits).clean for name in ("few", "many"))
    pooled, by_task = (ask(model, tasks, name, hits) for name in ("pooled", "by_task"))
    assert (few.questions, many.questions) == (7, len(CLEAN))
    weighted = (few.metrics["acc"] * 7 + many.metrics["acc"] * len(CLEAN)) / (7 + len(CLEAN))
    assert pooled.clean.metrics["acc"] == pytest.approx(weighted)
    assert by_task.clean.metrics["acc"] == pytest.approx((few.metrics["acc"] + many.metrics["acc"]) / 2)
    assert pooled.hit == by_task.hit == 3 + len(HIT)
    assert pooled.parts["few"].clean == few
    emptied = ask(model, tasks, "by_task", hit(few=list(range(10)), many=HIT))
    assert emptied.clean.metrics["acc"] == pytest.approx(many.metrics["acc"])
    assert emptied.parts["few"].clean.metrics == {} and emptied.parts["few"].clean.questions == 0


def test_only_what_was_looked_for_has_a_clean_score(model, tasks):
    """Of a tag each task by itself; a group only where all its tasks were looked for."""
    group = ask(model, tasks, "pooled", hit(few=[1]), limit=4)
    assert group.clean is group.hit is group.parts["many"].clean is None
    assert group.parts["few"].clean.questions == 3
    tag = ask(model, tasks, "numbers", hit(numbers=[], choice=[1, 5]), limit=4)
    assert not tag.metrics and {name: part.hit for name, part in tag.parts.items()} == {
        "choice": 1,  # the other lies beyond the limit
        "few": 0,
        "many": 0,
        "spoken": 0,
        "text": 0,
    }


def test_only_the_split_that_is_asked_counts_and_its_questions_must_be_there(model, tasks):
    train = HitQuestions(frozenset(["few"]), {("few", "train"): frozenset([1, 2, 3000])})
    assert ask(model, tasks, "few", train, limit=4).hit == 0
    with pytest.raises(ValueError, match=r"another version of few.*test/10.*only 10"):
        ask(model, tasks, "few", hit(few=[10]))


def test_a_few_hits_have_no_interval(model, tasks):
    found = ask(model, tasks, "choice", hit(choice=[1, 2, 3]))
    assert found.clean.questions == 57 and found.clean.intervals == {"acc": None, "acc_norm": None}
