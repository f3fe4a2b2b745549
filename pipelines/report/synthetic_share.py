"""How much of each group is synthetic text: made from another document."""

from __future__ import annotations

from typing import Any

from mixers.budget import SYNTHETIC
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.stages.mix import SYNTHETIC_TOKENS_USED, TOKENS_USED, Mix


def synthetic_shares(graph: Graph, done: Finished) -> dict[str, dict[str, dict[str, Any]]]:
    """For each mixture the groups that hold synthetic text.

    Of each the `share` of the tokens of its distinct documents, and whether its recipe gave that share
    (`asked`).
    """
    shares = {}
    for name, mix in graph.mixes.items():
        if isinstance(mix, Mix) and mix in done:
            counts = mix.manifest(done.workdir).counts
            made = {group: number for (_, group, _), number in counts.rows(SYNTHETIC_TOKENS_USED) if number}
            asked = graph.recipe.mixtures[name].synthetic
            shares[name] = {
                group: {
                    "share": number / counts.number(TOKENS_USED, scope=group),
                    "asked": group in asked or group.removesuffix(SYNTHETIC) in asked,
                }
                for group, number in made.items()
            }
    return shares
