"""Scores on held-out documents: what each piece of a document got, and bits per byte of groups of them.

Bits per byte compares models with different tokenizers. For documents of B bytes of text in T tokens, of
which N are predicted with a summed loss of L nats:

    bits per byte = L / N / ln 2 × T / B

that is, the mean bits of a predicted token times the tokens per byte (Gao et al. 2020, "The Pile", section
3.1). T counts the tokens that stand for something in the text: all but the token that begins a text, where
the tokenizer puts one. The token that ends a document counts: it is predicted, and says where the text stops.

- With a begin token, N = T: this is plain perplexity, L / (B ln 2), the sum over all predicted tokens.
- Without one, the first token of each document is not predicted; so it is in every piece but the first of a
  document that is cut. The formula counts it at the mean of the others, where plain perplexity takes it as
  free: they differ by the factor T / N.
- In a conversation only what the assistant says is predicted. T and B are of the whole of it, so every
  token, those of the template too, counts at the mean of the predicted ones. Models compare by this only if
  they have the same tokenizer and template.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

UNKNOWN = "und"
"""The language of documents that have none (BCP 47: undetermined)."""

SUMS = ("nats", "predicted", "tokens", "bytes")
"""L, N, T and B above."""

PIECES = pa.schema(
    [
        ("doc_id", pa.string()),
        ("first_token", pa.int64()),
        ("cluster", pa.string()),
        ("group", pa.string()),
        ("language", pa.string()),
        ("nats", pa.float64()),
        ("predicted", pa.int64()),
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
"""A row for each piece of a document, in the order of the shards.

`first_token` says where in the document the piece begins; `cluster` is the same for documents that belong
together; `language` is null where nobody gave languages. A piece that the model could not score has no
tokens.
"""


@dataclass(frozen=True)
class Described:
    """What is known of held-out documents, each by its id, besides what their shards say."""

    languages: Mapping[str, str] | None = None
    """Documents that are not in it count as `und`; None: nobody knows languages."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Of documents that belong together, such as questions about one text, a common name."""


@dataclass(frozen=True)
class GroupScore:
    """Mean loss in nats per predicted token, bits per byte, and the counts that they are made of."""

    loss: float
    bits_per_byte: float | None
    predicted_tokens: int
    tokens: int
    """Without those that begin a text."""
    bytes: int

    @classmethod
    def of(cls, nats: float, predicted: float, tokens: float, size: float) -> Self:
        """The score that these sums make."""
        loss = float(nats / predicted) if predicted else math.nan
        bits_per_byte = float(loss / math.log(2) * tokens / size) if size else None
        return cls(loss, bits_per_byte, int(predicted), int(tokens), int(size))


@dataclass(frozen=True)
class Spread:
    """How sure bits per byte are: their standard error over documents, which are the sample (tokens are not).

    Both errors are of ratios of sums, by the delta method; None where there are fewer than two documents.
    """

    documents: int
    error: float | None
    """Of the bits per byte."""
    change_error: float | None
    """Of how much they changed since training began, document by document, so that what is hard before and
    after cancels out; None too where nobody knows what each piece cost then."""


@dataclass(frozen=True)
class Evaluation:
    """Scores of every group and of all together after `step` optimizer steps.

    `languages` holds the scores of each language over all groups, `group_languages` those of each language
    in each group. Both are empty where the languages of the documents were not given. `spread` says by group
    how sure the scores are, `total_spread` those of all together; only training asks for them.
    """

    step: int
    seconds: float
    total: GroupScore
    groups: dict[str, GroupScore]
    languages: dict[str, GroupScore] = field(default_factory=dict)
    group_languages: dict[str, dict[str, GroupScore]] = field(default_factory=dict)
    spread: dict[str, Spread] = field(default_factory=dict)
    total_spread: Spread | None = None

    @classmethod
    def of(cls, pieces: pa.Table, step: int, seconds: float) -> Self:
        """Add up the scores of pieces."""
        sums = sums_of(pieces)
        group = pieces["group"].to_numpy()
        total, groups = GroupScore.of(*sums.sum(axis=0)), _scores(group, sums)
        if pieces["language"].null_count:
            return cls(step, seconds, total, groups)
        language = pieces["language"].to_numpy()
        in_group = {name: group == name for name in groups}
        return cls(
            step,
            seconds,
            total,
            groups,
            _scores(language, sums),
            {name: _scores(language[here], sums[here]) for name, here in in_group.items()},
        )

    def with_spread(self, pieces: pa.Table, start: npt.NDArray[np.float64] | None) -> Self:
        """The same with how sure it is.

        Args:
            pieces: Those that it is of.
            start: `[pieces]`, the nats that each of them cost when training began; None: nobody knows.
        """
        group = pieces["group"].to_numpy().astype(str)
        by_group = {name: _spread(pieces, start, group == name) for name in self.groups}
        return replace(self, spread=by_group, total_spread=_spread(pieces, start, np.ones(len(group), bool)))

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Evaluation":
        """The reverse of `to_json`."""

        def scores(found: dict[str, Any]) -> dict[str, GroupScore]:
            return {name: GroupScore(**score) for name, score in found.items()}

        return cls(
            value["step"],
            value["seconds"],
            GroupScore(**value["total"]),
            scores(value["groups"]),
            scores(value.get("languages", {})),
            {name: scores(found) for name, found in value.get("group_languages", {}).items()},
            {name: Spread(**found) for name, found in value.get("spread", {}).items()},
            Spread(**total) if (total := value.get("total_spread")) else None,
        )


def sums_of(pieces: pa.Table) -> npt.NDArray[np.float64]:
    """`SUMS` of each piece, `[pieces, 4]`; one without tokens was not scored, and its bytes do not count."""
    sums = np.stack([pieces[name].to_numpy().astype(np.float64) for name in SUMS], axis=1)
    sums[sums[:, 2] == 0] = 0
    return sums


def _scores(names: npt.NDArray[Any], sums: npt.NDArray[np.float64]) -> dict[str, GroupScore]:
    """The score of the pieces of each name; `names` is `[pieces]`, `sums` `[pieces, 4]`."""
    found, codes = np.unique(names.astype(str), return_inverse=True)
    totals = [np.bincount(codes, weights=column, minlength=len(found)) for column in sums.T]
    return {str(name): GroupScore.of(*of_name) for name, *of_name in zip(found, *totals, strict=True)}


def _spread(pieces: pa.Table, start: npt.NDArray[np.float64] | None, here: npt.NDArray[np.bool_]) -> Spread:
    """How sure the score of the pieces `here` (`[pieces]`) is."""
    names = pieces["doc_id"].combine_chunks().dictionary_encode().indices.to_numpy()[here]
    found, document = np.unique(names, return_inverse=True)
    sums = sums_of(pieces)[here]
    now = influences(sums, document)
    if start is None:
        return Spread(len(found), _error(now), None)
    before = influences(np.column_stack([start[here], sums[:, 1:]]), document)
    return Spread(len(found), _error(now), _error(now - before))


def influences(sums: npt.NDArray[np.float64], document: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How much each document adds to the bits per byte of all, `[documents]`, from `SUMS` of its pieces.

    A ratio of sums changes by its own value times the document's share of each sum.
    """
    of_each = np.stack([np.bincount(document, weights=column) for column in sums.T], axis=1)
    totals = of_each.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        nats, predicted, tokens, size = totals
        bits = nats / predicted * tokens / size / math.log(2)
        influences: npt.NDArray[np.float64] = of_each @ (bits * np.array([1.0, -1.0, 1.0, -1.0]) / totals)
    return influences


def _error(influences: npt.NDArray[np.float64]) -> float | None:
    """The standard error of a sum of so many documents' influences."""
    count = len(influences)
    error = math.sqrt(float((influences**2).sum()) * count / (count - 1)) if count > 1 else math.nan
    return error if math.isfinite(error) else None
