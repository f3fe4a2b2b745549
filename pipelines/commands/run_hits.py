"""Which questions of benchmarks stand in what a run's models were trained on."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.evaluation.hit_questions import COLUMNS, HitQuestions
from pipelines.graph.build import Graph
from pipelines.stages.contamination.semantic import MECHANISM
from pipelines.stages.contamination.verdicts import ALLOWED, ContaminationVerdicts
from pipelines.stages.select import Select


def hits_of_run(graph: Graph, workdir: Path, stages: list[str]) -> HitQuestions | None:
    """The questions that the run found in training data; None where it looked for those of no task.

    Training data is what the run kept, held-out documents aside, of the sources that the mixtures of these
    stages draw from, whether a draw took the document or not. Questions with a match that a person judged
    to be none, or of which no judge said that it is one, do not count.
    """
    config = graph.recipe.decontaminate
    tasks = {name: each.task for name, each in config.against.items() if each.task} if config else {}
    drawn_from = {tokenized.scope for stage in stages for tokenized in graph.mixes[stage].tokenized}
    found = [
        _questions_found(select, source.contamination, workdir)
        for select in graph.selects
        for source in select.sources
        if source.contamination and source.scope in drawn_from
    ]
    return HitQuestions.of(pl.concat(found).to_arrow(), tasks, None) if tasks and found else None


def _questions_found(select: Select, verdicts: ContaminationVerdicts, workdir: Path) -> pl.DataFrame:
    """The matches of a source's documents that models are trained on: the columns COLUMNS."""
    parts = verdicts.matches.parts
    found = [pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))]
    for part, matches in verdicts.tables(workdir):
        verdict = pl.DataFrame(
            pl.from_arrow(select.verdict(workdir, parts.scope, part, ["keep", "held_out"]))
        )
        trained = verdict.select(pl.arg_where(pl.col("keep") & ~pl.col("held_out"))).to_series()
        unjudged = (pl.col("mechanism") == MECHANISM) & pl.col("judged").is_null()
        counted = matches.filter(
            pl.col("row").is_in(trained.implode()) & (pl.col("action") != ALLOWED) & ~unjudged
        )
        found.append(_with_twins(counted, verdicts.items(workdir)).select(COLUMNS))
    return pl.concat(found)


def _with_twins(matches: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """A match for each item that says the same: only the first of them is looked for."""
    return matches.select("kind", same_as="item").join(items, on="same_as")
