"""The shards of a run as they are now."""

from __future__ import annotations

from mixers.shards import Shards
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished


def shards_fingerprint(graph: Graph, name: str, done: Finished) -> str | None:
    """The fingerprint of the shards called `name`; None where there are none."""
    shards = graph.shards.get(name)
    if shards is None or shards not in done:
        return None
    return Shards.open(shards.dataset(done.workdir)).fingerprint
