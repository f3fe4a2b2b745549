"""What `coupage tokenizer report` shows on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.table import Table

from mixers.printable import one_line
from tokenizer_tools.fit.coverage import FEW_TOKENS
from tokenizer_tools.fit.recommendation import LEAST_SAVED, LEAST_STEP

SHOWN_TERMS = 10
"""Of each tokenizer; `--json` has all."""

Row = dict[str, Any]


def print_report(report: Row, console: Console) -> None:
    """Tables of measures, of domains and languages, of terms; then what is recommended."""
    tokenizers = [report, *report["beside"]]
    names = _short_names([each["tokenizer"] for each in tokenizers])
    if len(names) > 1:
        names = [f"{number}: {name}" for number, name in enumerate(names, 1)]
    console.print(_measures(report, tokenizers, names))
    console.print(_places(["domain", "language"], tokenizers, "groups"))
    if {row["domain"] for row in report["groups"]} != {row["file"] for row in report["files"]}:
        console.print(_places(["file"], tokenizers, "files"))
    for each, name in zip(tokenizers, names, strict=True):
        if each["terms"]:
            console.print(_terms(each["terms"][:SHOWN_TERMS], name))
        if each["refusal"]:
            _say(console, f"{name}: encoded by {each['backend']}, not by a faster encoder: {each['refusal']}")
    if part := report["measured_in_part"]:
        _say(
            console,
            f"Of {len(part)} of the files a part was measured; all in all {report['all']['bytes']:,} bytes.",
        )
    if report["recommendation"] is not None:
        _recommendation(report, console)


def _short_names(names: list[str]) -> list[str]:
    """The last part of each path, or as much as tells them apart."""
    parts = [PurePath(name).parts for name in names]
    for length in range(1, max(map(len, parts)) + 1):
        short = ["/".join(each[-length:]) for each in parts]
        if len(set(short)) == len(short):
            return [one_line(each) for each in short]
    return [one_line(name) for name in names]


def _measures(report: Row, tokenizers: list[Row], names: list[str]) -> Table:
    first = report["all"]["tokens"]
    rows: dict[str, Callable[[Row], str]] = {
        "vocabulary": lambda each: f"{each['vocabulary']:,}",
        "bytes per token": lambda each: f"{each['all']['bytes_per_token']:.3f}",
        "characters per token": lambda each: f"{each['all']['characters_per_token']:.3f}",
        "tokens per word": lambda each: f"{each['all']['fertility']:.3f}",
        f"words in at most {FEW_TOKENS} tokens": lambda each: f"{each['all']['words_in_two_share']:.1%}",
        "tokens of one byte": lambda each: f"{each['all']['single_byte_share']:.2%}",
        "unknown tokens": lambda each: f"{each['all']['unknown_tokens']:,}",
        "tokens never used": lambda each: (
            f"{each['all']['unused_tokens']:,} ({each['all']['unused_share']:.1%})"
        ),
        "Rényi efficiency": lambda each: f"{each['all']['renyi_efficiency']:.3f}",
    }
    if len(tokenizers) > 1:
        rows["tokens, of the first's"] = lambda each: f"{each['all']['tokens'] / max(first, 1):.1%}"
    table = Table("all documents", *names)
    for label, value in rows.items():
        table.add_row(label, *map(value, tokenizers))
    for kind, text in report["text"].items():
        table.add_row(
            f"to {kind} {_size(text['bytes'])}", *(_cost(each["cost"][kind]) for each in tokenizers)
        )
    return table


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:g} {unit}"
        size /= 1000
    return f"{size:g} TB"


def _cost(cost: Row) -> str:
    tokens = f"{cost['tokens'] / 1e6:,.1f}M tokens"
    return tokens if cost["money"] is None else f"{tokens}: {cost['money']:,.2f}"


def _places(labels: list[str], tokenizers: list[Row], key: str) -> Table:
    """A row for each place and tokenizer."""
    table = Table(*labels)
    for head in ("#", "docs", "MB", "B/token", "tok/word", f"≤{FEW_TOKENS} tok", "1 byte"):
        table.add_column(head, no_wrap=True, justify="right")
    for rows in zip(*(each[key] for each in tokenizers), strict=True):
        for number, row in enumerate(rows, 1):
            what = [one_line(row[label]) for label in labels]
            what += [str(number), f"{row['documents']:,}", f"{row['bytes'] / 1e6:,.2f}"]
            if number > 1:  # the same documents
                what = [*("" for _ in labels), str(number), "", ""]
            table.add_row(
                *what,
                f"{row['bytes_per_token']:.2f}",
                f"{row['fertility']:.2f}",
                f"{row['words_in_two_share']:.1%}",
                f"{row['single_byte_share']:.1%}",
            )
    return table


def _terms(terms: list[Row], name: str) -> Table:
    table = Table("worst terms", "count", "tokens", f"pieces by {name}")
    for term in terms:
        pieces = "·".join(one_line(piece) for piece in term["pieces"]).lstrip()
        table.add_row(one_line(term["term"]), f"{term['count']:,}", f"{term['tokens']:.2f}", pieces)
    return table


def _recommendation(report: Row, console: Console) -> None:
    found = report["recommendation"]
    if found["verdict"] is None:
        _say(console, f"No recommendation: {found['reason']}")
        return
    table = Table("new tokens", "tokens saved", "95 % interval", "parameters")
    for each in found["curve"]:
        table.add_row(
            f"{each['tokens']:,}", f"{each['saved']:.1%}", _interval(each), f"{each['parameters']:,}"
        )
    console.print(table)
    places = Table("domain", "language", f"saved by {found['expected']['tokens']:,}", "95 % interval")
    for each in found["groups"]:
        places.add_row(
            one_line(each["domain"]), one_line(each["language"]), f"{each['saved']:.1%}", _interval(each)
        )
    console.print(places)
    _say(console, f"Recommendation: {found['verdict']}. {found['reason']}.")
    if found["tokens"]:
        for kind, text in report["text"].items():
            costs = (_cost(found["expected_cost"][kind]), _cost(report["cost"][kind]))
            _say(console, f"To {kind} {_size(text['bytes'])}: {' instead of '.join(costs)}.")
    if scripts := report["unneeded_scripts"]:
        listed = ", ".join(f"{script} {count:,}" for script, count in scripts.items())
        _say(console, f"Unused tokens of scripts that the sample does without: {listed}.")
    for doubt in found["doubts"]:
        _say(console, f"Mind: {doubt}.")
    _say(
        console,
        f"Learnt from {found['learnt_bytes']:,} bytes, measured on {found['measured_documents']:,} other "
        f"documents. The rule: under {LEAST_SAVED:.0%} saved, leave alone; more new tokens as long as a step "
        f"saves {LEAST_STEP:.0%} more; replace where as many tokens are unneeded, else extend. Assumed: text "
        "to come is like the sample, scripts not in it are not needed, all tokens cost the same, and rows "
        f"have {found['hidden_size']:,} numbers, in embeddings and in a head of its own.",
    )


def _interval(saving: Row) -> str:
    if saving["interval"] is None:
        return "too few documents"
    low, high = saving["interval"]
    return f"{low:.1%} to {high:.1%}"


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False)
