"""What `outcome.json` may hold, with changes of one's choice."""

from __future__ import annotations

from typing import Any

MARGINS = {
    "bits_per_byte": 0.01,
    "score": 0.01,
    "facts": 0.02,
    "confusion": 0.02,
    "long_context": 0.05,
    "new_tokens": 0.0,
}
UNITS = {"held_out": "bits per byte", "benchmarks": "score", "hit_questions": "score"}
VARIANTS = {
    "base": "base",
    "base + prompt": "prompt",
    "stage1": "stage",
    "merged 0.5": "merged",
    "replay 25%": "remedy",
}

Estimate = tuple[float, tuple[float, float] | None]


def row(
    name: str,
    differences: dict[str, Estimate] | None = None,
    from_tuned: dict[str, Estimate] | None = None,
    scores: dict[str, Estimate] | None = None,
) -> dict[str, Any]:
    kinds = {"scores": scores, "differences": differences, "from_tuned": from_tuned}
    return {"name": name, "count": 100} | {
        kind: {
            variant: {"value": value, "interval": interval}
            for variant, (value, interval) in (of or {}).items()
        }
        for kind, of in kinds.items()
    }


def content(tables: dict[str, list[dict[str, Any]]], variants: dict[str, str] = VARIANTS) -> dict[str, Any]:
    return {
        "name": "small",
        "coupage": "0.1.0",
        "base": "base",
        "tuned": "stage1",
        "variants": [
            {"name": name, "kind": kind, "model": f"/models/{name}", "share": None}
            for name, kind in variants.items()
        ],
        "groups": {"domain": ["law"], "general": ["web"]},
        "general_tasks": [],
        "margins": MARGINS,
        "trained": {},
        "tables": {
            name: {
                "title": name,
                "unit": UNITS.get(name, "share"),
                "counted": "documents",
                "less_is_better": False,
                "rows": rows,
                "notes": [],
            }
            for name, rows in tables.items()
        },
        "not_measured": [
            {"measure": "mera", "variants": [], "why": "no data of it were given (`outcome.mera`)"}
        ],
        "contamination": None,
        "verdicts": [],
    }
