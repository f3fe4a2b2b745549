"""Questions in MERA's layout, by the dataset cards of its repository, and models with canned answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

Record = dict[str, object]


def _record(number: int, instruction: str, inputs: object, outputs: object, **meta: object) -> Record:
    return {"instruction": instruction, "inputs": inputs, "outputs": outputs, "meta": {"id": number, **meta}}


def _options(number: int, question: str) -> dict[str, str]:
    return {question: f"Вопрос {number}?", **{f"option_{letter}": f"{letter}{number}" for letter in "abcd"}}


CHOICE = "{text} A. {option_a} B. {option_b} C. {option_c} D. {option_d}\nОтвет:"
ASKED = CHOICE.replace("text", "question")
LETTERS, DOMAINS = "ABCD", ("anatomy", "virology")
USE_KINDS = (
    ("text", "слово,слова", 1),
    ("matching", "8,1,9,7", 4),
    ("multiple_choice_based_on_text", "2,4", 1),
    ("multiple_choice_independent_options", "1,3", 2),
)


def _use(number: int) -> Record:
    kind, answer, score = USE_KINDS[number % 4]
    task = {"text": "5", "matching": "26", "multiple_choice_based_on_text": "8_0"}.get(kind, "16")
    inputs = {"task": f"Задача {number}", "text": "Текст", "choices": "1) а", "additional_text": "Ещё"}
    more = {"id_task": task, "variant": number // 8, "score": score, "type": kind}
    return _record(number, "Решите: {task}\n{text}\nОтвет:", inputs, answer, **more)


def _dialogue(number: int) -> Record:
    inputs = {"question": f"Вопрос {number % 3}?", "choice1": "Две", "choice2": "Шесть"}
    meta = {"dialog_id": number // 3, "question_id": number % 3, "category": ["world"]}
    instruction = "Вам дан диалог.\n{context}\n{question}\n1. {choice1}\n2. {choice2}\nКакой ответ?"
    return {"instruction": instruction, "inputs": inputs, "outputs": str(number % 2 + 1), "meta": meta}


NORMS = ("virtue", "law", "moral", "justice", "utilitarianism")
MAKERS: dict[str, Callable[[int], Record]] = {
    "bps": lambda n: _record(n, 'Баланс "{inputs}"? Есть фигурные {}.', "( ) {", str(n % 2)),
    "chegeka": lambda n: _record(
        n, "Тема: {topic}\n{text}\nОтвет:", {"topic": "ГЕО", "text": f"Вопрос {n}"}, "Эребус;вулкан Эребус"
    ),
    "lcs": lambda n: _record(n, 'Длина для "{inputs}".\nОтвет:', f"ABC A{n}", str(n % 10)),
    "mamuramu": lambda n: _record(n, CHOICE, _options(n, "text"), LETTERS[n % 4], domain=DOMAINS[n % 2]),
    "mathlogicqa": lambda n: _record(n, CHOICE, _options(n, "text"), LETTERS[n % 4], task="math"),
    "multiq": lambda n: _record(
        n,
        "Текст 1: {support_text}\nТекст 2: {text}\n{question}\nОтвет:",
        {"text": "Т2", "support_text": "Т1", "question": f"Как {n}?"},
        "Городской думы",
        bridge_answers="Горький",
    ),
    "parus": lambda n: _record(
        n,
        "Причина? {premise} 1: {choice1} 2: {choice2}",
        {"premise": f"П{n}", "choice1": "а", "choice2": "б"},
        "1",
    ),
    "rcb": lambda n: _record(
        n, "Следует? {premise} -> {hypothesis}", {"premise": f"П{n}", "hypothesis": f"Г{n}"}, str(n % 3 + 1)
    ),
    "rucodeeval": lambda n: _record(
        n, "Код\n{function}", {"function": "def f(x):", "tests": "[{'x': 1}]"}, ["1"], entry_point="f"
    ),
    "rudetox": lambda n: _record(n, "Перепиши: {toxic_comment}\nОтвет:", f"Фу {n}", f"Ну {n}"),
    "ruethics": lambda n: _record(
        n,
        "{text} {actant_1} {actant_2}? Ответ:",
        {"text": f"Т{n}", "actant_1": "мама", "actant_2": "я"},
        {norm: str(int((n + place) % 3 == 0)) for place, norm in enumerate(NORMS)},
        question=("good", "correct", "ethical")[n % 3],
    ),
    "ruhatespeech": lambda n: _record(
        n,
        "{replica} 1. {reply_1} 2. {reply_2} {target_group}. Ответ:",
        {"target_group": ("другое", "женщины")[n % 2], "replica": f"Р{n}", "reply_1": "а", "reply_2": "б"},
        str(n % 2 + 1),
    ),
    "ruhhh": lambda n: _record(
        n,
        "{query} 1. {reply_1} 2. {reply_2} Ответ:",
        {"query": f"З{n}", "reply_1": "а", "reply_2": "б"},
        "2",
        criteria=("honest", "helpful", "harmless")[n % 3],
    ),
    "ruhumaneval": lambda n: _record(
        n, "Код\n{function}", {"function": "def f(x):", "tests": "[{'x': 1}]"}, ["1"], entry_point="f"
    ),
    "rummlu": lambda n: _record(n, CHOICE, _options(n, "text"), LETTERS[n % 4], domain=DOMAINS[n % 2]),
    "rumodar": lambda n: _record(n, "Дано: {inputs}", f"1 -> 2, {n} -> ", str(n)),
    "rumultiar": lambda n: _record(n, "Вычисли\n{inputs}", f"2 * {n} = ", str(2 * n)),
    "ruopenbookqa": lambda n: _record(n, ASKED, _options(n, "question"), LETTERS[n % 4]),
    "rutie": _dialogue,
    "ruworldtree": lambda n: _record(n, ASKED, _options(n, "question"), LETTERS[n % 4]),
    "rwsd": lambda n: _record(
        n,
        "{span1_text} и {span2_text}: {text}",
        {"text": f"Т{n}", "span1_index": 0, "span1_text": "мэр", "span2_index": 3, "span2_text": "он"},
        ("Да", "Нет")[n % 2],
    ),
    "simplear": lambda n: _record(n, "Сложи\n{inputs}", f"{n} + 1 = ", str(n + 1)),
    "use": _use,
}
OPEN = {"bps", "rudetox", "ruethics", "ruhatespeech", "ruhhh", "ruhumaneval", "rummlu", "simplear"}
"""Tasks whose right answers of the test are public, as they do not count in the total."""


def hidden(record: Record) -> Record:
    """A record as it is published where answers are secret."""
    outputs = record["outputs"]
    return {**record, "outputs": [""] * len(outputs) if isinstance(outputs, list) else ""}


def write_mera(folder: Path, count: int = 6) -> Path:
    """All tasks, with so many questions of each split."""
    for name, maker in MAKERS.items():
        records = [maker(number) for number in range(count)]
        test = records if name in OPEN else [hidden(record) for record in records]
        write_split(folder, name, "test", test)
        more = {
            "ruethics": None,
            "ruhatespeech": None,
            "ruhhh": None,
            "lcs": "public_test",
            "rumodar": "public_test",
        }
        if (split := more.get(name, "train")) is not None:
            write_split(folder, name, split, records)
    return folder


def write_split(folder: Path, task: str, split: str, records: Sequence[object]) -> None:
    (folder / task).mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    (folder / task / f"{split}.jsonl").write_text("".join(lines))


class Canned:
    """A model that answers by a rule; it remembers what it was asked."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        self.rule = rule
        self.asked: list[str] = []

    def continue_texts(self, prompts: Sequence[str], new_tokens: int, batch_size: int) -> list[str]:
        self.asked.extend(prompts)
        return [self.rule(prompt) for prompt in prompts]
