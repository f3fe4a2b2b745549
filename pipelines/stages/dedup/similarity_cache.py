"""What any run of a work folder verified: the similarity of pairs, which depends on their texts alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow.parquet as pq

from filters.dedup import jaccard
from filters.dedup.candidates import pairs_of
from mixers.arrays import Allocate
from pipelines.execution.manifest import damages_of
from pipelines.execution.output import Output, whole_files
from pipelines.stages.dedup.numbering import Numbering

FILE = "similarities.json"


def publish_similarities(output: Output, ngram: int, numbering: Numbering) -> None:
    """Say what the pairs of this stage's Parquet files are: `a`, `b`, `similarity`."""
    output.write_json(FILE, {"version": jaccard.VERSION, "ngram": ngram, **numbering.to_json()})


def known_similarities(
    workdir: Path, ngram: int, numbering: Numbering, pairs: npt.NDArray[np.uint64], allocate: Allocate
) -> npt.NDArray[np.float64]:
    """The similarity of those pairs (ascending) that some run verified; nan for the others."""
    similarity = allocate(len(pairs), np.float64)
    similarity[:] = np.nan
    for published in sorted((workdir / "stages").glob(f"*/{FILE}")):
        folder = published.parent
        files = whole_files(folder)
        if FILE not in files or any(damages_of(folder, files.values())):
            continue
        content = orjson.loads(published.read_bytes())
        if (content["version"], content["ngram"]) != (jaccard.VERSION, ngram):
            continue
        earlier = Numbering.from_json(content)
        for name in sorted(name for name in files if name.endswith(".parquet")):
            edges = pq.read_table(folder / name)
            a, b = (numbering.translated(edges.column(side).to_numpy(), earlier) for side in ("a", "b"))
            here = (a >= 0) & (b >= 0)
            known, values = pairs_of(a[here], b[here]), edges.column("similarity").to_numpy()[here]
            place = np.searchsorted(pairs, known)
            wanted = place < len(pairs)
            wanted[wanted] = pairs[place[wanted]] == known[wanted]
            similarity[place[wanted]] = values[wanted]
    return similarity
