"""How items stand in documents: natural forms, all with the answer unless the name says otherwise."""

import ast
import re
from collections.abc import Callable
from random import Random

from benchmarks.contamination.data import Item, code_file

Form = Callable[[Item], str]


def asked(each: Item) -> str:
    """The question behind its passage."""
    return "\n".join(filter(None, (each["passage"], each["question"].rstrip())))


def answered(each: Item) -> str:
    """The longest form of the answer, as GSM8K's solutions stand on pages: without the calculator's marks."""
    text = each["solution"] or each["answer"] or each["label"]
    final = f"\nThe answer is {each['label']}." if each["solution"] and each["label"] else ""
    return re.sub(r"<<.*?>>", "", text) + final


def plain(each: Item) -> str:
    return f"{asked(each)}\n{answered(each)}"


def labelled(each: Item) -> str:
    return f"Question: {asked(each)}\nAnswer: {answered(each)}"


def labelled_russian(each: Item) -> str:
    return f"Вопрос: {asked(each)}\nОтвет: {answered(each)}"


def chat(each: Item) -> str:
    return f"<|im_start|>user\n{asked(each)}<|im_end|>\n<|im_start|>assistant\n{answered(each)}<|im_end|>"


def turns(each: Item) -> str:
    return f"User: {asked(each)}\n\nAssistant: {answered(each)}"


def turns_russian(each: Item) -> str:
    return f"Пользователь: {asked(each)}\n\nАссистент: {answered(each)}"


def as_stored(each: Item) -> str:
    """GSM8K with its calculator's marks, as its files have it."""
    return f"{each['question']}\n{each['solution']}\n#### {each['label']}"


def lettered(each: Item) -> str:
    return f"{unmarked(each)}\nAnswer: {letter_of(each)}. {each['answer']}"


def bracketed(each: Item) -> str:
    listed = [f"({letter}) {choice}" for letter, choice in zip("abcde", each["choices"], strict=False)]
    return f"{' '.join([asked(each), *listed])}\nCorrect: ({letter_of(each).lower()}) {each['answer']}"


def letter_of(each: Item) -> str:
    return "ABCDE"[each["choices"].index(each["answer"])]


def unmarked(each: Item) -> str:
    """The question and its choices, none of them marked: answerless."""
    listed = [f"{letter}. {choice}" for letter, choice in zip("ABCDE", each["choices"], strict=False)]
    return "\n".join([asked(each), *listed])


def shuffled(each: Item, random: Random) -> Item:
    choices = each["choices"]
    return each | {"choices": random.sample(choices, len(choices))}


def code_chat(each: Item) -> str:
    """The task in prose, as a person puts it, and the code without its docstring."""
    tree = ast.parse(code_file(each))
    function = next(node for node in reversed(tree.body) if isinstance(node, ast.FunctionDef))
    strings = (node.value for node in ast.walk(function) if isinstance(node, ast.Constant))
    task = ast.get_docstring(function) or next(text for text in strings if isinstance(text, str))
    body = code_file(each).removeprefix(each["question"]).rstrip()
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    head = "\n".join([*imports, f"def {function.name}({ast.unparse(function.args)}):"])
    return f"User: {task}\n\nAssistant: Here is a function for it:\n```python\n{head}\n{body}\n```"


CODE: list[Form] = [code_file, code_chat]
CHOICES: list[Form] = [lettered, plain, bracketed, labelled, chat]
RUSSIAN: list[Form] = [plain, labelled_russian, turns_russian, chat]
MATHS: list[Form] = [plain, labelled, as_stored, turns]
QUESTIONS: list[Form] = [plain, labelled, turns, chat]


def forms(each: Item) -> list[Form]:
    """The natural forms of such an item."""
    match each["benchmark"]:
        case "humaneval" | "mbpp":
            return CODE
        case "gsm8k":
            return MATHS
        case "koziev" | "ru_tasks" | "ru_endings":
            return RUSSIAN
    return CHOICES if each["choices"] else QUESTIONS
