"""A report as `gather_report` gives it, of simulated sources, seasoned with hostile text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 2">',
    "</script><script>window.hacked = 3</script>",
    "\u202eevil\u2066 \u2028 \x1b[2J",
    "{{ hacked }} ${window.hacked = 4} javascript:window.hacked=5",
    "W" * 5000,
)
EXAMPLE = "The clerk counted the letters twice, and wrote the number into the book. " * 12
REASONS = ("gopher_quality.min_words", "gopher_repetition.top_2_gram", "exact", "near", "language.not_kept")
LANGUAGES = ("en", "de", "ru", "fr", "ar")


def page_content(sources: int = 3, documents: int = 2000, signals: int = 6, seed: int = 0) -> dict[str, Any]:
    """Sums close, and kept documents agree with the signals' counts, as in a run."""
    random = np.random.default_rng(seed)
    names = [f"source {number}" for number in range(sources)]
    names[0] = HOSTILE[1] + names[0]
    groups = [f"group {number}" for number in range(min(sources, 6))]
    found = [
        _source(name, groups[i % len(groups)], documents, signals, random) for i, name in enumerate(names)
    ]
    rows = [row for row, _ in found]
    return {
        "name": f"simulated {HOSTILE[0]}",
        "description": f"Sources that were simulated. {HOSTILE[2]}",
        "seed": 7,
        "unfinished": None,
        "sources": rows,
        "source_tokens": {row["source"]: 900 * row["kept"] for row in rows},
        "signals": [signal for _, signal in found],
        "samples": [sample for row in rows for sample in _samples(row)],
        "hosts": [_hosts(rows[0])],
        "edits": [
            {**_edit(name, edit), "documents_changed": 5 * (edit == "fix_encoding"), "counts": {"lines": 3}}
            for name in names
            for edit in ("fix_encoding", "normalize_lines")
        ],
        "boilerplate": [_boilerplate(names[0])],
        "classifiers": [_classifier()],
        "contamination": _contamination(names),
        "licences": _licences(documents),
        "unknown_licences": "keep",
        "rules": [{"rule": REASONS[0], "source": name, "documents": 9} for name in names],
        "quarantine": [
            {
                "source": names[0],
                "file": f"{HOSTILE[0]}.jsonl",
                "position": "line 2",
                "reason": "invalid JSON",
                "bytes": 20,
                "records": None,
                "sample": HOSTILE[3],
            }
        ],
        "duplicates": _duplicates(names, random),
        "deviation": {stage: _deviation(groups, random) for stage in ("stage1", "stage2")},
        "lengths": _lengths(groups),
        "domains_languages": {
            "stage1": [
                {"group": group, "language": language, "documents": 10, "tokens": 1000 * (rank + 1)}
                for group in groups
                for rank, language in enumerate(LANGUAGES)
            ]
        },
        "tokenizer": _tokenizer(groups),
        "mixtures": {
            "stage1": _ledger(groups, "tokens", documents),
            "stage2": _ledger(groups, "loss_tokens", documents),
        },
        "synthesis": [_synthesis()],
        "synthesis_trial": [],
        "synthetic": {"stage2": {groups[0]: {"share": 0.25, "asked": True}}},
        "training": {stage: _training(groups, random) for stage in ("stage1", "stage2")},
        "yield_curves": [_yields()],
        "evaluation": {"stage1": _evaluation(groups)},
        "outcome": _outcome(),
        "trials": _trials(),
        "lineage": _lineage(names),
        "warnings": [
            {
                "level": "fault",
                "section": "contamination",
                "kind": "leak",
                "in_words": f"A benchmark leaked. {HOSTILE[0]}",
            },
            {
                "level": "caution",
                "section": "mixture",
                "kind": "epochs",
                "in_words": "`group 1` is repeated 4.2 times.",
            },
        ],
        "stages": [_stage("ingest", documents), _stage("select", documents)],
    }


def _source(name: str, group: str, documents: int, signals: int, random: Any) -> tuple[dict, dict]:
    """A source and its signals: every rule drops what is below its limit, and the first is the reason."""
    values = [_values(number, documents, random) for number in range(signals)]
    limits = [round(float(np.quantile(each, 0.06)), 2) for each in values]
    passes = np.stack([each >= limit for each, limit in zip(values, limits, strict=True)])
    others = random.random(documents) > 0.08  # duplicates
    kept = passes.all(axis=0) & others
    dropped = {"exact": int((passes.all(axis=0) & ~others).sum())}
    before = np.ones(documents, bool)
    for number, passed in enumerate(passes):
        dropped[f"rules.signal_{number}.min"] = int((before & ~passed).sum())
        before &= passed
    dropped = {reason: n for reason, n in sorted(dropped.items(), key=lambda row: -row[1]) if n}
    shown = [
        _signal(
            number, values[number], limits[number], np.delete(passes, number, axis=0).all(axis=0) & others
        )
        for number in range(signals)
    ]
    source = {
        "source": name,
        "domain": group,
        "licence": "CC-BY-4.0",
        "synthetic": False,
        "records": documents + 20,
        "set_aside": {"quarantined: invalid JSON": 15, "emptied by c4_lines": 5},
        "documents": documents,
        "text_bytes": 4000 * documents,
        "input_bytes": 5000 * documents,
        "lost_bytes": 300,
        "lost": {"invalid JSON": {"records": 15, "bytes": 300}},
        "lost_in_words": "15 records, 0.1 % of bytes",
        "first_lost": "a.jsonl:2",
        "passed_over": [{"files": 2, "kind": "pictures", "example": HOSTILE[1]}],
        "dropped": dropped,
        "kept": int(kept.sum()),
        "kept_bytes": 3900 * int(kept.sum()),
        "held_out": 40,
        "left_out_by_template": {},
        "languages": {
            language: {"documents": documents // 5, "kept": documents // 7} for language in LANGUAGES
        },
    }
    about = {"source": name, "documents": documents, "kept": int(kept.sum()), "about": name.endswith("1")}
    return source, {**about, "signals": shown}


def _values(number: int, documents: int, random: Any) -> Any:
    """Counts, shares or ratios, of three decimals."""
    if number % 3 == 0:
        return np.round(random.lognormal(5, 1.2, documents))
    values = random.beta(2 + number, 3, documents) if number % 3 == 1 else random.lognormal(0, 0.4, documents)
    return values.round(3)


MARKS = 40
"""Numbers between which a signal's documents are counted."""


def _signal(number: int, values: Any, limit: float, otherwise: Any) -> dict[str, Any]:
    """Marks at even places and at the limit; values have three decimals, so that some are marks."""
    marks = np.union1d(np.quantile(values, np.linspace(0, 1, MARKS)).round(2), limit)
    place = np.searchsorted(marks, values)  # marks[place - 1] < value <= marks[place]
    is_point = marks[np.minimum(place, len(marks) - 1)] == values

    def counts(chosen: Any) -> dict[str, Any]:
        documents = np.bincount(place[chosen], minlength=len(marks) + 1)
        kept = np.bincount(place[chosen & otherwise], minlength=len(marks) + 1)
        at = np.flatnonzero(documents)
        return {"at": at, "documents": documents[at].tolist(), "otherwise_kept": kept[at].tolist()}

    points, intervals = counts(is_point), counts(~is_point)
    ends = np.concatenate([[-np.inf], marks, [np.inf]])
    low, high = ends[intervals["at"]], ends[intervals.pop("at") + 1]
    return {
        "signal": f"signal_{number}",
        "doc": f"Simulated. {HOSTILE[1]}",
        "rules": [{"rule": f"rules.signal_{number}.min", "min": limit, "max": None}],
        "points": {"value": marks[points.pop("at")].tolist(), **points},
        "intervals": {"low": _finite(low), "high": _finite(high), **intervals},
        "missing": {"documents": 0, "otherwise_kept": 0},
        "smallest": float(values.min()),
        "largest": float(values.max()),
    }


def _finite(numbers: Any) -> list[float | None]:
    return [float(number) if np.isfinite(number) else None for number in numbers]


def _samples(source: dict[str, Any]) -> list[dict[str, Any]]:
    def example(number: int, reason: str | None) -> dict[str, Any]:
        hostile = HOSTILE[number % len(HOSTILE)]
        turns = [{"role": "user", "content": hostile}, {"role": "assistant", "content": EXAMPLE}]
        return {
            "doc_id": f"{hostile[:40]}/{number}",
            "text": f"{hostile} {EXAMPLE} عربي",
            "cut": number == 1,
            "turns": turns if number == 2 else None,
            "signals": {"words": 12.5} if reason else {},
            "language": "en",
            "license": "CC-BY-4.0",
            "url": f"https://example.org/{hostile[:40]}",
        }

    return [
        {
            "source": source["source"],
            "group": source["domain"],
            "reason": reason,
            "documents": number,
            "examples": [example(n, reason) for n in range(3)],
        }
        for reason, number in ((None, source["kept"]), *source["dropped"].items())
    ]


def _hosts(source: dict[str, Any]) -> dict[str, Any]:
    top = [
        {"host": host, "documents": 9, "bytes": 900, "kept_documents": 5, "kept_bytes": 500}
        for host in ("example.org", HOSTILE[0])
    ]
    return {
        "source": source["source"],
        "hosts": 2,
        "documents": 18,
        "bytes": 1800,
        "kept_bytes": 1000,
        "top": top,
    }


def _edit(source: str, edit: str) -> dict[str, Any]:
    return {
        "source": source,
        "edit": edit,
        "documents_emptied": 0,
        "bytes_added": 0,
        "bytes_removed": 120 if edit == "fix_encoding" else 0,
    }


def _boilerplate(source: str) -> dict[str, Any]:
    return {
        "source": source,
        "unit": "line",
        "min_documents": 5,
        "recurring": 2,
        "removed": 90,
        "characters_removed": 4000,
        "bytes_removed": 4000,
        "documents_changed": 80,
        "documents_emptied": 1,
        "most_removed": [{"times": 60, "example": HOSTILE[0]}, {"times": 30, "example": "Read more"}],
    }


def _classifier() -> dict[str, Any]:
    labels = ["good", "bad", HOSTILE[1]]
    scores = {
        label: {"examples": 40, "precision": 0.9, "recall": 0.8, "f1": 0.85, "auc": None} for label in labels
    }
    confusion = {label: {said: 30 if said == label else 5 for said in labels} for label in labels}
    mistake = {"doc_id": "web/3", "label": "good", "said": "bad", "probability": 0.98, "text": HOSTILE[2]}
    return {
        "classifier": "quality",
        "ensemble": [],
        "keep": 0.5,
        "dropped": 40,
        "kind": "fasttext",
        "model": {"file": "model.bin", "bytes": 10, "hash": "0123456789abcdef"},
        "body": None,
        "labels": labels,
        "positive": "good",
        "left_out": {},
        "validation": {
            "examples": 120,
            "accuracy": 0.8,
            "accuracy_of_the_most_frequent": 0.4,
            "labels": scores,
            "confusion": confusion,
            "mistakes": [mistake],
        },
    }


def _contamination(names: list[str]) -> dict[str, Any]:
    done = {
        "documents": 100,
        "dropped": 1,
        "spans_cut": 0,
        "emptied": 0,
        "cut": 0,
        "flagged": 2,
        "flagged_kept": 2,
        "allowed": 0,
        "with_a_dropping_match": 1,
    }
    nothing = dict.fromkeys(done, 0)
    pieces = [{"text": f"What is {HOSTILE[0]} ", "matched": False}, {"text": "the answer?", "matched": True}]
    found = {"answer": 1, "question": 2, "passage": 0, "template": 0}
    return {
        "benchmarks": [
            {
                "benchmark": "exam",
                "items": 30,
                "items_alike": 1,
                "set_aside": {},
                "actions": {},
                "splits": [{"split": "test", "items": 30, "found": found}],
            }
        ],
        "sources": [
            {
                "source": name,
                **done,
                "common_ngrams": {"common": 0, "counted_documents": 100, "top": []},
                "benchmarks": [{"benchmark": "exam", **(nothing if n else done)}],
            }
            for n, name in enumerate(names)
        ],
        "not_compared": [],
        "in_words": "100 documents were compared with exam (30 items); dropped: 1.",
        "matches": [
            {
                "source": names[0],
                "doc_id": "web/1",
                "benchmark": "exam",
                "item_id": "q1",
                "split": "test",
                "kind": "answer",
                "mechanism": "n-grams",
                "score": 0.9,
                "coverage": {"question": 1.0},
                "done": "dropped",
                "item": [{"field": "question", "pieces": pieces}],
                "excerpt": pieces,
            }
        ],
    }


def _licences(documents: int) -> list[dict[str, Any]]:
    return [
        {
            "licence": licence,
            "verdict": verdict,
            "documents": documents,
            "bytes": 9 * documents,
            "kept": 9,
            "kept_bytes": 81,
            "dropped": 1,
            "tokens": {"stage1": 1000 * (3 - rank), "stage2": 10},
        }
        for rank, (licence, verdict) in enumerate((("CC-BY-4.0", "allowed"), (HOSTILE[0], "unknown")))
    ]


def _duplicates(names: list[str], random: Any) -> dict[str, Any]:
    pairs = [int(n) for n in random.integers(1, 90, 50)]
    pieces = {
        "dropped": [{"text": "The same. ", "same": True}, {"text": HOSTILE[0], "same": False}],
        "kept": [{"text": "The same. ", "same": True}, {"text": "Another.", "same": False}],
    }
    return {
        "exact": 120,
        "near": 80,
        "pairs_compared": sum(pairs),
        "pairs_verified": sum(pairs[40:]),
        "cluster_sizes": [{"size": 2**n, "clusters": 60 // n, "documents": 120} for n in range(1, 7)],
        "similarities": [
            {
                "low": round(n / 50, 2),
                "high": round((n + 1) / 50, 2),
                "pairs": pair,
                "dropped": pair if n >= 40 else 0,
            }
            for n, pair in enumerate(pairs)
        ],
        "threshold": 0.8,
        "overlap": [
            {"source": one, "kept_source": other, "documents": int(random.integers(1, 500))}
            for one in names
            for other in names
        ],
        "examples": [
            {
                "doc_id": HOSTILE[1],
                "kept_doc_id": "web/2",
                "source": names[0],
                "kept_source": names[-1],
                "similarity": 0.91,
                "method": "near",
                "pieces": pieces,
            }
        ],
    }


def _deviation(groups: list[str], random: Any) -> dict[str, Any]:
    walks = {group: np.clip(np.cumsum(random.normal(0, 150, 300)), -2000, 2000) for group in groups}
    points = [
        {"row": 5 * n + 1, "groups": {group: float(walk[n]) for group, walk in walks.items()}}
        for n in range(300)
    ]
    return {"unit": "tokens", "sequence_length": 2048, "rows": 1500, "points": points}


def _lengths(groups: list[str]) -> dict[str, Any]:
    bounds = [2**n for n in range(12)]
    counts = [int(100 * math.exp(-((n - 7) ** 2) / 6)) for n in range(12)]
    packing = {
        "rows": 1500,
        "fill": 0.97,
        "documents_per_row": {"bounds": [1, 2, 3, 4, 8], "rows": [300, 800, 300, 100]},
        "longest_row": 2048,
    }
    return {
        "tokens_per_document": {
            group: {"bounds": bounds, "documents": counts, "tokens": counts} for group in groups
        },
        "packing": {"stage1": packing, "stage2": packing},
    }


def _tokenizer(groups: list[str]) -> dict[str, Any]:
    def rows(names: list[str], factor: float) -> list[dict[str, Any]]:
        return [
            {
                "group": name,
                "bytes_per_token": factor * (3 + n / 9),
                "characters_per_token": 3.1,
                "fertility": 1.6,
                "words_in_two_share": 0.8,
                "single_byte_share": 0.01,
                "renyi_efficiency": 0.4,
            }
            for n, name in enumerate(names)
        ]

    def fit(factor: float) -> dict[str, Any]:
        worst = [{"term": HOSTILE[0], "tokens": 9.0}]
        return {
            "domains": rows(groups, factor),
            "languages": rows(list(LANGUAGES), factor),
            "worst_terms": worst,
        }

    return {
        "base": "a base",
        "vocabulary": 32000,
        "backend": "tokenizers",
        "refusal": None,
        "changes": {
            "added": 400,
            "replaced": 0,
            "tokens": ["ing", HOSTILE[1]],
            "learnt_from": {groups[0]: {"documents": 90}},
        },
        "fit": {"held_out": True, "before": fit(1.0), "after": fit(1.2)},
    }


def _ledger(groups: list[str], unit: str, documents: int) -> dict[str, Any]:
    share = 1 / len(groups)
    tokens = 500 * documents
    return {
        "unit": unit,
        "sequence_length": 2048,
        "total": tokens * len(groups),
        "rows": 1500,
        "tokens": tokens * len(groups),
        "longest_row": 2048,
        "constraints": ["group 1 ran short."],
        "groups": [
            {
                "group": group,
                "quota": {
                    "asked": 1.0,
                    "asked_share": share,
                    "quota": tokens,
                    "built": tokens - 90 * n,
                    "max_epochs": None,
                    "largest_prefix_deviation": 812.4,
                },
                "documents": 900,
                "documents_used": 800,
                "documents_unused": 100,
                "documents_dropped": 0,
                "documents_shortened": 0,
                "documents_cut": 3,
                "cuts": 4,
                "packs": 250,
                "tokens": tokens,
                "loss_tokens": tokens // 2,
                "unique_tokens": tokens // 2,
                "epochs": 1.5 + n,
                "most_repeated": 2,
                "effective_unique_tokens": 0.9 * tokens,
                "fill": 0.97,
                "longest_uncut": 2000,
                "shortest_cut": 3000,
            }
            for n, group in enumerate(groups)
        ],
    }


def _synthesis() -> dict[str, Any]:
    rejected = {
        "reason": "too_short",
        "number": 12,
        "examples": [{"passage_id": "p1", "passage": EXAMPLE, "excerpt": HOSTILE[0]}],
    }
    example = {
        "doc_id": "made/1",
        "kind": "question",
        "passages": [{"passage_id": "p2", "passage": HOSTILE[1]}],
        "turns": [{"role": "user", "content": HOSTILE[2]}, {"role": "assistant", "content": EXAMPLE}],
    }
    return {
        "name": "questions",
        "method": "qa",
        "model": "a model",
        "group": "questions",
        "asked_about": "stage1",
        "passages": {"asked": 100, "with_documents": 80, "without": {"unreadable": 20}},
        "kept": {"question": 150},
        "rejected": [rejected],
        "unanswered": 0,
        "took": {"calls": 100, "input_tokens": 9000, "output_tokens": 4000, "cost": 0.12},
        "answers": {
            "answers": 100,
            "input_tokens": 9000,
            "output_tokens": 4000,
            "output_tokens_per_second": 90.5,
            "cost": 0.12,
        },
        "tokens": {"made": 3500, "wanted": 3000, "in_words": ""},
        "yield": {"per_token_asked_about": 0.4, "per_output_token": 0.9},
        "diversity": {
            "words": 3000,
            "distinct_2grams": 0.8,
            "distinct_4grams": 0.95,
            "compression_ratio": 2.5,
            "copied_5grams": 0.1,
            "embedding_spread": None,
        },
        "examples": [example],
    }


def _training(groups: list[str], random: Any) -> dict[str, Any]:
    steps = list(range(1, 501))
    at = list(range(0, 501, 50))

    def bits(step: int) -> float:
        return 1.1 + math.exp(-step / 150)

    curve = {
        "steps": steps,
        "loss": [2 + 2 * math.exp(-s / 120) + float(random.normal(0, 0.05)) for s in steps],
        "tokens_per_second": [30000 + float(random.normal(0, 800)) for _ in steps],
        "mfu": [0.4] * 500,
        "learning_rate": [1e-4] * 500,
        "groups": {
            group: {
                "step": at,
                "loss": [2 * bits(s) for s in at],
                "bits_per_byte": [bits(s) + n / 10 for s in at],
                "interval": [[bits(s) + n / 10 - 0.03, bits(s) + n / 10 + 0.03] for s in at],
            }
            for n, group in enumerate(groups)
        },
    }
    named = {**{group: [2.5, 1.9] for group in groups}, "all": [2.6, 1.9]}
    return {
        "tokens": 1_000_000,
        "parameters": 120_000_000,
        "seconds": 4000.0,
        "of_these_shards": True,
        "shards_fingerprint": "abc",
        "steps": 500,
        "rows": 1500,
        "evaluations": [],
        "scores": {"times": ["start", "stage1"], "losses": named, "bits_per_byte": named},
        "curve": curve,
    }


def _yields() -> dict[str, Any]:
    places = [
        {"stage": "stage2", "step": n, "synthetic_tokens": 1000 * n, "score": 1.2 - 0.03 * math.log(n)}
        for n in range(1, 6)
    ]
    fit = {"a": 1.4, "b": -0.03, "b_interval": [-0.031, -0.029], "r_squared": 0.99, "points": 5}
    curve = {"score": "group 0", "unit": "bits per byte", "points": places, "fit": fit}
    return {"stages": ["stage1", "stage2"], "one_model": True, "curves": [curve], "notes": ["A note."]}


def _evaluation(groups: list[str]) -> dict[str, Any]:
    def score(bits: float) -> dict[str, Any]:
        return {
            "loss": 2 * bits,
            "bits_per_byte": bits,
            "tokens": 900,
            "interval": [bits - 0.05, bits + 0.05],
        }

    same = {
        "scores": {"model": score(1.1), "base": score(1.3)},
        "documents": 90,
        "differences": {"base": {"bits_per_byte": -0.2, "interval": [-0.24, -0.16]}},
    }
    task = {
        "metrics": {"acc": 0.55},
        "errors": {"acc": 0.02},
        "questions": 400,
        "num_fewshot": 0,
        "parts": {},
    }
    base = task | {"metrics": {"acc": 0.48}}
    return {
        "model": {"name": "m", "harness": {"exam": task}, "of_these_shards": True},
        "base": {"name": "a base", "harness": {"exam": base}, "of_these_shards": None},
        "comparison": {
            "groups": dict.fromkeys(groups, same),
            "group_languages": {},
            "total": same,
            "languages": {"en": same},
            "left_out": {},
        },
    }


def _trials() -> dict[str, Any]:
    effect = {"value": -0.01, "interval": [-0.02, -0.001], "verdict": "lower"}
    entry = {"effect": effect, "groups": {"web": effect}, "notes": ["a note"]}
    gain = {"gain": 0.01, "interval": [0.001, 0.02], "above": {}}
    candidate = {"shares": {"web": 1.0}, "predicted": gain, "measured": gain, "keeps_guards": True}
    cost = {"trainings": 8, "tokens": 80_000, "seconds": 9.0, "flops": 1e12}
    return {
        "ablations": [
            {
                "kind": "sources",
                "stage": "stage1",
                "seeds": 3,
                "tokens": 10_000,
                "items": [{"item": "<script>alert(1)</script>", **entry}],
                "null": entry,
                "cost": cost,
            }
        ],
        "search": {
            "stage": "stage1",
            "tokens": 10_000,
            "targets": ["web"],
            "weights": {"web": 1.0},
            "own": {"web": 1.0},
            "intervals": {"web": [0.5, 1.0]},
            "candidates": [candidate],
            "cost": cost,
        },
    }


def _outcome() -> dict[str, Any]:
    said = f"forgets: general +0.040 bits per byte {HOSTILE[0]}"
    verdict = {
        "name": "forgets",
        "state": "fires",
        "good": False,
        "sentence": said,
        "evidence": [],
        "advice": "",
    }
    return {
        "page": "outcome.html",
        "tuned": HOSTILE[1],
        "base": "base",
        "verdicts": [verdict, {**verdict, "name": "mixes languages", "state": "unsure"}],
        "of_these_models": False,
    }


def _lineage(names: list[str]) -> dict[str, Any]:
    return {
        "written": "2026-01-02T03:04:05Z",
        "coupage": "0.1.0",
        "python": "3.12.1",
        "platform": "Linux",
        "cpus": 8,
        "memory_bytes": 64 * 10**9,
        "packages": {"polars": "1.30", "torch": "2.10"},
        "recipe": f"name: simulated\n# {HOSTILE[0]}\n",
        "recipe_fingerprint": "0123456789abcdef",
        "began": "2026-01-02T01:00:00Z",
        "ended": "2026-01-02T03:00:00Z",
        "stage_versions": {"ingest": 5},
        "inputs": [
            {"source": name, "path": f"/data/{HOSTILE[1]}", "bytes": 10**6, "files": 3} for name in names
        ],
    }


def _stage(name: str, documents: int) -> dict[str, Any]:
    flow = {"entered": documents, "left": documents, "dropped": []}
    return {
        "stage": name,
        "folder": f"{name}-0123",
        "fingerprint": "0123",
        "finished": True,
        "seconds": 12.5,
        "counts": {"flows": {"documents": flow}, "facts": []},
    }
