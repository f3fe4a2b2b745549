"""What a model was asked to make: what became a document, what did not and why, and what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pipelines.execution.counts import Counts
from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.report.synthesis_examples import (
    Made,
    first_documents,
    of_each_kind,
    rejected_of_each_reason,
    shortened,
)
from pipelines.stages.synthesis import account
from pipelines.stages.synthesis.made_documents import MadeDocuments
from pipelines.synthesis.asking.answers import usage
from pipelines.synthesis.diversity import (
    compression_ratio,
    copied_share,
    distinct_ngrams,
    expansion,
    sample_words,
)

COPIED_SAMPLE = 200
"""Documents that are compared with their passages."""


def synthesis_report(graph: Graph, done: Finished) -> list[dict[str, Any]]:
    """What each finished stage that asks a model made, JSON-able."""
    stages = [stage for stage in graph.stages() if isinstance(stage, MadeDocuments)]
    return [_made(stage, done.workdir) for stage in done.of(stages)]


def _made(stage: MadeDocuments, workdir: Path) -> dict[str, Any]:
    counts = stage.manifest(workdir).counts
    documents = first_documents(stage, workdir)
    reasons = _by_reason(counts, "drafts")
    examples, compared = of_each_kind(documents), documents[:COPIED_SAMPLE]
    rejected = rejected_of_each_reason(stage, workdir, reasons)
    parents = {parent for made in (*examples, *compared) for parent in made.parents}
    parents |= {row["parent_id"] for rows in rejected.values() for row in rows}
    texts = {passage.id: passage.text for passage in stage.passages_of(workdir, parents)}
    return {
        "name": stage.scope,
        **stage.made_by,
        "group": stage.group,
        "asked_about": stage.method.about,
        "passages": _passages(counts),
        "kept": {count.scope: number for count, number in counts.rows("documents_made")},
        "rejected": [
            {
                "reason": reason,
                "number": number,
                "examples": [
                    {
                        "passage_id": row["passage"],
                        "passage": shortened(texts.get(row["passage"], "")),
                        "excerpt": row["excerpt"],
                    }
                    for row in rejected.get(reason, ())
                ],
            }
            for reason, number in reasons.items()
        ],
        "unanswered": counts.number(account.UNANSWERED),
        "took": _took(stage, counts),
        "answers": _answers(stage, workdir),
        "tokens": _tokens(counts),
        "yield": _yield(counts),
        "diversity": _diversity(documents, compared, texts) | {"embedding_spread": stage.spread(workdir)},
        "examples": [_example(made, texts) for made in examples],
    }


def _by_reason(counts: Counts, unit: str) -> dict[str, int]:
    """How many of a flow were dropped for each reason, the most first."""
    found: Counter[str] = Counter()
    for count, number in counts.dropped(unit).items():
        found[count.reason] += number
    return dict(sorted(found.items(), key=lambda row: (-row[1], row[0])))


def _passages(counts: Counts) -> dict[str, Any]:
    with_documents, without = counts.left("passages"), _by_reason(counts, "passages")
    return {
        "asked": with_documents + sum(without.values()),
        "with_documents": with_documents,
        "without": without,
    }


def _took(stage: MadeDocuments, counts: Counts) -> dict[str, Any]:
    """What the answers took that the documents and rejections rest on."""
    sent, came = counts.number(account.INPUT_TOKENS), counts.number(account.OUTPUT_TOKENS)
    price = stage.model.price
    return {
        "calls": counts.number(account.CALLS),
        "input_tokens": sent,
        "output_tokens": came,
        "cost": price.of(sent, came) if price else None,
    }


def _answers(stage: MadeDocuments, workdir: Path) -> dict[str, Any]:
    """What all stored answers took, those too that were asked for in vain or by earlier settings."""
    used, price = usage(stage.answer_files(workdir)), stage.model.price
    busy = used.busy_seconds
    return {
        **used._asdict(),
        "output_tokens_per_second": used.output_tokens / busy if busy else None,
        "cost": price.of(used.input_tokens, used.output_tokens) if price else None,
    }


def _tokens(counts: Counts) -> dict[str, Any]:
    made, wanted = counts.number(account.TOKENS_MADE), counts.number(account.WANTED) or None
    short = wanted is not None and made < wanted
    return {
        "made": made,
        "wanted": wanted,
        "in_words": f"The documents that are asked about gave out: of {wanted:,} tokens wanted {made:,} were "
        "made. Ask about more groups, or by other methods too, or want fewer."
        if short
        else "",
    }


def _yield(counts: Counts) -> dict[str, float | None]:
    """New tokens for each token asked about, and for each token that the model put out."""
    made, came = counts.number(account.TOKENS_MADE), counts.number(account.OUTPUT_TOKENS)
    return {
        "per_token_asked_about": expansion(made, counts.number(account.PASSAGE_TOKENS)),
        "per_output_token": made / came if came else None,
    }


def _diversity(
    documents: Sequence[Made], compared: Sequence[Made], passages: Mapping[str, str]
) -> dict[str, Any]:
    """How varied the first documents are, and how much of them stands in their passages."""
    sample = sample_words([made.text for made in documents])
    copied = [
        copied_share(made.text, [passages.get(each, "") for each in made.passages]) for made in compared
    ]
    return {
        "words": sum(map(len, sample)),
        "distinct_2grams": distinct_ngrams(sample, 2),
        "distinct_4grams": distinct_ngrams(sample, 4),
        "compression_ratio": compression_ratio(sample),
        "copied_5grams": fmean(copied) if copied else None,
    }


def _example(made: Made, passages: Mapping[str, str]) -> dict[str, Any]:
    return {
        "doc_id": made.doc_id,
        "kind": made.kind,
        "passages": [
            {"passage_id": each, "passage": shortened(passages.get(each, ""))} for each in made.passages
        ],
        "turns": [{"role": role, "content": shortened(content)} for role, content in made.turns],
    }


def synthesis_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """A sentence or two on each set of new documents of a report."""
    for made in report["synthesis"]:
        kept, took = sum(made["kept"].values()), made["took"]
        rejected = sum(each["number"] for each in made["rejected"])
        mainly = f" (mostly {made['rejected'][0]['reason']})" if rejected else ""
        cost = "" if took["cost"] is None else f"; it cost {took['cost']:,.2f}"
        yield (
            f"{made['name']}: {kept:,} documents with {made['tokens']['made']:,} tokens made from "
            f"{made['passages']['asked']:,} passages by {made['model']}, {rejected:,} drafts rejected{mainly}"
            f"{cost}"
        )
        if made["tokens"]["in_words"]:
            yield f"{made['name']}: {made['tokens']['in_words']}"
