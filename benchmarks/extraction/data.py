"""The pages of open benchmarks, in folders as their repositories have them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lxml.html import fragment_fromstring

from benchmarks.extraction.gold import Structures, structures_of
from benchmarks.extraction.measures import cells_of, code_of, formulas_of


class GoldPage(NamedTuple):
    """A page and what is to be found in it."""

    name: str
    html: str
    text: str
    structures: Structures
    kind: str = ""


def read_pages(folder: Path, split: str) -> tuple[str, list[GoldPage]]:
    """The benchmark's name and its pages. Raises SystemExit where the folder is of none that is known."""
    if (folder / "ground-truth.json").exists():
        return "article-extraction-benchmark", list(_articles(folder))
    if (folder / split / "ground-truth").is_dir():
        return f"WCXB ({split})", list(_wcxb(folder / split))
    if list(folder.glob("*.jsonl")):
        return "WebMainBench", list(_web_main_bench(folder))
    if (folder / "groundtruth").is_dir():
        return "llm-webkit's bench", list(_webkit(folder))
    raise SystemExit(f"{folder}: no folder of a benchmark: see docs/web_pages.md")


def _articles(folder: Path) -> Iterator[GoldPage]:
    truth = json.loads((folder / "ground-truth.json").read_bytes())
    for name, gold in truth.items():
        html = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()).decode("utf-8", "replace")
        yield GoldPage(name, html, gold.get("articleBody", ""), Structures([], [], []))


def _wcxb(folder: Path) -> Iterator[GoldPage]:
    for path in sorted((folder / "ground-truth").glob("*.json")):
        gold = json.loads(path.read_bytes())
        html = gzip.decompress((folder / "html" / f"{path.stem}.html.gz").read_bytes()).decode(
            "utf-8", "replace"
        )
        text = gold["ground_truth"].get("main_content") or ""
        kind = gold["_internal"]["page_type"]["primary"]
        yield GoldPage(path.stem, html, text, structures_of(html, text), kind)


def _web_main_bench(folder: Path) -> Iterator[GoldPage]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            page = json.loads(line)
            text = page.get("groundtruth_content")
            if text:
                structures = Structures(code_of(text), cells_of(text), formulas_of(text))
                yield GoldPage(page["track_id"], page["html"], text, structures)


def _webkit(folder: Path) -> Iterator[GoldPage]:
    for path in sorted((folder / "groundtruth").glob("*.jsonl")):
        html = (folder / "origin" / f"{path.stem}.html").read_bytes().decode("utf-8", "replace")
        gold = _Elements()
        for line in path.read_text().splitlines():
            gold.take(json.loads(line)["content_list"])
        yield GoldPage(path.stem, html, "\n".join(gold.texts), gold.structures, path.stem.partition("_")[0])


class _Elements:
    """What the elements of a gold page of llm-webkit say."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.structures = Structures([], [], [])

    def take(self, value: Any) -> None:
        """Look for elements in it."""
        if isinstance(value, list):
            for each in value:
                self.take(each)
        elif isinstance(value, dict):
            self._take_element(value)
            for name, each in value.items():
                if name not in _CONTENT:
                    self.take(each)

    def _take_element(self, element: dict[str, Any]) -> None:
        code, formula, table = (element.get(name) for name in ("code_content", "math_content", "html"))
        words = element.get("c") if isinstance(element.get("c"), str) else None
        if code:
            self.structures.code.append(code)
        if formula:
            self.structures.formulas.append(formula)
        if table:
            tree = fragment_fromstring(table, create_parent=True)
            cells = [" ".join(cell.text_content().split()) for cell in tree.iter("td", "th")]
            self.structures.cells.extend(cells)
            self.texts.extend(cells)
        if words and element.get("t") == "equation-inline":
            self.structures.formulas.append(words)
        self.texts.extend(filter(None, (words, element.get("title_content"), code, formula)))


_CONTENT = ("raw_content", "html", "code_content", "math_content", "c", "title_content")
