"""The `curate.classify` section of a recipe: classifiers and ensembles of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from mixers.quantity import Quantity

STRICT = ConfigDict(frozen=True, extra="forbid")
SourceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
_TOP = re.compile(r"\s*top\s+([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_CONDITION = re.compile(r"\s*score\s*(>=|>)\s*([0-9]*\.?[0-9]+)\s*")
BUCKETS = 20
"""Percentile buckets, as in Nemotron-CC (Su et al. 2024, arXiv 2412.02595)."""


def parse_top(text: str) -> float:
    """The share in `top 30%`, as a number. Raises ValueError."""
    match = _TOP.fullmatch(text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise ValueError(f"{text!r} is no share to keep; write `top 30%`")
    return float(match[1]) / 100


class Condition(NamedTuple):
    """A bound on the probability of a label."""

    strict: bool
    bound: float

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read `score > 0.9` or `score >= 0.9`. Raises ValueError."""
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no condition; write `score > 0.9`")
        return cls(match[1] == ">", float(match[2]))


class FromSource(BaseModel):
    """Examples of a label: documents of a source."""

    model_config = STRICT

    source: SourceName = Field(description="A source of this recipe.")
    sample: Annotated[Quantity, Field(ge=1)] | None = Field(
        None, description="At most so many of its documents, drawn by content; all when left out."
    )


class FromFile(BaseModel):
    """Examples of a label: the records of files."""

    model_config = STRICT

    file: str = Field(description="A file, folder or glob, as the reader `files` takes it.")
    text: str = Field("text", description="The field with the text.")
    sample: Annotated[Quantity, Field(ge=1)] | None = Field(
        None, description="At most so many records, drawn by content; all when left out."
    )


class LabelledFile(BaseModel):
    """Examples of all labels: records that name theirs."""

    model_config = STRICT

    file: str = Field(description="A file, folder or glob, as the reader `files` takes it.")
    text: str = Field("text", description="The field with the text.")
    label: str = Field("label", description="The field with the label.")


def _where_from(value: Any) -> str:
    return (
        "file" if isinstance(value, FromFile) or (isinstance(value, dict) and "file" in value) else "source"
    )


def _listed(value: Any) -> Any:
    """A source's name, one description, or a list of either, as a list of descriptions."""
    items = value if isinstance(value, list | tuple) else [value]
    return [{"source": item} if isinstance(item, str) else item for item in items]


Examples = Annotated[
    tuple[
        Annotated[
            Annotated[FromSource, Tag("source")] | Annotated[FromFile, Tag("file")],
            Discriminator(_where_from),
        ],
        ...,
    ],
    BeforeValidator(_listed),
    Field(min_length=1),
]


def _labelled_how(value: Any) -> str:
    whole = isinstance(value, LabelledFile) or (
        isinstance(value, dict) and isinstance(value.get("file"), str)
    )
    return "labelled" if whole and not isinstance(value, FromFile) else "labels"


TrainingData = Annotated[
    Annotated[LabelledFile, Tag("labelled")]
    | Annotated[dict[str, Examples], Tag("labels"), Field(min_length=2)],
    Discriminator(_labelled_how),
]
"""Labelled files, or a label's name to its examples. The first label's probability is the score."""


class Classifier(BaseModel):
    """What is common to all classifiers that read texts."""

    model_config = STRICT

    train: TrainingData | None = Field(
        None,
        description="What to learn from: {label: [sources or files], ...}, or labelled records by "
        "{file: ..., label: ...}.",
    )
    sources: tuple[SourceName, ...] | None = Field(
        None, description="The sources whose documents it judges; all when left out."
    )
    positive: str | None = Field(
        None,
        description="The label whose probability is the score. Default: of two labels to train, the first.",
    )
    keep: str | None = Field(
        None, description="`top 30%`: documents below are dropped, of all documents of its sources."
    )
    relabel: dict[str, str] = Field(
        default_factory=dict,
        description='Labels that become a document\'s domain, and when: {medicine: "score > 0.9"}.',
    )
    folds: int = Field(5, ge=2, le=20, description="Folds of the cross-validation.")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.keep is not None:
            parse_top(self.keep)
        for condition in self.relabel.values():
            Condition.parse(condition)
        if self.keep and self.relabel:
            raise ValueError("`keep` is for scores, `relabel` for labels; a classifier has one of them")
        if self.positive and self.relabel:
            raise ValueError("with `positive` a classifier gives scores, and has no labels to `relabel` by")
        return self

    @property
    def conditions(self) -> dict[str, Condition]:
        """`relabel`, parsed."""
        return {label: Condition.parse(text) for label, text in self.relabel.items()}

    @property
    def score_label(self) -> str | None:
        """The label whose probability is the score; None where it gives labels, or a number of its own."""
        two = isinstance(self.train, dict) and len(self.train) == 2 and not self.relabel
        return self.positive or (next(iter(self.train)) if two and isinstance(self.train, dict) else None)

    @property
    def examples(self) -> list[FromSource | FromFile | LabelledFile]:
        """Everything it learns from, in order."""
        if self.train is None:
            return []
        if isinstance(self.train, LabelledFile):
            return [self.train]
        return [example for examples in self.train.values() for example in examples]


class FastTextClassifier(Classifier):
    """A fastText classifier (Joulin et al. 2017, arXiv 1607.01759): trained here, or a file."""

    model: Literal["fasttext"]
    file: str | None = Field(None, description="An existing model, .bin or .ftz, instead of `train`.")
    words: Literal["folded", "as they are"] | None = Field(
        None,
        description="What a word is: `folded` (lower case, punctuation apart; the default for `train`) or "
        "`as they are` between white space (the default for `file`).",
    )
    dimensions: int = Field(16, ge=1, le=1024, description="Length of the vectors.")
    ngrams: int = Field(2, ge=1, le=5, description="Longest run of words that is a feature.")
    buckets: Annotated[Quantity, Field(ge=1, lt=2**31)] = Field(
        200_000, description="Vectors that runs of words share by their hash."
    )
    min_count: int = Field(2, ge=1, description="Rarer words have no vector of their own.")
    epochs: int | None = Field(
        None, ge=1, description="Passes over the examples; left out, 5, or more (up to 100) if these are few."
    )
    learning_rate: float = Field(1.0, gt=0, description="At the start; it falls linearly to 0.")

    @model_validator(mode="after")
    def _trained_or_given(self) -> Self:
        if (self.train is None) == (self.file is None):
            raise ValueError("a fasttext classifier has either `train` or `file`")
        return self

    @property
    def folded(self) -> bool:
        """Whether texts are prepared by `filters.plain_words`."""
        return self.words == "folded" if self.words else self.file is None


class TransformerClassifier(Classifier):
    """A sequence classifier, or an embedding model with a linear head that is trained here."""

    model: Literal["transformer"]
    name: str = Field(description="A model folder or a hub id.")
    head: Literal["linear"] | None = Field(
        None, description="`linear`: the model gives embeddings, and `train` a logistic regression on them."
    )
    max_length: int = Field(512, ge=8, description="Tokens that are read of each document.")
    batch_tokens: Annotated[Quantity, Field(ge=8)] = Field(
        16_384, description="Tokens of a batch, padding included."
    )

    @model_validator(mode="after")
    def _head_is_trained(self) -> Self:
        if (self.head is None) != (self.train is None):
            raise ValueError("`head: linear` and `train` belong together")
        return self


class Ensemble(BaseModel):
    """Several classifiers as one: the best percentile that any gives a document (arXiv 2412.02595)."""

    model_config = STRICT

    model: Literal["ensemble"] = "ensemble"
    ensemble: tuple[SourceName, ...] = Field(
        min_length=2, description="Names of classifiers that give scores."
    )
    keep: str | None = Field(None, description="`top 30%`: documents below are dropped.")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.keep is not None:
            parse_top(self.keep)
        return self


def _with_model(value: Any) -> Any:
    """An ensemble is known by its key."""
    return {"model": "ensemble", **value} if isinstance(value, dict) and "ensemble" in value else value


ClassifierConfig = Annotated[
    Annotated[FastTextClassifier | TransformerClassifier | Ensemble, Field(discriminator="model")],
    BeforeValidator(_with_model),
]
