"""Scores of the extractors on pages with gold text.

    python -m benchmarks.extraction FOLDER [--split test] [--kinds documentation,forum] [--extractors ...]

FOLDER is a checkout of scrapinghub/article-extraction-benchmark, of WCXB (Murrough-Foley/
web-content-extraction-benchmark), `bench/data` of ccprocessor/llm-webkit-mirror, or a folder with
WebMainBench's .jsonl files. Each extractor runs twice, as it is and with what `keep` keeps. Of words:
precision, recall, F1; pages a second, of one process. Of pages with code, tables or formulas: similarity of
fenced code, lines of code kept, F1 of cells, similarity of formulas, formulas kept.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.extraction import measures
from benchmarks.extraction.data import GoldPage, read_pages
from pipelines.sources.base import Reason
from pipelines.sources.web.options import Pages
from pipelines.sources.web.structure import KINDS
from pipelines.sources.web.workers import Worker

EXTRACTORS = ("trafilatura", "resiliparse", "readability", "whole_page")
BATCH = 32


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="test", help="of WCXB")
    parser.add_argument("--kinds", default="", help="of WCXB: only pages of these types")
    parser.add_argument("--extractors", default=",".join(EXTRACTORS))
    given = parser.parse_args()
    name, pages = read_pages(given.folder, given.split)
    if given.kinds:
        pages = [page for page in pages if page.kind in given.kinds.split(",")]
    with_code, with_cells, with_formulas = (
        [number for number, page in enumerate(pages) if page.structures[which]] for which in range(3)
    )
    print(
        f"{name}: {len(pages)} pages; with code {len(with_code)}, tables {len(with_cells)}, "
        f"formulas {len(with_formulas)}"
    )
    print(f"{'':28}{'P':>7}{'R':>7}{'F1':>7}{'lost':>6}{'pages/s':>9}   ", end="")
    print("code_edit lines  cell_F1  formula_edit kept   F1 by type")
    for extractor in given.extractors.split(","):
        for keep in ((), KINDS):
            _report(name, pages, Pages(extractor=extractor, keep=keep, seconds=30))


def _report(name: str, pages: Sequence[GoldPage], options: Pages) -> None:
    texts, lost, rate = _extract(pages, options)
    if name.startswith("article"):
        counts = [measures.shingle_counts(text, page.text) for text, page in zip(texts, pages, strict=True)]
        scores = measures.shingle_scores(counts)
    else:
        each = [measures.word_scores(text, page.text) for text, page in zip(texts, pages, strict=True)]
        scores = tuple(np.mean(each, axis=0))
    kinds = sorted({page.kind for page in pages if page.kind})
    by_kind = {
        kind: np.mean(
            [measures.word_scores(t, p.text)[2] for t, p in zip(texts, pages, strict=True) if p.kind == kind]
        )
        for kind in kinds
    }
    label = options.extractor + (" + keep" if options.keep else "")
    print(f"{label:28}" + "".join(f"{score:7.3f}" for score in scores) + f"{lost:6}{rate:9.1f}   ", end="")
    print(
        _structure_scores(pages, texts),
        " ".join(f"{kind} {f1:.3f}" for kind, f1 in by_kind.items()),
        flush=True,
    )


def _extract(pages: Sequence[GoldPage], options: Pages) -> tuple[list[str], int, float]:
    """The texts, how many pages were given up, and pages a second."""
    worker = Worker(options)
    list(worker.texts([pages[0].html]))  # starts it
    began = time.perf_counter()
    texts: list[str | Reason] = []
    for at in range(0, len(pages), BATCH):
        texts += worker.texts([page.html for page in pages[at : at + BATCH]])
    rate = len(pages) / (time.perf_counter() - began)
    worker.close()
    lost = sum(isinstance(text, Reason) for text in texts)
    return ["" if isinstance(text, Reason) else text for text in texts], lost, rate


def _structure_scores(pages: Sequence[GoldPage], texts: Sequence[str]) -> str:
    code, lines, cells, formulas, kept = [], [], [], [], []
    for page, text in zip(pages, texts, strict=True):
        gold = page.structures
        if gold.code:
            code.append(measures.edit_similarity(measures.code_of(text), gold.code))
            lines.append(measures.lines_kept(text, gold.code))
        if gold.cells:
            cells.append(measures.cell_f1(measures.cells_of(text), gold.cells))
        if gold.formulas:
            formulas.append(measures.edit_similarity(measures.formulas_of(text), gold.formulas))
            kept.append(measures.formulas_kept(text, gold.formulas))
    columns = ((code, 9), (lines, 7), (cells, 9), (formulas, 13), (kept, 6))
    return "".join(f"{np.mean(values):{width}.3f}" if values else " " * width for values, width in columns)


if __name__ == "__main__":
    main()
