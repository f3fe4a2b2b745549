"""The charts of the report's page, each made of one section of `report.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pipelines.report.log_linear import LogLinear
from pipelines.report.page.chart import Chart, bars, heatmap, histogram, lines, points

Content = Mapping[str, Any]
REASONS_DRAWN = 7
"""More reasons than that are drawn together; the table has each."""
BEFORE_AND_AFTER = ("c5", "c1")
"""Colours of what was before, or asked for, and what is now."""
MODELS = ("c1", "c5", "c2", "c3", "c4")
"""Colours of a model, its base, and others."""
OTHER = "other reasons"
FEWEST_LOGARITHMIC = 4
"""Where the largest place is so many times the smallest, the axis is logarithmic."""


def mixture_chart(ledger: Content, stage: str) -> Chart | None:
    """What the recipe asks of each group and what its rows give; None where nothing was asked for."""
    groups = [group for group in ledger["groups"] if group["quota"]]
    if not groups:
        return None
    return bars(
        f"{stage}: tokens asked for and built, by group",
        [group["group"] for group in groups],
        {
            "asked for": [group["quota"]["asked_share"] * ledger["total"] for group in groups],
            "built": [group["quota"]["built"] for group in groups],
        },
        of="group",
        unit=ledger["unit"].replace("_", " "),
        shades=BEFORE_AND_AFTER,
    )


def deviation_chart(deviation: Content, stage: str) -> Chart:
    """How far each group is from its quota after each of some rows."""
    names = dict.fromkeys(name for point in deviation["points"] for name in point["groups"])
    series = [
        {
            "name": name,
            "x": [point["row"] for point in deviation["points"]],
            "y": [point["groups"].get(name) for point in deviation["points"]],
        }
        for name in names
    ]
    return lines(
        f"{stage}: tokens above or below the quota of each group after each number of rows",
        series,
        x="rows",
        unit=deviation["unit"].replace("_", " "),
        band=deviation["sequence_length"],
    )


def funnel_chart(sources: Sequence[Content]) -> Chart | None:
    """What became of each source's records."""
    read = [source for source in sources if source["records"] and source["kept"] is not None]
    if not read:
        return None
    return bars(
        "What became of the records of each source, as shares",
        [source["source"] for source in read],
        {
            "kept": [_ratio(source["kept"], source["records"]) for source in read],
            "dropped": [_ratio(sum(source["dropped"].values()), source["records"]) for source in read],
            "set aside": [_ratio(sum(source["set_aside"].values()), source["records"]) for source in read],
        },
        of="source",
        unit="share",
        stacked=True,
        shades=("c1", "c5", "c8"),
    )


def reasons_chart(sources: Sequence[Content]) -> Chart | None:
    """The share of each source's documents that was dropped for each reason."""
    read = [source for source in sources if source["documents"] and source["dropped"]]
    if not read:
        return None
    shares: Counter[str] = Counter()
    for source in read:
        shares.update({reason: n / source["documents"] for reason, n in source["dropped"].items()})
    drawn = [reason for reason, _ in shares.most_common(REASONS_DRAWN)]
    series = {
        reason: [_ratio(source["dropped"].get(reason, 0), source["documents"]) for source in read]
        for reason in drawn
    }
    if len(shares) > len(drawn):
        rest = [sum(n for r, n in source["dropped"].items() if r not in drawn) for source in read]
        series[OTHER] = [_ratio(n, source["documents"]) for n, source in zip(rest, read, strict=True)]
    return bars(
        "Share of each source's documents that was dropped, by reason",
        [source["source"] for source in read],
        series,
        of="source",
        unit="share",
        stacked=True,
    )


def clusters_chart(duplicates: Content) -> Chart:
    """How many clusters have each size."""
    sizes = duplicates["cluster_sizes"]
    return bars(
        "Clusters of duplicates by the documents in them",
        [f"{entry['size']:,}" for entry in sizes],
        {"clusters": [entry["clusters"] for entry in sizes]},
        of="documents in a cluster",
        unit="clusters",
    )


def similarities_chart(duplicates: Content) -> Chart:
    """Pairs by similarity, with the threshold above which one of a pair is dropped."""
    bins = duplicates["similarities"]
    return histogram(
        "Pairs that were compared, by similarity",
        [entry["low"] for entry in bins],
        [entry["high"] for entry in bins],
        {
            "one was dropped": [entry["dropped"] for entry in bins],
            "both were kept": [entry["pairs"] - entry["dropped"] for entry in bins],
        },
        x="similarity",
        unit="pairs",
        thresholds={"threshold": duplicates["threshold"]},
    )


def overlap_chart(duplicates: Content) -> Chart:
    """Documents of one source that were dropped for a copy in another."""
    found = {(entry["source"], entry["kept_source"]): entry["documents"] for entry in duplicates["overlap"]}
    dropped, kept = (list(dict.fromkeys(pair[side] for pair in found)) for side in (0, 1))
    return heatmap(
        "Documents dropped as copies: the row's source lost them to the column's",
        dropped,
        kept,
        [[found.get((row, column), 0) for column in kept] for row in dropped],
        of="dropped from",
        unit="documents",
    )


def languages_chart(languages: Sequence[Content], stage: str) -> Chart:
    """Tokens by group and language."""
    return _by_group(languages, "language", "tokens", f"{stage}: tokens of each group by language")


def licences_chart(licences: Sequence[Content], stage: str) -> Chart | None:
    """Tokens of a mixture by licence."""
    rows = [row for row in licences if row["tokens"].get(stage)]
    if not rows:
        return None
    return bars(
        f"{stage}: tokens by licence",
        [row["licence"] for row in rows],
        {"tokens": [row["tokens"][stage] for row in rows]},
        of="licence",
        unit="tokens",
    )


def lengths_chart(lengths: Content, group: str) -> Chart:
    """Documents of a group by tokens; `bounds` are the bins' lower ends, and may end with the last end."""
    bounds = lengths["bounds"]
    high = [*bounds[1:], *([2 * bounds[-1] or 1] if len(bounds) == len(lengths["documents"]) else [])]
    return histogram(
        f"{group}: documents by length in tokens",
        bounds[: len(high)],
        high,
        {"documents": lengths["documents"]},
        x="tokens",
        unit="documents",
        logarithmic=high[-1] > FEWEST_LOGARITHMIC * max(bounds[0], 1),
    )


def packing_chart(packing: Content, stage: str) -> Chart:
    """Rows by how many documents they hold."""
    inside = packing["documents_per_row"]
    bounds, rows = inside["bounds"], inside["rows"]
    return bars(
        f"{stage}: rows by the documents in them",
        [_whole_numbers(low, after) for low, after in pairwise(bounds)],
        {"rows": rows},
        of="documents in a row",
        unit="rows",
    )


def confusion_chart(validation: Content, label: str) -> Chart:
    """What the classifier said of documents of each label."""
    confusion = validation["confusion"]
    said = list(next(iter(confusion.values())))
    return heatmap(
        f"{label}: the row's label, and the column's that the classifier gave",
        list(confusion),
        said,
        [list(row.values()) for row in confusion.values()],
        of="label",
        unit="examples",
    )


def tokenizer_chart(fit: Content, kind: str) -> Chart:
    """Bytes per token of each domain or language, before and after the vocabulary was changed."""
    after = {row["group"]: row["bytes_per_token"] for row in fit["after"][kind]}
    earlier_rows = (fit.get("before") or {}).get(kind, ())
    before = {row["group"]: row["bytes_per_token"] for row in earlier_rows}
    earlier = {"before": [before.get(group) for group in after]} if before else {}
    return bars(
        f"Bytes per token by {kind[:-1]}",
        list(after),
        {**earlier, "now": list(after.values())},
        of=kind[:-1],
        unit="bytes per token",
        shades=BEFORE_AND_AFTER if before else None,
    )


def loss_chart(curve: Content, stage: str) -> Chart:
    """The loss of the training steps."""
    series = [{"name": "training loss", "x": curve["steps"], "y": curve["loss"]}]
    return lines(f"{stage}: training loss by step", series, x="step", unit="loss in nats")


def speed_charts(curve: Content, stage: str) -> list[Chart]:
    """Tokens per second, and MFU where it is known."""
    of = {"tokens_per_second": "tokens per second", "mfu": "MFU"}
    return [
        lines(
            f"{stage}: {title} by step",
            [{"name": title, "x": curve["steps"], "y": curve[key]}],
            x="step",
            unit="share" if key == "mfu" else title,
        )
        for key, title in of.items()
        if any(value is not None for value in curve.get(key) or ())
    ]


def groups_chart(curve: Content, stage: str) -> Chart | None:
    """Bits per byte of each group's held-out documents over the steps, with intervals."""
    series = [
        {"name": group, "x": of["step"], "y": of["bits_per_byte"], "intervals": of["interval"]}
        for group, of in curve["groups"].items()
        if any(value is not None for value in of["bits_per_byte"])
    ]
    if not series:
        return None
    label = f"{stage}: bits per byte of held-out documents by step"
    return lines(label, series, x="step", unit="bits per byte")


def held_out_chart(comparison: Content, stage: str) -> Chart:
    """Bits per byte of each group, of the model and of its base, with intervals."""
    named = {**comparison["groups"], "all": comparison["total"]}
    roles = list(comparison["total"]["scores"])
    of = {role: [each["scores"].get(role, {}) for each in named.values()] for role in roles}
    return bars(
        f"{stage}: bits per byte of held-out documents by group",
        list(named),
        {role: [score.get("bits_per_byte") for score in scores] for role, scores in of.items()},
        of="group",
        unit="bits per byte",
        intervals={role: [score.get("interval") for score in scores] for role, scores in of.items()},
        shades=MODELS[: len(roles)],
    )


def benchmarks_chart(evaluation: Content, stage: str) -> Chart | None:
    """The first metric of each benchmark, of each model, with 95 % intervals of its standard error."""
    models = {role: model["harness"] for role, model in evaluation.items() if "harness" in (model or ())}
    tasks = [
        (task, next(iter(score["metrics"])))
        for task, score in next(iter(models.values()), {}).items()
        if score["metrics"]
    ]
    if not tasks:
        return None
    return bars(
        f"{stage}: scores in benchmarks",
        [f"{task}, {metric}" for task, metric in tasks],
        {
            role: [harness[task]["metrics"].get(metric) for task, metric in tasks]
            for role, harness in models.items()
        },
        of="benchmark",
        unit="score",
        intervals={
            role: [_two_errors(harness[task], metric) for task, metric in tasks]
            for role, harness in models.items()
        },
        shades=MODELS[: len(models)],
    )


def yield_chart(curve: Content) -> Chart | None:
    """A score over synthetic tokens, and the line; None for fewer than two numbers of tokens above 0."""
    places = [[point["synthetic_tokens"], point["score"]] for point in curve["points"]]
    places = [place for place in places if place[0] > 0]
    ends = sorted({tokens for tokens, _ in places})
    if len(ends) < 2:
        return None
    line = LogLinear(**curve["fit"]) if curve["fit"] else None
    return points(
        f"{curve['score']}, {curve['unit']}, over synthetic tokens",
        places,
        [[tokens, line.at(tokens)] for tokens in (ends[0], ends[-1])] if line else None,
        x="synthetic tokens",
        unit=curve["unit"],
    )


def _by_group(rows: Sequence[Content], by: str, unit: str, label: str) -> Chart:
    groups = list(dict.fromkeys(row["group"] for row in rows))
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row[by] or "unknown"] += row[unit]
    kinds = [kind for kind, _ in totals.most_common(REASONS_DRAWN)]
    series = {
        kind: [
            sum(row[unit] for row in rows if row["group"] == group and (row[by] or "unknown") == kind)
            for group in groups
        ]
        for kind in kinds
    }
    if len(totals) > len(kinds):
        series["others"] = [
            sum(row[unit] for row in rows if row["group"] == group and (row[by] or "unknown") not in kinds)
            for group in groups
        ]
    return bars(label, groups, series, of="group", unit=unit, stacked=True)


def _two_errors(score: Content, metric: str) -> list[float] | None:
    value, error = score["metrics"].get(metric), score["errors"].get(metric)
    return None if value is None or not error else [value - 1.96 * error, value + 1.96 * error]


def _whole_numbers(low: int, after: int) -> str:
    return f"{low:,}" if low == after - 1 else f"{low:,} to {after - 1:,}"


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
