"""Tasks of one's own through the real harness, against a slow direct computation."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.harness import Harness
from pipelines.recipe.evaluate import HarnessTask
from tests.trainers.plain_models import write_llama

ITEMS = [
    {"question": f"Is {number} even?", "choices": ["yes", "no way"], "gold": number % 2}
    for number in range(9)
]
TASK = """\
task: {name}
tag: numbers
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{question}}}} Answer:"
"""
CHOICE = """\
doc_to_choice: choices
doc_to_target: gold
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
GENERATE = """\
doc_to_target: "{{choices[gold]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    data = folder / "items.jsonl"
    data.write_text("".join(json.dumps(item) + "\n" for item in ITEMS))
    choice = TASK.format(name="parity", data=data, kind="multiple_choice") + CHOICE
    (folder / "parity.yaml").write_text(choice)
    (folder / "parity_zero.yaml").write_text(choice.replace(": parity", ": parity_zero") + "num_fewshot: 0\n")
    spoken = TASK.format(name="parity_said", data=data, kind="generate_until") + GENERATE
    (folder / "parity_said.yaml").write_text(spoken)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PlainModel:
    return PlainModel.load(write_llama(tmp_path_factory.mktemp("model"), seed=3), dtype="float32")


def log_likelihood(model: PlainModel, text: str, continuation: str) -> float:
    ids = torch.tensor([[*model.encode(text), *model.encode(continuation)]])
    with torch.no_grad():
        scores = model.model(input_ids=ids).logits[0].log_softmax(-1)
    start = len(model.encode(text))
    return sum(float(scores[place - 1, ids[0, place]]) for place in range(start, ids.shape[1]))


def likeliest(model: PlainModel, item: dict[str, object], by_byte: bool) -> int:
    scores = [
        log_likelihood(model, f"{item['question']} Answer:", f" {choice}") / (len(choice) if by_byte else 1)
        for choice in item["choices"]
    ]
    return scores.index(max(scores))


def said(model: PlainModel, text: str, tokens: int) -> str:
    ids = torch.tensor([model.encode(text)])
    for _ in range(tokens):
        with torch.no_grad():
            following = model.model(input_ids=ids).logits[0, -1].argmax()
        ids = torch.cat([ids, following.view(1, 1)], dim=1)
    return model.decode(ids[0, -tokens:].tolist())


def test_choices_are_scored_as_if_directly(model: PlainModel, tasks: Path) -> None:
    found = Harness([tasks]).run(model, HarnessTask(task="parity"), batch_size=4)
    for metric, by_byte in (("acc", False), ("acc_norm", True)):
        right = [likeliest(model, item, by_byte) == item["gold"] for item in ITEMS]
        assert found.metrics[metric] == pytest.approx(sum(right) / len(ITEMS))
    share = found.metrics["acc"]
    assert found.errors["acc"] == pytest.approx(math.sqrt(share * (1 - share) / (len(ITEMS) - 1)))
    assert (found.questions, found.num_fewshot) == (len(ITEMS), 0)


def test_generations_are_matched_as_if_directly(model: PlainModel, tasks: Path) -> None:
    # With the model's own words as the answers of some items, exact matches occur.
    words = [said(model, f"{item['question']} Answer:", 6) for item in ITEMS]
    items = [
        {**item, "choices": [words[number]] * 2 if number % 3 else item["choices"]}
        for number, item in enumerate(ITEMS)
    ]
    (tasks / "said.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    own = (tasks / "parity_said.yaml").read_text().replace("items.jsonl", "said.jsonl")
    (tasks / "own.yaml").write_text(own.replace(": parity_said", ": own_words"))
    found = Harness([tasks]).run(model, HarnessTask(task="own_words"))
    right = [item["choices"][item["gold"]] == word for item, word in zip(items, words, strict=True)]
    assert found.metrics["exact_match"] == pytest.approx(sum(right) / len(items))
    assert 0 < sum(right) < len(items)


class Words:
    """Before each question its own words, once more; of these the questions are kept."""

    def __init__(self, times: int) -> None:
        self.times, self.questions = times, []

    def before(self, questions: Sequence[str]) -> list[str]:
        self.questions += questions
        return [f"{question} " * self.times for question in questions]


def test_a_context_is_read_before_each_question(model: PlainModel, tasks: Path) -> None:
    # The right choices are what the model says behind the context, the wrong ones what it says without.
    asked = [f"{item['question']} Answer: " for item in ITEMS]
    choices = [[said(model, text * 2, 6), said(model, text, 6)] for text in asked]
    items = [{**item, "choices": two, "gold": 0} for item, two in zip(ITEMS, choices, strict=True)]
    (tasks / "read.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    own = (tasks / "parity.yaml").read_text().replace("items.jsonl", "read.jsonl")
    (tasks / "read.yaml").write_text(own.replace(": parity", ": read_before"))
    context = Words(1)
    found = Harness([tasks]).run(model, HarnessTask(task="read_before"), batch_size=4, context=context)
    assert found.metrics["acc"] == 1
    assert context.questions == [text.rstrip() for text in asked]
    assert asdict(found.context) == {"requests": 18, "nothing_found": 0, "shortened": 0, "left_out": 0}
    assert Harness([tasks]).run(model, HarnessTask(task="read_before")).metrics["acc"] == 0


def test_examples_are_no_question_and_what_is_too_long_is_cut(model: PlainModel, tasks: Path) -> None:
    context = Words(60)  # 1,200 tokens and more
    words = [
        said(model, (f"{item['question']} Answer: " * 60 + f"{item['question']} Answer:")[-1018:], 6)
        for item in ITEMS[:3]
    ]
    items = [{**item, "choices": [word] * 2} for item, word in zip(ITEMS, words, strict=False)]
    (tasks / "long.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    own = (tasks / "parity_said.yaml").read_text().replace("items.jsonl", "long.jsonl")
    (tasks / "long.yaml").write_text(own.replace(": parity_said", ": long_context"))
    found = Harness([tasks]).run(model, HarnessTask(task="long_context"), context=context)
    assert found.metrics["exact_match"] == 1
    assert asdict(found.context) == {"requests": 3, "nothing_found": 0, "shortened": 3, "left_out": 0}
    few = Words(1)
    Harness([tasks]).run(model, HarnessTask(task="long_context", num_fewshot=2), context=few)
    assert few.questions == context.questions


def test_few_shot_and_limit_count_and_a_tag_has_parts(model: PlainModel, tasks: Path) -> None:
    harness = Harness([tasks])
    two_shot = harness.run(model, HarnessTask(task="parity", num_fewshot=2, limit=4))
    assert (two_shot.num_fewshot, two_shot.questions) == (2, 4)
    assert harness.run(model, HarnessTask(task="parity_zero", num_fewshot=2)).num_fewshot == 0
    tag = harness.run(model, HarnessTask(task="numbers", limit=3))
    assert set(tag.parts) >= {"parity", "parity_zero", "parity_said"}
    assert tag.parts["parity"].questions == 3 and not tag.metrics


def test_unknown_tasks_are_named_with_their_neighbours(model: PlainModel, tasks: Path) -> None:
    with pytest.raises(ValueError, match=r"no task `paritty`.*parity"):
        Harness([tasks]).run(model, HarnessTask(task="paritty"))
    with pytest.raises(ValueError, match="not a folder"):
        Harness([tasks / "gone"])


@pytest.mark.parametrize(
    "name",
    [
        "libra",
        "libra_simple_information_retrieval",
        "libra_question_answering_and_multiple_choice",
        "libra_multi_hop_question_answering",
        "libra_complex_reasoning_and_mathematical_problems",
        "ru_babilong_qa1",
    ],
)
def test_libra_is_there(name: str) -> None:
    Harness().require(name)


def test_a_metric_of_several_values_is_one_of_each(model: PlainModel, tasks: Path) -> None:
    """LIBRA's tasks give a score by length of text, through a function of their own."""
    (tasks / "by_kind.py").write_text(
        "def process(doc, results):\n"
        "    return {'kind_score': {'kind': doc['gold'], 'said': len(results[0]) > 0}}\n"
        "def aggregate(items):\n"
        "    of = lambda kind: [item['said'] for item in items if item['kind'] == kind]\n"
        "    return {f'{kind}p': sum(of(kind)) / len(of(kind)) for kind in (0, 1)}\n"
    )
    spoken = (tasks / "parity_said.yaml").read_text().split("metric_list")[0]
    (tasks / "by_kind.yaml").write_text(
        spoken.replace(": parity_said", ": by_kind").replace("tag: numbers\n", "")
        + "process_results: !function by_kind.process\n"
        + "metric_list: [{metric: kind_score, aggregation: !function by_kind.aggregate}]\n"
    )
    found = Harness([tasks]).run(model, HarnessTask(task="by_kind"), batch_size=8)
    assert found.metrics == {"kind_score.0p": 1, "kind_score.1p": 1} and not found.errors
