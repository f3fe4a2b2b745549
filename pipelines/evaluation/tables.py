"""The scores of a model beside its base's, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.evaluation.evaluate import ModelScores
from trainers.evaluate import Evaluation, GroupScore
from trainers.harness import TaskScore


def print_scores(scores: Mapping[str, ModelScores], console: Console) -> None:
    """One table for each thing that was asked; with two models, the second one's columns say `base`."""
    for table in _tables(list(scores.values())):
        console.print(table)


def _tables(models: list[ModelScores]) -> Iterator[Table]:
    if held_out := [model.held_out for model in models if model.held_out]:
        yield _held_out_table(held_out)
    if harness := [model.harness for model in models if model.harness]:
        yield _harness_table(harness)
    if swaps := [model.language_swap for model in models if model.language_swap]:
        table = _table(len(swaps), ["goes on from", "prompts"], ["judged", "changed", "into"])
        for language in swaps[0]:
            cells = []
            for score in (found[language] for found in swaps):
                into = ", ".join(f"{name} {count}" for name, count in score.into.items())
                cells += [str(score.judged), "" if score.rate is None else f"{score.rate:.1%}", into]
            table.add_row(language, str(swaps[0][language].prompts), *cells)
        yield table
    if retrieval := [model.retrieval for model in models if model.retrieval]:
        candidates = retrieval[0][0].candidates
        table = _table(len(retrieval), ["tokens", "depth", "facts"], ["said", f"best of {candidates}"])
        for same in zip(*retrieval, strict=True):
            cells = [cell for score in same for cell in (f"{score.exact:.1%}", f"{score.ranked:.1%}")]
            table.add_row(f"{same[0].length:,}", f"{same[0].depth:.0%}", str(same[0].facts), *cells)
        yield table


def _table(models: int, columns: list[str], of_each: list[str]) -> Table:
    return Table(*columns, *of_each, *(f"base {name}" for name in of_each if models > 1))


def _held_out_table(models: list[Evaluation]) -> Table:
    table = _table(len(models), ["group", "tokens"], ["loss", "bits/byte"])
    for group in sorted(models[0].groups):
        _add_row(table, escape(group), [model.groups[group] for model in models])
        for language in models[0].group_languages.get(group, {}):
            of_language = [model.group_languages[group][language] for model in models]
            _add_row(table, f"  {escape(language)}", of_language)
    _add_row(table, "all", [model.total for model in models])
    for language in models[0].languages:
        _add_row(table, f"  {escape(language)}", [model.languages[language] for model in models])
    return table


def _add_row(table: Table, name: str, scores: list[GroupScore]) -> None:
    cells = [f"{scores[0].tokens:,}"]
    for score in scores:
        bits = score.bits_per_byte
        cells += [f"{score.loss:.3f}", "" if bits is None else f"{bits:.3f}"]
    table.add_row(name, *cells)


def _harness_table(models: list[Mapping[str, TaskScore]]) -> Table:
    table = _table(len(models), ["task", "shots", "questions", "metric"], ["score", "±"])
    for name in models[0]:
        _add_task(table, name, [model[name] for model in models])
    return table


def _add_task(table: Table, name: str, scores: list[TaskScore]) -> None:
    """A row for each metric; a tag, which has none, shows its tasks."""
    first = scores[0]
    for metric in first.metrics:
        cells = []
        for score in scores:
            error = score.errors.get(metric)
            cells += [f"{score.metrics[metric]:.4f}", "" if error is None else f"{error:.4f}"]
        shots, questions = (
            "" if number is None else f"{number:,}" for number in (first.num_fewshot, first.questions)
        )
        table.add_row(escape(name), shots, questions, escape(metric), *cells)
    if not first.metrics:
        for part in first.parts:
            _add_task(table, part, [score.parts[part] for score in scores])
