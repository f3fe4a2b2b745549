"""What the checks of new text reject of data that was not written for them, by language.

    python benchmarks/synthesis_checks.py --data DIR [--part tuned|held] [--show 5]

DIR holds clones of google-deepmind/xquad (CC BY-SA 4.0; Artetxe et al. 2020), as `xquad/xquad.en.json` and
so on, and of for-ai/language-confusion (Apache 2.0; Marchisio et al. 2024), as `language-confusion/outputs/`
and `language-confusion/words`; a set that is not there is left out.

XQuAD: questions with their answers and passages are good; bad are the same with a passage of another article
(`swapped`), with another passage of the article (`neighbour`, a hard case that is not counted among the bad),
and with the answer in another language of XQuAD (`other_language`). Thresholds were chosen on the articles of
even number; `held` are the odd ones.

Language confusion: completions of ten models in fifteen languages, labelled by the benchmark's own rule: a
line whose language is not the prompt's by lid.176 (`line`), or, in languages of other scripts than Latin, a
line with an English word in small letters (`word`). Held are four of the models. What is rejected of the
good, and kept of the bad, is shown, because that rule errs too: it takes a list of English song titles for
English, and does not know `реwiewe` or a Chinese word in Russian.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import re
import string
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.sources.language_model import bundled_model, load_identifier
from pipelines.synthesis.checks.checked import checked
from pipelines.synthesis.checks.checks import Checks
from pipelines.synthesis.checks.language import language_fault
from pipelines.synthesis.draft import Draft, Rejection
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts

HELD_MODELS = {"mistral-large", "gpt-4-turbo", "llama-3-instruct", "command-r-plus-base"}
NOT_LATIN = {"ar", "hi", "ja", "ko", "ru", "zh"}
IDENTIFIER = load_identifier(str(bundled_model()))


@dataclass(frozen=True)
class Pair:
    passage: str
    question: str
    answer: str


def xquad(folder: Path, language: str, held: bool) -> dict[str, list[Pair]]:
    """The pairs of one half of the articles, by what was done to them."""
    articles = json.loads((folder / f"xquad.{language}.json").read_text("utf-8"))["data"]
    other = "en" if language != "en" else "ru"
    translated = {
        asked["id"]: asked["answers"][0]["text"]
        for article in json.loads((folder / f"xquad.{other}.json").read_text("utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    }
    half = [article["paragraphs"] for number, article in enumerate(articles) if number % 2 == held]
    draw = random.Random(1)
    pairs: dict[str, list[Pair]] = defaultdict(list)
    for paragraphs in half:
        elsewhere = [each["context"] for others in half if others is not paragraphs for each in others]
        for paragraph in paragraphs:
            beside = [each["context"] for each in paragraphs if each is not paragraph]
            for asked in paragraph["qas"]:
                question, answer = asked["question"], asked["answers"][0]["text"]
                pairs["good"].append(Pair(paragraph["context"], question, answer))
                pairs["swapped"].append(Pair(draw.choice(elsewhere), question, answer))
                if beside:
                    pairs["neighbour"].append(Pair(draw.choice(beside), question, answer))
                foreign = translated[asked["id"]]
                if re.search(r"[^\W\d_]{2}", foreign) and foreign.casefold() != answer.casefold():
                    pairs["other_language"].append(Pair(paragraph["context"], question, foreign))
    return pairs


def rejections(pairs: list[Pair], language: str) -> list[Rejection | None]:
    """What all the checks say of conversations of one question, as a run would ask them."""

    async def made(passage: Passage, ask: object) -> list[Draft]:
        pair = pairs[int(passage.id)]
        turns = ({"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer})
        return [
            Draft(
                kind="factual",
                language=language,
                prompt="",
                messages=turns,
                question=pair.question,
                claims=pair.answer,
            )
        ]

    async def all_of_them() -> list[Rejection | None]:
        make = checked(made, Checks(), Prompts(), IDENTIFIER)
        found = []
        for number, pair in enumerate(pairs):
            passage = Passage(
                id=str(number), parent_id="", text=pair.passage, language=language, source="", domain=""
            )
            (result,) = await make(passage, None)
            found.append(result if isinstance(result, Rejection) else None)
        return found

    return asyncio.run(all_of_them())


def report_xquad(folder: Path, held: bool, show: int) -> None:
    columns = ("language", "good rejected", "swapped", "other language", "neighbour", "ms each")
    print(f"| {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|")
    examples = []
    for path in sorted(folder.glob("xquad.*.json")):
        language = path.name.split(".")[1]
        shares, reasons, begun, count = {}, {}, time.perf_counter(), 0
        for name, pairs in xquad(folder, language, held).items():
            found = rejections(pairs, language)
            count += len(pairs)
            shares[name] = f"{sum(each is not None for each in found) / len(found):.1%} of {len(found)}"
            reasons[name] = Counter(each.reason for each in found if each)
            wrong = [
                (pair, each)
                for pair, each in zip(pairs, found, strict=True)
                if (each is None) == (name != "good")
            ]
            if name != "neighbour":
                examples += [(language, name, pair, each) for pair, each in wrong[:show]]
        took = (time.perf_counter() - begun) / count * 1e3
        print(
            f"| {language} | {shares['good']} | {shares['swapped']} | {shares['other_language']} "
            f"| {shares['neighbour']} | {took:.2f} |"
        )
        for name, counted in reasons.items():
            print(f"<!-- {language} {name}: {dict(counted.most_common())} -->")
    for language, name, pair, each in examples:
        why = each.reason if each else "kept"
        print(f"- {language} {name}, {why}: {pair.question} | {pair.answer} | {pair.passage[:120]}")


def completions(folder: Path, held: bool) -> Iterator[tuple[str, str, str]]:
    """Language, text and model of each completion; of base models what stands before their next question."""
    csv.field_size_limit(sys.maxsize)
    for path in sorted((folder / "outputs").glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if (row["model"] in HELD_MODELS) == held:
                    yield row["language"], row["completion"].split("\nQ:")[0].strip(), row["model"]


def label(text: str, language: str, english: set[str]) -> str:
    """The benchmark's label of a completion; words of Chinese and Japanese are pairs of characters here."""
    plain = text.translate(str.maketrans("", "", string.punctuation)).replace("—", " ").replace("،", "")
    lines = [
        line
        for line in plain.split("\n")
        if (len(line) // 2 if language in ("zh", "ja") else len(line.split())) >= 5
    ]
    if not lines:
        return "too_short"
    identified = IDENTIFIER.identify(pa.array(lines, pa.large_string()))
    said = zip(
        identified.column("language").to_pylist(),
        identified.column("language_score").to_pylist(),
        strict=True,
    )
    if any(found != language or score <= 0.3 for found, score in said):
        return "line"
    latin = (word for line in lines for word in re.findall("[A-Za-z]+", line))
    return "word" if language in NOT_LATIN and any(word in english for word in latin) else "good"


def report_confusion(folder: Path, held: bool, show: int, most: int) -> None:
    listed = (folder / "words").read_text("utf-8").split()
    english = {word for word in listed if word.islower() and len(word) > 3}
    rows = list(completions(folder, held))
    random.Random(3).shuffle(rows)
    counts: Counter[tuple[str, str]] = Counter()
    rejected: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language, text, model in rows:
        key = language, label(text, language, english)
        if counts[key] >= most:
            continue
        counts[key] += 1
        fault = language_fault(text, language, IDENTIFIER)
        rejected[key] += fault is not None
        if (fault is None) == (key[1] in ("line", "word")):
            examples[key].append(f"{model}: {fault.excerpt[:160] if fault else text[:300]!r}")
    print("| language | good rejected | bad rejected | of bad lines | of bad words |")
    print("|---|---|---|---|---|")
    for language in sorted({language for language, _ in counts}):
        bad = [(language, "line"), (language, "word")]
        total = sum(counts[key] for key in bad)
        shares = [
            f"{rejected[key] / counts[key]:.1%} of {counts[key]}" if counts[key] else ""
            for key in ((language, "good"), *bad)
        ]
        share = f"{sum(rejected[key] for key in bad) / total:.1%} of {total}" if total else ""
        print(f"| {language} | {shares[0]} | {share} | {shares[1]} | {shares[2]} |")
    for (language, name), found in sorted(examples.items()):
        for each in found[:show]:
            print(f"- {language} {name}, {each}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=("tuned", "held"), default="held")
    parser.add_argument("--show", type=int, default=0, help="failures of each kind and language to show")
    parser.add_argument("--most", type=int, default=1_000, help="completions of each label and language")
    given = parser.parse_args()
    held = given.part == "held"
    if (given.data / "xquad").is_dir():
        report_xquad(given.data / "xquad", held, given.show)
    if (given.data / "language-confusion").is_dir():
        report_confusion(given.data / "language-confusion", held, given.show, given.most)


if __name__ == "__main__":
    main()
