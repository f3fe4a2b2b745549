"""MERA's questions asked in its words, and scored by values that its definitions give by hand."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import UserError
from pipelines.evaluation.mera.ask import answer_of, ask_mera, prompts_of
from pipelines.evaluation.mera.data import read_mera
from pipelines.evaluation.mera.metrics import exact_span, exam_points, f1_span, macro_f1, matthews
from pipelines.evaluation.mera.score import score_mera
from pipelines.evaluation.mera.tasks import TASKS
from pipelines.recipe.mera import Mera
from tests.pipelines.evaluation.mera_data import MAKERS, Canned, write_mera, write_split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mera(tmp_path_factory.mktemp("mera"))


def prompts(folder: Path, task: str, seed: int = 17, **more: object) -> list[str]:
    (data,) = read_mera(Mera(data=str(folder), tasks=(task,), **more)).values()
    return prompts_of(data, seed)


def test_a_question_follows_its_examples_as_in_the_task_files(folder):
    """The first example has its instruction, the others and the question only their words."""
    example = lambda n: (  # noqa: E731
        f"Следует? П{n} -> Г{n}\nОтвет: {n % 3 + 1}\n\nСитуация: П0\nГипотеза: Г0\nОтвет:"
    )
    assert prompts(folder, "rcb")[0] in map(example, range(6))
    two = prompts(folder, "simplear")[3].split("\n\n")
    assert len(two) == 3 and two[2] == "3 + 1 ="
    assert two[0] in {f"Сложи\n{n} + 1 = {n + 1}" for n in range(6)}
    assert two[1] in {f"{n} + 1 = {n + 1}" for n in range(6)} and two[1] not in two[0]
    assert "фигурные {}.\n" not in prompts(folder, "bps")[0]
    assert 'Баланс "( ) {"? Есть фигурные {}. ' in prompts(folder, "bps")[0]


def test_a_question_without_examples_has_its_instruction(folder):
    assert prompts(folder, "multiq")[2] == "Текст 1: Т1\nТекст 2: Т2\nКак 2?\nОтвет:"
    assert prompts(folder, "rumodar")[5] == "Дано: 1 -> 2, 5 ->"
    assert prompts(folder, "ruethics")[1] == "Т1 мама я? Ответ:"


def test_examples_are_like_the_question_and_never_the_question(folder):
    for number, text in enumerate(prompts(folder, "rummlu", limit=4)):
        example, question = text.split("\n\n")
        assert question.startswith(f"Вопрос {number}?\nA) a{number}\n") and question.endswith("\nОтвет:")
        assert int(example.split()[1].rstrip("?")) % 2 == number % 2  # of the same domain
    for number, text in enumerate(prompts(folder, "ruhatespeech")):
        assert not text.startswith(f"Р{number} ") and f"Реплика: Р{number}\n" in text
    assert all(len(text.split("\n\n")) == 2 for text in prompts(folder, "use", limit=2))
    assert (
        prompts(folder, "rwsd", seed=1) == prompts(folder, "rwsd", seed=1) != prompts(folder, "rwsd", seed=2)
    )


def test_a_dialogue_goes_on_after_the_models_own_answers(folder):
    model = Canned(lambda prompt: f" {1 + prompt.count('Ответ: 1')}. Да\n1")
    config = Mera(data=str(folder), tasks=("rutie",))
    answers = ask_mera(model, read_mera(config), config, 4)["ruTiE"]
    assert answers == ["1", "2", "2"] * 2
    asked = "1. Две\n2. Шесть"
    assert model.asked[0] == f"Вам дан диалог.\n\nВопрос 0?\n{asked}\nКакой ответ?"
    assert model.asked[4] == (
        f"Вам дан диалог.\nВопрос 0?\n{asked}\nОтвет: 1\n\nВопрос 1?\n{asked}\nОтвет: 2\n\n"
        f"Вопрос 2?\n{asked}\nКакой ответ?"
    )
    shorter = config.model_copy(update={"dialogue": 1})
    model = Canned(lambda prompt: "нет")
    assert ask_mera(model, read_mera(shorter), shorter, 4)["ruTiE"] == ["-1"] * 6
    assert model.asked[4].count("Ответ: -1") == 1 and "Вопрос 1?" in model.asked[4]


@pytest.mark.parametrize(
    ("task", "text", "answer"),
    [
        ("ruMMLU", " B, потому что A\nC", "B"),
        ("ruMMLU", " ABC\nB", "-1"),
        ("RWSD", " Ответ - Нет, не Да", "Нет"),
        ("LCS", " 12 или 3", "3"),
        ("BPS", "", "-1"),
        ("ruMultiAr", " -14\n2 * 3", "-14"),
        ("MultiQ", "  Городской думы ", "Городской думы "),
        ("ruDetox", " Ну ", "Ну"),
        ("USE", "1,3. Потому", "1,3"),
    ],
)
def test_an_answer_is_read_as_the_task_files_do(task, text, answer):
    assert answer_of(TASKS[task], text) == answer


def test_metrics_have_the_values_that_their_definitions_give():
    # F1 of class 1: 2 of 3 given and 2 of 3 right; of 2: 1 of 1 and 1 of 2; of -1, never right: 0.
    pairs = {("1", "1"): 2, ("2", "2"): 1, ("2", "1"): 1, ("1", "-1"): 1}
    assert macro_f1(pairs) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    # TP 3, TN 2, FP 1, FN 2: (3*2 - 1*2) / sqrt(4 * 5 * 3 * 4).
    binary = {("1", "1"): 3, ("0", "0"): 2, ("0", "1"): 1, ("1", "0"): 2}
    assert matthews(binary) == pytest.approx(4 / 240**0.5)
    assert matthews({("1", "1"): 3, ("0", "1"): 2}) == 0
    # Gorodkin's: 3 of 5 are right; right are 2 a, 2 b, 1 c, given 3 a, 1 b, 1 x.
    more = {("a", "a"): 2, ("b", "b"): 1, ("b", "a"): 1, ("c", "x"): 1}
    assert matthews(more) == pytest.approx((3 * 5 - (2 * 3 + 2 * 1)) / ((25 - 9) * (25 - 11)) ** 0.5)
    assert exact_span("The Эребус!", "эребус;вулкан") == 1
    assert f1_span("большой вулкан Эребус", "Эребус;вулкан Эребус") == pytest.approx(2 * 2 / (3 + 2))
    assert f1_span("", "!") == 1 and f1_span("", "Эребус") == 0
    assert exam_points("Слово 7!", "слово,слова", "5", "text") == 1
    assert exam_points("8,1,7,9", "8,1,9,7", "26", "matching") == 2
    assert exam_points("8,1,9", "8,1,9,7", "26", "matching") == 0
    assert exam_points("4,2", "2,4", "8_0", "multiple_choice_based_on_text") == 1
    # Question 16: right ones among the given, less what was given too many of.
    choices = "multiple_choice_independent_options"
    assert [exam_points(given, "1,3,5", "16", choices) for given in ("1,3,5", "1,3", "1,3,4,5")] == [3, 2, 2]
    assert exam_points("1,3", "1,3,5", "17", choices) == 0


def test_open_answers_are_scored_and_secret_ones_are_not(folder):
    config = Mera(data=str(folder))
    data = read_mera(config)
    right = {name: [str(question.output) for question in each.questions] for name, each in data.items()}
    right["ruEthics"] = [dict(question.output)["law"] for question in data["ruEthics"].questions]
    half = {name: [*answers[:3], "-1", "-1", "-1"] for name, answers in right.items()}
    found = score_mera(data, {"base": half, "tuned": right}).to_json()
    assert set(found["tasks"]) == {"BPS", "ruEthics", "ruHateSpeech", "ruHHH", "ruMMLU", "SimpleAr"}
    accuracy = found["tasks"]["ruMMLU"]["metrics"]["acc"]
    assert accuracy["scores"]["base"]["value"] == 0.5 and accuracy["scores"]["tuned"]["value"] == 1
    assert accuracy["differences"] == {"tuned": {"value": 0.5, "interval": None}}
    by_domain = found["tasks"]["ruMMLU"]["metrics"]
    assert by_domain["acc.anatomy"]["scores"]["base"]["value"] == pytest.approx(2 / 3)
    assert found["tasks"]["ruEthics"]["metrics"]["good.law"]["scores"]["tuned"]["value"] == 0  # no spread
    assert set(found["tasks"]["ruHHH"]["metrics"]) == {"acc", "acc.harmless", "acc.helpful", "acc.honest"}
    assert found == json.loads(json.dumps(found))


def test_training_questions_score_every_task(tmp_path):
    config = Mera(data=str(write_mera(tmp_path, count=8)), split="train", limit=5)
    data = read_mera(config)
    answers = ask_mera(Canned(lambda prompt: " 1,3" if "Задача" in prompt else " A"), data, config, 2)
    found = score_mera(data, {"base": answers}).tasks
    assert set(found) == {name for name in TASKS if name not in {"ruDetox", "ruCodeEval", "ruHumanEval"}}
    # Of the five letters the first and the fifth are A: F1 of A is 2*2/(2 + 5), of B, C and D 0.
    assert found["ruWorldTree"].metrics["f1_macro"].scores["base"].value == pytest.approx(4 / 7 / 4)
    # One variant: 0 of 1, 0 of 4, 0 of 1, 2 of 2 and 0 of 1 points.
    assert found["USE"].metrics["grade_norm"].scores["base"].value == pytest.approx(2 / 9)
    assert found["USE"].metrics["grade_norm.task16"].scores["base"].value == 1


def test_paired_scores_tell_a_better_model_whose_own_interval_does_not(tmp_path):
    write_split(tmp_path, "simplear", "test", [MAKERS["simplear"](number) for number in range(200)])
    write_split(tmp_path, "simplear", "train", [MAKERS["simplear"](number) for number in range(3)])
    data = read_mera(Mera(data=str(tmp_path)))
    answers = [question.output if n % 2 else "?" for n, question in enumerate(data["SimpleAr"].questions)]
    better = [
        question.output if n < 20 else answers[n] for n, question in enumerate(data["SimpleAr"].questions)
    ]
    scores = score_mera(data, {"base": {"SimpleAr": answers}, "tuned": {"SimpleAr": better}})
    metric = scores.tasks["SimpleAr"].metrics["em"]
    low, high = metric.differences["tuned"].interval
    assert metric.differences["tuned"].value == pytest.approx(0.05)
    assert 0 < low < 0.05 < high
    assert metric.scores["base"].interval[1] > metric.scores["tuned"].interval[0]


def test_parquet_files_are_read_as_well(folder, tmp_path):
    for split in ("test", "train"):
        (tmp_path / "rwsd").mkdir(exist_ok=True)
        table = pa.Table.from_pylist([MAKERS["rwsd"](number) for number in range(6)])
        pq.write_table(table, tmp_path / "rwsd" / f"{split}-00000-of-00001.parquet")
    assert prompts(tmp_path, "rwsd") == prompts(folder, "rwsd")


def test_an_instruction_is_filled_with_fields_and_nothing_else(tmp_path):
    record = {**MAKERS["ruhhh"](0), "instruction": "{query.__class__} {0} {query!r} {query}{{x}}"}
    write_split(tmp_path, "ruhhh", "test", [record])
    with pytest.raises(UserError, match="an instruction names `0`"):
        prompts(tmp_path, "ruhhh")
    record["instruction"] = "{query.__class__} {query!r} {query}"
    record["inputs"] = {**record["inputs"], "query": "{reply_1}"}
    write_split(tmp_path, "ruhhh", "test", [record])
    assert prompts(tmp_path, "ruhhh") == ["{query.__class__} {query!r} {reply_1}"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": 3}, "test.jsonl:2: no question of ruMMLU"),
        ({"instruction": None}, "test.jsonl:2: no question of ruMMLU: NoneType is no text"),
        ({"meta": {"id": 1}}, "test.jsonl:2: no question of ruMMLU: it lacks `domain`"),
        ({"meta": {"id": 0, "domain": "anatomy"}}, "two questions of `test` have the id 0"),
        ({"meta": {"id": 1, "domain": "law"}}, "ruMMLU has no 1 examples for its question 1"),
    ],
)
def test_a_record_that_is_no_question_is_named(tmp_path, change, said):
    records = [MAKERS["rummlu"](number) for number in range(3)]
    write_split(tmp_path, "rummlu", "train", records)
    records[1] = {**records[1], **change}
    write_split(tmp_path, "rummlu", "test", records)
    with pytest.raises(UserError, match=said):
        prompts(tmp_path, "rummlu")


def test_what_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(UserError, match=r"`rumlu` is not there\n.*There are: bps, chegeka"):
        read_mera(Mera(data=str(folder), tasks=("rumlu",)))
    with pytest.raises(UserError, match="no task of MERA"):
        read_mera(Mera(data=str(tmp_path)))
    (tmp_path / "rcb").mkdir()
    with pytest.raises(UserError, match=r"no test\.jsonl"):
        read_mera(Mera(data=str(tmp_path)))
    (tmp_path / "rcb" / "test.jsonl").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        read_mera(Mera(data=str(tmp_path)))
