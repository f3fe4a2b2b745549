"""The tokenizer in the report: what it is, what was changed in it, and how it fits before and after."""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.stages.tokenizer import ENCODER

TOKENS_SHOWN = 40


def tokenizer_report(graph: Graph, done: Finished) -> dict[str, Any] | None:
    """`base`, `vocabulary`, the encoder, `changes` and `fit`; None where there is no tokenizer yet."""
    stage, workdir = graph.tokenizer, done.workdir
    if stage not in done:
        return None
    changed = stage.vocabulary is not None and stage.vocabulary in done
    return {
        "base": graph.recipe.tokenizer.base,
        "vocabulary": stage.manifest(workdir).counts.number("vocabulary"),
        **orjson.loads(stage.path(workdir, ENCODER).read_bytes()),
        "changes": _changes(stage.vocabulary.changes(workdir)) if changed and stage.vocabulary else None,
        "fit": graph.fit.content(workdir) if graph.fit in done else None,
    }


def _changes(changes: dict[str, Any]) -> dict[str, Any]:
    """How many tokens were added and replaced, those that save most, and what they were learnt from."""
    tokens = changes["tokens"]
    replaced = sum(token["replaced"] is not None for token in tokens)
    most = sorted(tokens, key=lambda token: -(token["gain"] or 0))[:TOKENS_SHOWN]
    return {
        "added": len(tokens) - replaced,
        "replaced": replaced,
        "tokens": [token["text"] for token in most],
        "learnt_from": changes["groups"],
    }
