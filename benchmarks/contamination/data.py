"""The benchmarks as tables of items, and the real text around them."""

import ast
import gzip
import html
import json
import re
import sysconfig
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from textwrap import dedent, indent
from typing import Any

import pyarrow as pa

from filters.contamination.items import ITEMS

Item = dict[str, Any]
"""A row of ITEMS."""
INTRODUCTION = "This question refers to the following information."
"""How the questions of MMLU's history begin that come with a source."""


def item(benchmark: str, item_id: str, split: str = "test", **texts: Any) -> Item:
    return {name: None for name in ITEMS.names} | {
        "benchmark": benchmark,
        "item_id": item_id,
        "split": split,
        **texts,
    }


def table(items: Iterable[Item]) -> pa.Table:
    return pa.Table.from_pylist(list(items), schema=ITEMS)


def words(text: str) -> list[str]:
    """Words for counts and comparisons: lower case, without punctuation."""
    return re.findall(r"\w+", text.lower())


def marked(text: str) -> list[str]:
    """Words and marks, each by itself: what tells `-4 + (-3)` from a 4 before a 3."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def sentences(text: str) -> list[str]:
    return [piece.strip() for piece in re.split(r"(?<=[.!?…])\s+(?=[A-ZА-ЯЁ\"«—])", text) if piece.strip()]


def paragraphs(texts: Iterable[str]) -> list[str]:
    """Different paragraphs of 20 to 200 words; long ones are cut at sentences."""
    found: dict[str, None] = {}
    for text in texts:
        for block in re.split(r"\n+", text):
            held: list[str] = []
            for sentence in [*sentences(block), ""]:
                size = len(" ".join([*held, sentence]).split())
                if held and (not sentence or size > 120):
                    if 20 <= len(" ".join(held).split()) <= 200:
                        found[" ".join(held)] = None
                    held = []
                held.append(sentence)
    return list(found)


def json_lines(path: Path) -> Iterator[Any]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@dataclass(frozen=True)
class Data:
    """Everything is read once, when it is first asked for."""

    root: Path

    # Benchmarks

    def gsm8k(self, split: str) -> list[Item]:
        found = []
        for number, row in enumerate(json_lines(self.root / "gsm8k" / f"{split}.jsonl")):
            solution, _, label = row["answer"].rpartition("\n#### ")
            texts = {"question": row["question"], "solution": solution, "label": label}
            found.append(item("gsm8k", f"{split}/{number}", split, **texts))
        return found

    @cached_property
    def humaneval(self) -> list[Item]:
        rows = json_lines(self.root / "humaneval" / "HumanEval.jsonl.gz")
        return [code_item("humaneval", row) for row in rows]

    @cached_property
    def mbpp(self) -> list[Item]:
        """Without the 13 whose first line the file has lost: they are no Python."""
        rows = json_lines(self.root / "mbpp_sanitized" / "mbpp_sanitized_for_code_generation.jsonl")
        return [each for row in rows if parses(code_file(each := code_item("mbpp", row)))]

    def mmlu(self, *splits: str) -> list[Item]:
        """Items of all subjects; `item_id` begins with the subject."""
        found = []
        for split in splits:
            for path in self._arrow(f"*hails__mmlu_no_train__*__{split}__*"):
                for number, row in enumerate(read_stream(path)):
                    answer = row["choices"][row["answer"]]
                    texts = {"choices": row["choices"], "answer": answer, "label": "ABCD"[row["answer"]]}
                    name = f"{row['subject']}/{split}/{number}"
                    found.append(item("mmlu", name, split, question=row["question"].strip(), **texts))
        return found

    def history(self) -> list[Item]:
        """MMLU's questions of history that come with a source, which stands within the question."""
        return [each for each in self.mmlu("test") if each["question"].startswith(INTRODUCTION)]

    @cached_property
    def arc(self) -> list[Item]:
        rows = [row for path in self._arrow("*ai2_arc*") for row in read_stream(path)]
        return [choice_item("arc", row["id"], row["question"], row) for row in rows]

    @cached_property
    def openbookqa(self) -> list[Item]:
        rows = [row for path in self._arrow("*openbookqa*") for row in read_stream(path)]
        return [choice_item("openbookqa", row["id"], row["question_stem"], row) for row in rows]

    @cached_property
    def nq_open(self) -> list[Item]:
        rows = [row for path in self._arrow("*nq_open*") for row in read_stream(path)]
        return [
            item("nq_open", str(number), "validation", question=row["question"], answer=row["answer"][0])
            for number, row in enumerate(rows)
        ]

    @cached_property
    def koziev(self) -> list[Item]:
        """One item for each set of words of a question about a premise: the data also permutes the words."""
        text = (self.root / "koziev" / "premise_question_answer4_1s.txt").read_text(encoding="utf-8-sig")
        found: dict[tuple[str, ...], Item] = {}
        for block in re.split(r"\n\s*\n", text):
            lines = dict(line.split(": ", 1) for line in block.strip().splitlines() if ": " in line)
            if {"T", "Q", "A"} <= lines.keys():
                key = (lines["T"], *sorted(words(lines["Q"])))
                texts = {"passage": lines["T"], "question": lines["Q"], "answer": lines["A"]}
                found.setdefault(key, item("koziev", str(len(found)), **texts))
        return list(found.values())

    @cached_property
    def instructions(self) -> list[Item]:
        """Russian tasks with their answers."""
        found = []
        for row in json_lines(self.root / "rulm_selfinstruct" / "ru_alpaca_seed_tasks.jsonl"):
            for number, instance in enumerate(row["instances"]):
                question = "\n".join(filter(None, (row["instruction"], instance["input"])))
                name = f"{row['id']}/{number}"
                found.append(item("ru_tasks", name, question=question, answer=instance["output"]))
        return found

    @cached_property
    def endings(self) -> list[Item]:
        """Russian sentences to be ended, as HellaSwag has English ones: of novels, 16 to 40 words each."""
        found: dict[str, Item] = {}
        for path in sorted((self.root / "ru_novels").glob("*.txt")):
            text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8-sig"))
            chosen = [each for each in sentences(text) if 16 <= len(each.split()) <= 40]
            for sentence in Random(path.stem).sample(chosen, min(200, len(chosen))):
                pieces = sentence.split()
                cut = len(pieces) * 2 // 3
                texts = {"question": " ".join(pieces[:cut]), "answer": " ".join(pieces[cut:])}
                found.setdefault(sentence, item("ru_endings", f"{path.stem}/{len(found)}", **texts))
        return list(found.values())

    @cached_property
    def indexed(self) -> list[Item]:
        """What a user would guard: every test item."""
        code, choices = [*self.humaneval, *self.mbpp], [*self.mmlu("test"), *self.arc]
        russian = [*self.koziev, *self.instructions, *self.endings]
        return [*self.gsm8k("test"), *code, *choices, *self.nq_open, *russian]

    def rewritten(self, language: str) -> list[str]:
        """HumanEval rewritten in `python` or `js`, in the order of the originals."""
        path = self.root / "rephrased_benchmarks" / f"humaneval_{language}.jsonl"
        return [row["text"] for row in json_lines(path)]

    # Real text

    @cached_property
    def pages(self) -> dict[str, list[str]]:
        """Real documents by source."""
        news = {"en": [], "ru": []}  # type: dict[str, list[str]]
        for path in sorted((self.root / "tgcontest_categories").glob("*.tsv")):
            with path.open(encoding="utf-8", newline="") as lines:
                head = next(lines).rstrip("\r\n").split("\t")
                at = head.index("INPUT:text")
                news[path.name[:2]] += [cells[at] for line in lines if len(cells := line.split("\t")) > at]
        demos = sorted((self.root / "datajuicer_demos").glob("*.jsonl"))
        web = [path for name in ("*.jsonl", "*.json.gz") for path in (self.root / "dolma_web").glob(name)]
        return {
            "dolma_web": [row["text"] for path in sorted(web) for row in json_lines(path)],
            "dolma_warc": list(self._archived("dolma_web")),
            "warcio_samples": list(self._archived("warcio_samples")),
            **{path.stem: [row["text"] for row in json_lines(path)] for path in demos},
            "news_en": list(dict.fromkeys(news["en"])),
            "news_ru": list(dict.fromkeys(news["ru"])),
        }

    @cached_property
    def english(self) -> list[str]:
        return paragraphs(text for name, texts in self.pages.items() if name != "news_ru" for text in texts)

    @cached_property
    def russian(self) -> list[str]:
        return paragraphs(self.pages["news_ru"])

    @cached_property
    def novels(self) -> dict[str, list[str]]:
        """Paragraphs of Russian novels by file."""
        found = {}
        for path in sorted((self.root / "ru_novels").glob("*.txt")):
            found[path.stem] = paragraphs([path.read_text(encoding="utf-8-sig")])
        return found

    def _archived(self, folder: str) -> Iterator[str]:
        """Pages of WARC and ARC files as text, as far as the broken ones go."""
        for path in sorted((self.root / folder).glob("*arc*")):
            raw = path.read_bytes()
            archive = b"".join(unzipped(raw)) if raw[:2] == b"\x1f\x8b" else raw
            for page in re.findall(r"(?is)<html.*?</html>", archive.decode("utf-8", "replace")):
                text = html.unescape(re.sub(r"(?is)<(script|style).*?</\1>|<[^>]+>", " ", page))
                yield re.sub(r"[ \t]*\n\s*", "\n", re.sub(r"[ \t]+", " ", text)).strip()

    def _arrow(self, pattern: str) -> list[Path]:
        return sorted((self.root / "olmo_hf_arrow").glob(pattern))


def unzipped(raw: bytes) -> Iterator[bytes]:
    """The members of a gzip file up to the first that is broken."""
    while raw:
        member = zlib.decompressobj(wbits=31)
        try:
            yield member.decompress(raw)
        except zlib.error:
            return
        raw = member.unused_data


def read_stream(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.ipc.open_stream(path.read_bytes()).read_all().to_pylist()
    return rows


def code_item(benchmark: str, row: dict[str, str]) -> Item:
    return item(benchmark, row["task_id"], question=row["prompt"], solution=row["canonical_solution"])


def code_file(each: Item) -> str:
    """A file that parses: MBPP's solutions are indented less than their docstrings."""
    return each["question"] + indent(dedent(each["solution"].expandtabs(4)), "    ")


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def choice_item(benchmark: str, item_id: str, question: str, row: dict[str, Any]) -> Item:
    choices, label = row["choices"]["text"], row["answerKey"]
    answer = choices[row["choices"]["label"].index(label)]
    texts = {"question": question, "choices": choices, "answer": answer, "label": label}
    return item(benchmark, item_id, "validation", **texts)


def split_history(each: Item) -> Item:
    """An item of `Data.history` with its source as the passage; the question is the last line."""
    passage, _, question = each["question"].removeprefix(INTRODUCTION).strip().rpartition("\n")
    return each | {"benchmark": "mmlu_split", "passage": passage.strip(), "question": question.strip()}


def licences() -> list[str]:
    """The different licence texts of the Python packages that are installed here."""
    found: dict[tuple[str, ...], str] = {}
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*")):
        if re.match(r"(LICEN[CS]E|COPYING|NOTICE)", path.name, re.IGNORECASE) and path.is_file():
            if path.suffix in (".py", ".pyc"):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            found.setdefault(tuple(words(text)[:2000]), text)
    return list(found.values())


def functions(scheme: str, limit: int) -> list[str]:
    """Different functions of 4 to 60 lines: of the standard library (stdlib) or of packages (purelib)."""
    found: dict[str, None] = {}
    root = Path(sysconfig.get_path(scheme))
    files = [path for path in root.rglob("*.py") if scheme == "purelib" or "site-packages" not in path.parts]
    Random(0).shuffle(files := sorted(files))
    for path in files:
        source = path.read_text(encoding="utf-8", errors="replace")
        if len(source) > 200_000 or not parses(source):
            continue
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and 4 <= node.end_lineno - node.lineno < 60:
                found[dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))] = None
        if len(found) >= 3 * limit:
            break
    return Random(0).sample(list(found), min(limit, len(found)))
