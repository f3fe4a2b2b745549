"""The table of presets in docs/datasets.md; as a program, writes it there."""

import re
from pathlib import Path

from pipelines.sources.presets.registry import PRESETS

PAGE = Path(__file__).parents[4] / "docs" / "datasets.md"
_PLACE = re.compile(r"(<!-- presets: [^\n]*-->\n).*?(<!-- end of presets -->)", re.DOTALL)
SHOWN = 6


def table() -> str:
    """Name, description, dataset, languages, licence and domain of each preset."""
    head = ("`use`", "what it is", "dataset", "languages", "licence", "domain")
    rows = [head, ("---",) * len(head)]
    for name, preset in PRESETS.items():
        languages = preset.language or "several"
        if preset.languages:
            codes = preset.languages.codes
            more = f" and {len(codes) - SHOWN:,} more" if len(codes) > SHOWN else ""
            languages = ", ".join(codes[:SHOWN]) + more
        dataset = preset.dataset + (" (gated)" if preset.gated else "")
        rows.append((f"`{name}`", preset.about, dataset, languages, preset.license, preset.domain))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_table(page: str) -> str:
    """The page with the table of today."""
    return _PLACE.sub(lambda found: found[1] + "\n" + table() + "\n" + found[2], page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
