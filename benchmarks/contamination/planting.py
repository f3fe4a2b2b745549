"""Items planted in documents, untouched and edited: how many are found, as what, and where."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.contamination import edits, render
from benchmarks.contamination.data import Data, Item, code_file, functions, words
from benchmarks.contamination.matching import Guard, Match
from benchmarks.contamination.report import share, show

RATES = (0.0, 0.05, 0.1, 0.2)
MUST = (1.0, 0.98, 0.9, 0.6)
"""The shares of items over 8 words that must be found at these rates."""
SHORT = 8
"""Items of at most so many words (passage and question) are a class of their own."""
PLACES = ("siblings", "subject", "unrelated")
RUSSIAN = ("koziev", "ru_tasks", "ru_endings")
CODE = ("humaneval", "mbpp")
TOLERANCE = 5
"""Words by which each end of a span may differ from what was planted."""


@dataclass(frozen=True)
class Planted:
    """An item as it is to be planted, then (with a place) as it was."""

    row: int
    benchmark: str
    short: bool
    form: str
    change: str
    fragment: str
    edited: float  # measured share of edited words
    place: str = ""
    text: str = ""
    start: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.fragment)


@dataclass(frozen=True)
class Result:
    """What was found of it."""

    planted: Planted
    matches: list[Match]  # of this item, that touch what was planted

    @property
    def found(self) -> bool:
        return bool(self.matches)

    @property
    def answer(self) -> bool:
        return any(match["kind"] == "answer" for match in self.matches)

    @property
    def exact(self) -> bool:
        """Whether the span from the first to the last match has both ends within the tolerance."""
        if not self.matches:
            return False
        ends = (
            (min(match["start"] for match in self.matches), self.planted.start),
            (max(match["end"] for match in self.matches), self.planted.end),
        )
        return all(len(self.planted.text[min(pair) : max(pair)].split()) <= TOLERANCE for pair in ends)


def is_short(each: Item) -> bool:
    return len(words(" ".join(filter(None, (each["passage"], each["question"]))))) <= SHORT


class Hosts:
    """Blocks of text to plant among."""

    def __init__(self, data: Data, random: Random) -> None:
        self.data, self.random = data, random

    @cached_property
    def siblings(self) -> dict[str, list[str]]:
        """Other items of the same kind with their answers, not in the index where the benchmark has such."""
        data = self.data
        by_benchmark = {
            "gsm8k": data.gsm8k("train"),
            "arc": data.openbookqa,
            "humaneval": data.humaneval,
            "mbpp": data.mbpp,
            "nq_open": data.nq_open,
            "koziev": data.koziev,
            "ru_tasks": data.instructions,
        }
        for each in data.mmlu("dev", "validation"):
            by_benchmark.setdefault(subject(each), []).append(each)
        found = {
            name: [render.forms(each)[0](each) for each in items] for name, items in by_benchmark.items()
        }
        return found | {f"ru_endings/{novel}": texts for novel, texts in self.data.novels.items()}

    @cached_property
    def _pages(self) -> dict[str, list[str]]:
        """Real text in which pages on the same subject are looked for."""
        return {
            "english": self.data.english,
            "russian": self.data.russian,
            "code": functions("stdlib", 4000),
        }

    @cached_property
    def _searched(self) -> dict[str, tuple[TfidfVectorizer, object]]:
        searched = {}
        for name, texts in self._pages.items():
            vectorizer = TfidfVectorizer(sublinear_tf=True)
            searched[name] = (vectorizer, vectorizer.fit_transform(texts))
        return searched

    def blocks(self, place: str, each: Item, count: int = 4) -> list[str]:
        if place == "siblings":
            own = render.forms(each)[0](each)
            others = [text for text in self.siblings[group(each)] if text != own]
            return self.random.sample(others, min(count, len(others)))
        if place == "unrelated":
            tongue = "russian" if language(each) == "russian" else "english"
            return self.random.sample(self._pages[tongue], count)
        vectorizer, matrix = self._searched[language(each)]
        query = vectorizer.transform([f"{render.asked(each)} {render.answered(each)}"])
        nearest = np.argsort(-(matrix @ query.T).toarray().ravel(), kind="stable")[:count]
        return [self._pages[language(each)][at] for at in nearest]


def subject(each: Item) -> str:
    return "mmlu/" + each["item_id"].partition("/")[0]


def group(each: Item) -> str:
    """The name of its siblings."""
    match each["benchmark"]:
        case "mmlu":
            return subject(each)
        case "ru_endings":
            return f"ru_endings/{each['item_id'].partition('/')[0]}"
    return str(each["benchmark"])


def language(each: Item) -> str:
    if each["benchmark"] in CODE:
        return "code"
    return "russian" if each["benchmark"] in RUSSIAN else "english"


def plant(planted: Planted, place: str, blocks: Sequence[str]) -> Planted:
    middle = len(blocks) // 2
    before = "".join(f"{block}\n\n" for block in blocks[:middle])
    after = "".join(f"\n\n{block}" for block in blocks[middle:])
    text = before + planted.fragment + after
    return replace(planted, place=place, text=text, start=len(before))


def samples(items: Sequence[Item], size: int, random: Random) -> Iterator[tuple[int, Item]]:
    """Up to `size` rows of each benchmark and of each class of length."""
    classes: dict[tuple[str, bool], list[int]] = {}
    for row, each in enumerate(items):
        classes.setdefault((each["benchmark"], is_short(each)), []).append(row)
    for _, rows in sorted(classes.items()):
        for row in random.sample(rows, min(size, len(rows))):
            yield row, items[row]


def by_rate(chosen: Sequence[tuple[int, Item]], random: Random) -> Iterator[Planted]:
    """Every chosen item in one of its forms, which come in turn, at every rate of edits."""
    vocabulary: dict[str, list[str]] = {}
    for _, each in chosen:
        vocabulary.setdefault(group(each), []).extend(render.plain(each).split())
    for number, (row, each) in enumerate(chosen):
        of_item = render.forms(each)
        form = of_item[number % len(of_item)]
        whole = form(each)
        for rate in RATES:
            fragment = edits.edited(whole, rate, vocabulary[group(each)], random)
            distance = edits.word_distance(whole, fragment)
            name = each["benchmark"]
            yield Planted(row, name, is_short(each), form.__name__, f"{rate:.0%}", fragment, distance)


def by_change(chosen: Sequence[tuple[int, Item]], random: Random) -> Iterator[Planted]:
    """Every chosen item under each single kind of change."""
    for number, (row, each) in enumerate(chosen):
        form = render.forms(each)[number % len(render.forms(each))]
        base = Planted(row, each["benchmark"], is_short(each), form.__name__, "", form(each), 0.0)
        if each["benchmark"] in CODE:
            whole = code_file(each)
            for change, code_edit in edits.CODE_CHANGES.items():
                yield replace(base, form="code_file", change=change, fragment=code_edit(whole, random))
            continue
        changes: dict[str, Callable[[str, Random], str]] = dict(edits.TEXT_CHANGES)
        if each["benchmark"] == "gsm8k":
            changes["names changed"] = edits.other_names
        for change, text_edit in changes.items():
            if (fragment := text_edit(base.fragment, random)) != base.fragment:
                yield replace(base, change=change, fragment=fragment)
        if each["choices"]:
            fragment = render.lettered(render.shuffled(each, random))
            yield replace(base, form="lettered", change="choices reordered", fragment=fragment)


def search(guard: Guard, planted: Sequence[Planted]) -> list[Result]:
    same = guard.same()
    results = []
    for each, matches in zip(planted, guard.matches([each.text for each in planted]), strict=True):
        own = [
            match
            for match in matches
            if same[match["item"]] == same[each.row]
            and match["start"] < each.end
            and match["end"] > each.start
        ]
        results.append(Result(each, own))
    return results


def cells(results: Sequence[Result]) -> tuple[str, str]:
    return share(each.found for each in results), share(each.answer for each in results)


def columns(results: Sequence[Result], changes: Sequence[str]) -> list[str]:
    """For each change the share that is found, and in brackets that found with the answer."""
    listed = []
    for change in changes:
        chosen = [each for each in results if each.planted.change == change]
        share_found = np.mean([each.found for each in chosen]) if chosen else np.nan
        share_answer = np.mean([each.answer for each in chosen]) if chosen else np.nan
        listed.append(f"{share_found:7.2%} ({share_answer:7.2%})")
    return listed


def measure(data: Data, guard: Guard, size: int, seed: int) -> None:
    random = Random(seed)
    hosts = Hosts(data, random)
    chosen = list(samples(guard.items, size, random))
    planted = [
        plant(each, place, hosts.blocks(place, guard.items[each.row]))
        for place in PLACES
        for each in by_rate(chosen, random)
    ]
    results = search(guard, planted)
    report_rates(results)
    report_spans(results)
    changed = [
        plant(each, place, hosts.blocks(place, guard.items[each.row]))
        for number, each in enumerate(by_change(chosen, random))
        for place in [PLACES[number % len(PLACES)]]
    ]
    report_changes(search(guard, changed))


def report_rates(results: Sequence[Result]) -> None:
    changes = [f"{rate:.0%}" for rate in RATES]
    head = ["found (with the answer)", "items", *changes]
    for short in (False, True):
        of_class = [each for each in results if each.planted.short == short]

        def row(name: str, chosen: Sequence[Result]) -> list[object]:
            return [name, len({each.planted.row for each in chosen}), *columns(chosen, changes)]

        def split(key: Callable[[Planted], str], of_class: Sequence[Result] = of_class) -> list[list[object]]:
            names = sorted({key(each.planted) for each in of_class})
            return [row(name, [each for each in of_class if key(each.planted) == name]) for name in names]

        title = f"Items of at most {SHORT} words" if short else f"Items of more than {SHORT} words"
        rates = [
            [each.planted.edited for each in of_class if each.planted.change == change] for change in changes
        ]
        measured = ["words edited, measured", "", *(f"{np.mean(of_change):.1%}" for of_change in rates)]
        must = [["must be found", "", *(f"{share:.0%}" for share in MUST)]] if not short else []
        by_benchmark = [*split(lambda each: each.benchmark), row("all", of_class), *must, measured]
        show(f"{title}, by benchmark", head, by_benchmark)
        show(f"{title}, by language", head, split(lambda each: language_of(each.benchmark)))
        show(f"{title}, by place", head, split(lambda each: each.place))
        show(f"{title}, by form", head, split(lambda each: each.form))
    missed = [each.planted for each in results if each.planted.change == "0%" and not each.found]
    for each in missed[:20]:
        shown = " ".join(each.fragment.split())[:200]
        print(f"not found untouched: {each.benchmark} {each.form} {each.place}: {shown}")


def language_of(benchmark: str) -> str:
    return "Russian" if benchmark in RUSSIAN else "code" if benchmark in CODE else "English"


def report_spans(results: Sequence[Result]) -> None:
    untouched = [each for each in results if each.planted.change == "0%"]
    rows = []
    for short in (False, True):
        of_class = [each for each in untouched if each.planted.short == short]
        for form in sorted({each.planted.form for each in of_class}):
            of_form = [each for each in of_class if each.planted.form == form]
            rows.append([f"{'short' if short else 'long'}, {form}", share(each.exact for each in of_form)])
        rows.append([f"{'short' if short else 'long'}, all", share(each.exact for each in of_class)])
    show(f"Spans of the untouched, both ends found to within {TOLERANCE} words", ["form", "exact"], rows)
    wrong = [each for each in untouched if each.found and not each.exact and not each.planted.short]
    for each in wrong[:10]:
        spans = [(match["start"], match["end"], match["kind"]) for match in each.matches]
        print(f"span of {each.planted.form}: planted {(each.planted.start, each.planted.end)}, found {spans}")


def report_changes(results: Sequence[Result]) -> None:
    rows = []
    for change in dict.fromkeys(each.planted.change for each in results):
        of_change = [each for each in results if each.planted.change == change]
        long, short = (
            [each for each in of_change if each.planted.short == is_short] for is_short in (False, True)
        )
        rows.append([change, *cells(long), *cells(short)])
    show(
        "Single kinds of change",
        ["change", "long: found", "with the answer", "short: found", "with the answer"],
        rows,
    )
