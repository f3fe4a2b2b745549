"""What differs between the figures of two reports: a row for each number, beside what it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

Report = dict[str, Any]
Row = dict[str, Any]
"""`of` what (such as {"source": "web"}), `what` it counts, in `a` and `b`, `delta`; null: it is not there."""
Numbers = Mapping[str, float | None]

OF_SOURCES = ("records", "documents", "text_bytes", "kept", "held_out")
OF_STAGES = ("rows", "tokens", "total")
OF_QUOTAS = ("asked", "asked_share", "quota", "built", "max_epochs")
OF_GROUPS = ("documents", "documents_used", "tokens", "loss_tokens", "unique_tokens", "epochs", "fill")
OF_DUPLICATES = ("exact", "near", "pairs_compared", "pairs_verified")
OF_CONTAMINATION = (
    "with_a_dropping_match",
    "dropped",
    "cut",
    "spans_cut",
    "emptied",
    "flagged",
    "flagged_kept",
    "allowed",
)
OF_LICENCES = ("documents", "kept", "dropped")
OF_TRAINING = ("tokens", "steps", "final_loss")
SECTIONS = {
    "sources": "funnel",
    "mixtures": "mixture",
    "duplicates": "duplicates",
    "contamination": "contamination",
    "licences": "licences",
    "training": "training",
    "evaluation": "evaluation",
}
"""The key of a report to the name of the section that is made of it."""


def figure_differences(a: Report, b: Report) -> dict[str, list[Row]]:
    """The rows of each section in which any number differs."""
    tables = {
        "funnel": _funnel,
        "mixture": _mixture,
        "duplicates": _duplicates,
        "contamination": _contamination,
        "licences": _licences,
        "training": _training,
        "evaluation": _evaluation,
    }
    return {name: list(_differing(table(a), table(b))) for name, table in tables.items()}


def what_in_words(what: str) -> str:
    """The name of a number; a reason in it stays as it is spelled."""
    name, colon, reason = what.partition(": ")
    return name.replace("_", " ") + colon + reason


def missing_sections(a: Report, b: Report) -> list[str]:
    """What nobody can compare, in words: a report of another version may not have it."""
    found = []
    for key, section in SECTIONS.items():
        lacking = [name for name, report in (("A", a), ("B", b)) if key not in report]
        if lacking:
            reports = (
                "the reports of A and B have" if len(lacking) == 2 else f"the report of {lacking[0]} has"
            )
            found.append(f"{section}: not compared, {reports} no `{key}`")
    return found


Table = Iterator[tuple[dict[str, str], Numbers]]
"""The numbers of each thing."""


def _differing(a: Table, b: Table) -> Iterator[Row]:
    before, after = ({tuple(of.items()): numbers for of, numbers in table} for table in (a, b))
    for of in dict.fromkeys((*before, *after)):
        old, new = before.get(of, {}), after.get(of, {})
        for what in dict.fromkeys((*old, *new)):
            row = row_of(dict(of), what, old.get(what), new.get(what))
            if row["a"] != row["b"] and (row["a"] or row["b"]):  # 0 where there was nothing is no news
                yield row


def row_of(of: dict[str, str], what: str, old: float | None, new: float | None) -> Row:
    """A row; its `delta` is null where a number is not there."""
    delta = None if old is None or new is None else new - old
    return {"of": of, "what": what, "a": old, "b": new, "delta": delta}


def _picked(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, float | None]:
    return {name: found.get(name) for name in names}


def _funnel(report: Report) -> Table:
    for each in report.get("sources", ()):
        yield (
            {"source": each["source"]},
            {
                **_picked(each, OF_SOURCES),
                **{f"set aside: {why}": number for why, number in (each.get("set_aside") or {}).items()},
                **{f"dropped: {why}": number for why, number in (each.get("dropped") or {}).items()},
            },
        )


def _mixture(report: Report) -> Table:
    for stage, ledger in report.get("mixtures", {}).items():
        yield {"stage": stage}, _picked(ledger, OF_STAGES)
        for group in ledger["groups"]:
            quota = _picked(group.get("quota") or {}, OF_QUOTAS)
            yield {"stage": stage, "group": group["group"]}, {**quota, **_picked(group, OF_GROUPS)}


def _duplicates(report: Report) -> Table:
    found = report.get("duplicates")
    if found:
        yield {}, _picked(found, OF_DUPLICATES)
        for pair in found.get("overlap", ()):
            of = {"source": pair["source"], "duplicates of": pair["kept_source"]}
            yield of, {"documents": pair["documents"]}


def _contamination(report: Report) -> Table:
    found = report.get("contamination") or {"sources": [], "benchmarks": []}
    for source in found["sources"]:
        for of_benchmark in source["benchmarks"]:
            of = {"source": source["source"], "benchmark": of_benchmark["benchmark"]}
            yield of, _picked(of_benchmark, OF_CONTAMINATION)
    for benchmark in found["benchmarks"]:
        for split in benchmark["splits"]:
            items = {f"found: {kind}": number for kind, number in split["found"].items()}
            of = {"benchmark": benchmark["benchmark"], "split": split["split"]}
            yield of, {"items": split["items"], **items}


def _licences(report: Report) -> Table:
    for row in report.get("licences", ()):
        tokens = {f"tokens in {stage}": number for stage, number in (row.get("tokens") or {}).items()}
        yield {"licence": row["licence"]}, {**_picked(row, OF_LICENCES), **tokens}


def _training(report: Report) -> Table:
    """Losses are those at the end of each stage, on held-out documents."""
    for stage, result in report.get("training", {}).items():
        yield {"stage": stage}, _picked(result, OF_TRAINING)
        scores = result.get("scores") or {"losses": {}, "bits_per_byte": {}}
        for group, losses in scores["losses"].items():
            bits = scores["bits_per_byte"].get(group) or [None]
            yield {"stage": stage, "group": group}, {"loss": losses[-1], "bits per byte": bits[-1]}


def _evaluation(report: Report) -> Table:
    return chain.from_iterable(
        chain(_held_out(stage, scores), _benchmarks(stage, scores.get("model") or {}))
        for stage, scores in report.get("evaluation", {}).items()
    )


def _held_out(stage: str, scores: dict[str, Any]) -> Table:
    for group, score in held_out_scores(scores).items():
        yield (
            {"stage": stage, "group": group},
            {
                "loss": score["loss"],
                "bits per byte": score["bits_per_byte"],
            },
        )


def held_out_scores(scores: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the trained model got on each group of held-out documents, and on all."""
    found = scores.get("comparison") or {"groups": {}}
    groups = {**found["groups"], **({"all": found["total"]} if "total" in found else {})}
    return {name: group["scores"]["model"] for name, group in groups.items() if "model" in group["scores"]}


def _benchmarks(stage: str, scores: dict[str, Any]) -> Table:
    for task, score in (scores.get("harness") or {}).items():
        yield {"stage": stage, "benchmark": task}, score.get("metrics") or {}
