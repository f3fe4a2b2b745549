"""Scores of extracted text beside gold text, and of code, tables and formulas beside gold ones."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHINGLE = 4
"""Words of a shingle, as in scrapinghub's article-extraction-benchmark."""
LONGEST_COMPARED = 5_000
"""Characters that are compared by edit similarity."""

_WORD = re.compile(r"\w+")
_FENCE = re.compile(r"^(`{3,})[^\n`]*\n(.*?)\n\1 *$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\s*\|(.+)\|\s*$", re.MULTILINE)
_RULE = re.compile(r"[\s|:-]+")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())


def word_scores(found: str, gold: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of words, each as often as it occurs (WCXB, `word_f1`)."""
    have, want = Counter(words(found)), Counter(words(gold))
    if not have or not want:
        empty = float(not have and not want)
        return empty, empty, empty
    both = (have & want).total()
    precision, recall = both / have.total(), both / want.total()
    return precision, recall, harmonic(precision, recall)


def shingle_counts(found: str, gold: str) -> tuple[float, float, float]:
    """True positive, false positive and false negative shingles, as shares (scrapinghub, `evaluate.py`)."""
    have, want = _shingles(found), _shingles(gold)
    counts = (have & want).total(), (have - want).total(), (want - have).total()
    whole = sum(counts)
    return tuple(count / whole for count in counts) if whole else (0.0, 0.0, 0.0)


def shingle_scores(counts: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Precision, recall and F1 over pages: means of the first two, and their harmonic mean."""
    precision = _mean([tp / (tp + fp) for tp, fp, _ in counts if tp + fp])
    recall = _mean([tp / (tp + fn) for tp, _, fn in counts if tp + fn])
    return precision, recall, harmonic(precision, recall)


def harmonic(precision: float, recall: float) -> float:
    """F1."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def code_of(text: str) -> list[str]:
    """The fenced blocks of Markdown."""
    return [match[2] for match in _FENCE.finditer(text)]


def cells_of(text: str) -> list[str]:
    """The cells of Markdown's tables."""
    rows = [row for row in _ROW.findall(text) if not _RULE.fullmatch(row)]
    return [cell.strip().replace("\\|", "|") for row in rows for cell in re.split(r"(?<!\\)\|", row)]


def formulas_of(text: str) -> list[str]:
    """The formulas between dollars or LaTeX's delimiters, without code."""
    matches = _FORMULA.findall(_FENCE.sub("", text))
    return [next(filter(None, groups)).strip() for groups in matches]


def edit_similarity(found: Sequence[str], gold: Sequence[str]) -> float:
    """1 - edit distance / length of all blocks in turn: WebMainBench's `code_edit` and `formula_edit`."""
    have, want = (_codes("\n".join(blocks)[:LONGEST_COMPARED]) for blocks in (found, gold))
    longest = max(len(have), len(want))
    return 1 - _edit_distance(have, want) / longest if longest else 1.0


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)


def _edit_distance(have: npt.NDArray[np.uint32], want: npt.NDArray[np.uint32]) -> int:
    """Levenshtein's, a row of the table at a time."""
    steps = np.arange(len(want) + 1)
    row = steps.copy()
    for number, code in enumerate(have, 1):
        inner = np.minimum(row[1:] + 1, row[:-1] + (want != code))
        row = np.minimum.accumulate(np.concatenate([[number], inner]) - steps) + steps
    return int(row[-1])


def lines_kept(text: str, code: Sequence[str]) -> float:
    """The share of lines of code, with their indentation, that are lines of the text, fenced or not."""
    want = Counter(line.rstrip() for block in code for line in block.split("\n") if line.strip())
    have = Counter(line.rstrip() for line in text.split("\n"))
    return (have & want).total() / max(1, want.total())


def cell_f1(found: Sequence[str], gold: Sequence[str]) -> float:
    """F1 of the cells that have words, as often as they occur, white space apart."""
    have, want = (
        Counter(" ".join(cell.split()) for cell in cells if cell.strip()) for cells in (found, gold)
    )
    both = (have & want).total()
    return harmonic(both / have.total(), both / want.total()) if both else 0.0


def formulas_kept(text: str, formulas: Sequence[str]) -> float:
    """The share of formulas whose source stands in the text, white space apart."""
    squeezed = "".join(text.split())
    return _mean([float("".join(formula.split()) in squeezed) for formula in formulas])


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    tokens = _WORD.findall(text)
    if not tokens:
        return Counter()
    last = max(1, len(tokens) - SHINGLE + 1)
    return Counter(tuple(tokens[at : at + SHINGLE]) for at in range(last))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
