"""The scale plan: tasks, memory, bytes, core-hours and dollars of a curation run, from measured rates.

    python -m benchmarks.scale.plan 1TB 100TB

Prints the tables of `docs/scale.md`, which says where each rate was measured.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

UNITS = {"GB": 10**9, "TB": 10**12}
TEXT_A_DOCUMENT = 5_000
PART = 256 * 10**6
BANDS = 14
PAIRS = 0.15
"""Candidate pairs, for each document."""
COMPARED = 0.2
"""The share of documents whose texts are compared."""
KEPT = 0.5
"""The share of text that is tokenized."""
DOLLARS = 0.045
"""Of one core for an hour."""
MB = 10**6


class Stage(NamedTuple):
    """What a stage takes."""

    name: str
    tasks: int
    memory: float
    """GB of the largest task."""
    read: float
    written: float
    """Bytes; of a stage that sorts in files, these too."""
    seconds: float
    """Of one core."""


def stages(text: int, part: int) -> list[Stage]:
    """The stages of a run over so many bytes of text."""
    documents, parts = text / TEXT_A_DOCUMENT, -(-text // part)
    stored, kept, in_part = 0.3 * text, KEPT * text, 2 * part / 1e9 + 0.4
    pieces = -(-int(documents) // 2**32)  # documents are numbered with 32 bits where pairs are made
    of_piece = documents / pieces
    sorting = 0.5 + 0.5 * max(1.0, of_piece / 2**29)  # there are 128 files to divide rows among
    clusters = (1 / 8 + 12 * PAIRS) * of_piece / 1e9
    rows = {"preference": 0.33e6, "candidates": 1.5e6, "select": 0.32e6, "mix": 1e6}
    seconds = {name: documents / rate for name, rate in rows.items()}
    bands, pairs, compared, both = BANDS * documents, PAIRS * documents, COMPARED * text, 2 * PAIRS * text
    return [
        Stage("ingest", parts, in_part, stored, stored, text / (60 * MB)),
        Stage("annotate", parts, in_part, stored, 300 * documents, text / (13.5 * MB)),
        Stage("preference", pieces, sorting, 60 * documents, 130 * documents, seconds["preference"]),
        Stage("candidates", BANDS * pieces, sorting, 36 * bands, 28 * bands, BANDS * seconds["candidates"]),
        Stage("pair_texts", parts, in_part, stored, compared, text / (500 * MB)),
        Stage("verify_pairs", round(pairs / 1e5), 0.7, both, 24 * pairs, both / (40 * MB)),
        Stage("select", pieces, sorting + clusters, 150 * documents, 200 * documents, seconds["select"]),
        Stage("tokenize", parts, in_part, KEPT * stored, kept / 2, kept / (20 * MB)),
        Stage("mix", 1, 0.3, 60 * KEPT * documents, 90 * KEPT * documents, KEPT * seconds["mix"]),
        Stage("shards", round(kept / 4 / 2**24) + 1, 0.5, kept / 2, kept / 2, kept / (200 * MB)),
    ]


def table(text: int, part: int, price: float) -> str:
    """The plan as a Markdown table."""
    lines = [
        "| Stage | Tasks | GB of memory, largest task | TB read | TB written | Core-hours | Dollars |",
        "|---|---|---|---|---|---|---|",
    ]
    every = stages(text, part)
    for stage in every:
        lines.append(
            f"| `{stage.name}` | {stage.tasks:,} | {stage.memory:.1f} | {stage.read / 1e12:,.2f} "
            f"| {stage.written / 1e12:,.2f} | {stage.seconds / 3600:,.1f} "
            f"| {stage.seconds / 3600 * price:,.2f} |"
        )
    hours = sum(stage.seconds for stage in every) / 3600
    read, written = (sum(values) / 1e12 for values in zip(*((s.read, s.written) for s in every), strict=True))
    lines.append(f"| all | | | {read:,.2f} | {written:,.2f} | {hours:,.0f} | {hours * price:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="+", help="such as 1TB")
    parser.add_argument("--part", type=int, default=PART, help="bytes of text in a part")
    parser.add_argument("--price", type=float, default=DOLLARS, help="dollars of a core for an hour")
    options = parser.parse_args()
    for size in options.text:
        text = int(float(size[:-2]) * UNITS[size[-2:]])
        print(f"{size} of text, {text // TEXT_A_DOCUMENT:,} documents\n")
        print(table(text, options.part, options.price) + "\n")


if __name__ == "__main__":
    main()
