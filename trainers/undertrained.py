"""Tokens that a model was hardly trained on: by the geometry of its embeddings, and by asking it.

The method, its indicators and its thresholds are those of Land & Bartolo 2024, "Fishing for Magikarp:
Automatically Detecting Under-trained Tokens in Large Language Models" (EMNLP 2024, arXiv 2405.05417), as
their program has them (github.com/cohere-ai/magikarp: `embedding_distance_metrics`,
`calculate_unused_token_metric`, `candidates_for_verification`, `make_tokens_report`):

1. An *indicator* of each token, small where training left its embedding alone. Untied: the norm of the input
   embedding. Tied: the cosine distance of the output embedding from the mean of those that cannot have been
   trained. They list models' unused tokens by hand; here these are rows without a token, tokens named unused,
   and the 13 bytes that UTF-8 does not have; where there is none of them, unreachable tokens; and where
   there is none either, the norm stands in for the distance.
2. *Candidates* are the tokens at or below the second percentile of the indicator over all ordinary tokens.
3. *Under-trained* is a candidate that the model gives a probability below 0.01 where it is to repeat it
   (`trainers.repetition`). Single bytes and special tokens are not counted, as in their reports.

New tokens are held against the second percentile of the ordinary tokens that were there before.

Where the model was not asked, or is too weak to repeat ordinary tokens, step 3 is ours: under-trained are
then those whose indicator is nearer, on a logarithmic scale, to the median of the unused embeddings than to
that of ordinary tokens.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.vocabulary.added import added_tokens
from trainers.embeddings import Embeddings, ModelFiles
from trainers.token_kinds import Kind, Token, token_kinds

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CANDIDATES = 2.0
"""The percentile of the indicator up to which ordinary tokens are candidates."""
UNLIKELY = 0.01
"""The probability of being repeated below which a candidate is under-trained."""
CONTROLS = 32
"""Tokens from the upper half of the indicator that show whether the model can repeat at all."""
ABLE = 0.5
"""The share of controls that a model must repeat for its answers to decide."""
APART = 2.0
"""The factor between the medians of ordinary and of unused tokens from which on embeddings alone decide."""

Values = npt.NDArray[np.float64]

NORM = "norm of the input embedding"
DISTANCE = "cosine distance of the output embedding from the mean of unused ones"


@dataclass(frozen=True)
class Suspect:
    """A token, what its embedding looks like, and whether the model can say it."""

    id: int
    text: str
    kind: Kind
    indicator: float
    distances: dict[str, float]
    """Of its output embedding from the mean of unused ones, in four ways; empty where none is unused."""
    probability: float | None
    """The largest that it had where it was to be repeated; None: the model was not asked."""
    under_trained: bool


@dataclass(frozen=True)
class Undertrained:
    """What a model's tokens look like."""

    model: str
    tied: bool
    indicator: str
    unused: int
    """Embeddings that cannot have been trained, from whose mean distances are taken."""
    threshold: float
    """At or below it a token is a candidate."""
    near_unused: float
    """Up to it an embedding is nearer to the unused ones than to ordinary ones; the threshold where none is
    unused, or where those look like the others."""
    ordinary: int
    """Tokens that the threshold is a percentile of."""
    kinds: dict[str, int]
    """Tokens of each kind."""
    new_tokens: int | None
    """Tokens that the base lacks; None where no base was given and all tokens were looked at."""
    suspects: tuple[Suspect, ...]
    """Candidates among all tokens, or with a base among the new ones; those that look worst first. With a
    base also new tokens that are none, but that the model cannot say."""
    controls: float | None
    """The share of ordinary tokens of the upper half that the model says with at least 0.01; None: it was
    not asked."""

    @property
    def asked(self) -> bool:
        """Whether the model's answers decide; else its embeddings alone do."""
        return _decide(self.controls)

    @property
    def under_trained(self) -> list[Suspect]:
        """The tokens to mend or to replace."""
        return [suspect for suspect in self.suspects if suspect.under_trained]

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self) | {"under_trained": len(self.under_trained)}


def find_undertrained(
    model: str | Path, base: str | Path | None = None, prompts: bool = True
) -> Undertrained:
    """Look at a model's tokens; with a base at those alone that its tokenizer lacks.

    Args:
        model: Folder or hub id of a model with its tokenizer.
        base: The model, or the tokenizer, before the vocabulary was changed.
        prompts: Ask the model to repeat the tokens. Without, its embeddings decide.

    Raises:
        ValueError: No such model or tokenizer, or the tokenizer is not what the base's was changed to.
    """
    stored, tokenizer = ModelFiles.open(model), load_tokenizer(model)
    kinds = token_kinds(tokenizer)
    embeddings = stored.embeddings
    rows = len(embeddings.input)
    _check_rows(model, kinds, rows)
    new = None if base is None else _new(load_tokenizer(base), tokenizer, kinds)
    unused = unused_ids(kinds, rows if base is None else _rows_before(base, rows))
    name, values, apart = indicator(embeddings, unused)
    ordinary = [number for number, token in kinds.items() if token.kind == Kind.ORDINARY]
    old = np.array([number for number in ordinary if new is None or number not in new])
    threshold = float(np.percentile(values[old], CANDIDATES))
    looked_at = ordinary if new is None else sorted(new)
    asked = looked_at if new is not None else [number for number in ordinary if values[number] <= threshold]
    said, controls = _ask(stored, tokenizer, asked, _controls(values, old)) if prompts else ({}, None)

    near = _near_unused(values, unused, old) or threshold

    def is_under_trained(number: int) -> bool:
        if not _decide(controls):
            return bool(values[number] <= near)
        return bool(values[number] <= threshold) and said[number] < UNLIKELY

    def suspect(number: int) -> Suspect:
        return Suspect(
            id=number,
            text=kinds[number].text,
            kind=kinds[number].kind,
            indicator=float(values[number]),
            distances={name: float(each[number]) for name, each in apart.items()},
            probability=said.get(number),
            under_trained=is_under_trained(number),
        )

    suspects = [
        suspect(number)
        for number in looked_at
        if values[number] <= threshold or is_under_trained(number) or _is_silent(said, number, controls)
    ]
    return Undertrained(
        model=str(model),
        tied=embeddings.tied,
        indicator=name,
        unused=len(unused),
        threshold=threshold,
        near_unused=near,
        ordinary=len(old),
        kinds={str(kind): sum(token.kind == kind for token in kinds.values()) for kind in Kind},
        new_tokens=None if new is None else len(new),
        suspects=tuple(sorted(suspects, key=lambda each: (not each.under_trained, each.indicator))),
        controls=controls,
    )


def unused_ids(kinds: Mapping[int, Token], rows: int) -> list[int]:
    """The ids below `rows` whose embeddings cannot have been trained; the unreachable where none is sure."""
    unused = [number for number in range(rows) if number not in kinds or kinds[number].unused]
    return unused or [number for number, token in kinds.items() if token.kind == Kind.UNREACHABLE]


def indicator(embeddings: Embeddings, unused: Collection[int]) -> tuple[str, Values, dict[str, Values]]:
    """What tells trained embeddings from others: small where untrained.

    Args:
        embeddings: Of a model.
        unused: Ids whose embeddings cannot have been trained.

    Returns:
        Its name, its value for each row, and `distances`, which are none where no embedding is unused.
    """
    apart = distances(embeddings.output.numpy(), list(unused)) if unused else {}
    if embeddings.tied and apart:
        return DISTANCE, apart["cosine"], apart
    return NORM, embeddings.input.norm(dim=1).double().numpy(), apart


def distances(rows: npt.NDArray[np.float32], unused: list[int]) -> dict[str, Values]:
    """How far each row is from the mean of unused ones, in the four ways of the paper's program.

    Args:
        rows: Embeddings `[rows, width]`.
        unused: Numbers of the unused ones.

    Returns:
        `cosine`, `centred cosine` (without the mean of all), `cosine without first component` (without the
        direction of the largest variance) and `L2`, each `[rows]`.
    """
    centred = rows - rows.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    first = directions[:, -1]
    without = rows - np.outer(rows @ first, first)
    return {
        "cosine": _cosine_distance(rows, unused),
        "centred cosine": _cosine_distance(centred, unused),
        "cosine without first component": _cosine_distance(without, unused),
        "L2": np.linalg.norm(rows - rows[unused].mean(axis=0), axis=1).astype(np.float64),
    }


def _cosine_distance(rows: npt.NDArray[np.float32], unused: list[int]) -> Values:
    mean = rows[unused].mean(axis=0)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(mean)
    return (1 - rows @ mean / norms.clip(min=1e-6)).astype(np.float64)


def _check_rows(model: str | Path, kinds: Mapping[int, Token], rows: int) -> None:
    """Raise ValueError where text can give an id that has no embedding; Gemma 3 1B has none for images."""
    largest = max(number for number, token in kinds.items() if token.kind != Kind.SPECIAL)
    if largest >= rows:
        raise ValueError(
            f"{model} has {rows} embeddings, but its tokenizer has the id {largest}: they do not belong"
            " together."
        )


def _new(base: TokenizerFiles, tokenizer: TokenizerFiles, kinds: Mapping[int, Token]) -> set[int]:
    """The tokens that the base lacks, without special ones."""
    added = added_tokens(base, tokenizer)
    return {number for number in added if kinds[number].kind != Kind.SPECIAL}


def _rows_before(base: str | Path, rows: int) -> int:
    """How many of a model's rows its base had: those that came later were made from them."""
    if Path(base).exists() and not (Path(base) / "config.json").is_file():
        return rows  # a tokenizer alone
    stored = ModelFiles.open(base)
    return min(rows, len(stored.read(stored.input)))


def _near_unused(values: Values, unused: list[int], ordinary: npt.NDArray[np.int64]) -> float | None:
    """The geometric mean of the indicator's medians over unused and over ordinary tokens.

    None where the two do not differ by a factor of `APART`: then the indicator tells nothing.
    """
    if not unused:
        return None
    medians = [max(float(np.median(values[group])), 1e-6) for group in (unused, ordinary)]
    return float(np.sqrt(np.prod(medians))) if medians[1] >= APART * medians[0] else None


def _decide(controls: float | None) -> bool:
    return controls is not None and controls >= ABLE


def _is_silent(said: Mapping[int, float], number: int, controls: float | None) -> bool:
    """Whether a model that can repeat tokens does not say this one."""
    return _decide(controls) and said.get(number, 1.0) < UNLIKELY


def _controls(values: Values, ordinary: npt.NDArray[np.int64]) -> list[int]:
    """Some ordinary tokens with an indicator above the median, always the same ones."""
    upper = ordinary[values[ordinary] > np.median(values[ordinary])]
    chosen: list[int] = np.random.default_rng(0).permutation(upper)[:CONTROLS].tolist()
    return chosen


def _ask(
    stored: ModelFiles, tokenizer: TokenizerFiles, tokens: list[int], controls: list[int]
) -> tuple[dict[int, float], float]:
    """The probability with which the model repeats each token, and the share of controls that it repeats."""
    from trainers.repetition import repetition

    found = repetition(_plain_model(stored.folder), tokenizer, [*tokens, *controls])
    said = dict(zip(tokens, found.tolist(), strict=False))
    return said, float((found[len(tokens) :] >= UNLIKELY).mean())


def _plain_model(folder: Path) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM

    from trainers.precision import default_device, in_bfloat16

    dtype = torch.bfloat16 if in_bfloat16("auto") else torch.float32
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, trust_remote_code=False)
    return model.to(default_device()).eval()
