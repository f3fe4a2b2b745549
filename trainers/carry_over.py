"""Embeddings learnt on a base model, carried to a sibling that was fine-tuned from the same base.

Learned Embedding Propagation (Tikhomirov & Chernyshev 2024, "Facilitating large language model Russian
adaptation with Learned Embedding Propagation", arXiv 2412.21140, section 2.2). With the embeddings I of the
base, of the sibling and of the adapted model, the sibling gets I_adapted D, input and output embeddings each
with a D of its own:

- `swap` (2.2.1): D is the identity.
- `correction` (2.2.2): D is the least-squares solution of I_base D = I_sibling over the tokens that the old
  and the new vocabulary have in common.
- `conversion` (2.2.3): the same over all tokens of the new vocabulary, a new one being the mean of its old
  pieces on both sides. In their table 3 it is the best of the three for both instruct models with an
  extended vocabulary.
- `residual` (not in the paper): D as in `conversion`, but a token of both vocabularies keeps its row of the
  sibling, I_sibling + (I_adapted - I_base) D. What fine-tuning taught single tokens, which no matrix for all
  of them can hold, stays. It is the default: in `benchmarks/carry_over.py` no other method keeps the
  sibling's skill where much of it lies in single rows.

Of all least-squares solutions it is the one nearest to the identity, so directions that no token has stay.
Control tokens, and all tokens that the sibling alone has, keep the sibling's own rows, as in the authors'
program (github.com/RefalMachine/ruadapt, `ushanka`): nobody else has learnt them.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tokenizer_tools.load import load_tokenizer
from trainers.carried_tokenizer import CarriedTokenizer, carry_tokenizer
from trainers.embeddings import ModelFiles, replace_weights
from trainers.model import vocabulary_size

if TYPE_CHECKING:
    from torch import Tensor

Method = Literal["swap", "correction", "conversion", "residual"]
METHODS: tuple[Method, ...] = get_args(Method)
BEST: Method = "residual"

ALIKE = 0.5
"""The median cosine of two models' embeddings of the same token below which they are no siblings."""
_SHAPE = (
    "model_type",
    "hidden_size",
    "n_embd",
    "num_hidden_layers",
    "n_layer",
    "num_attention_heads",
    "n_head",
)
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Fit:
    """How well the base's embeddings, transformed, are the sibling's: norms of what is left, in shares."""

    weight: str
    cosine: float
    """The median cosine of the base's and the sibling's embeddings of the same token."""
    before: float
    """Of the difference to the base's own embeddings."""
    after: float
    """Of the difference to the transformed ones."""


@dataclass(frozen=True)
class CarriedOver:
    """What the new model holds."""

    method: Method
    new_tokens: int
    own_tokens: int
    """Added tokens whose rows are the sibling's."""
    moved: dict[int, int]
    """New tokens that have another id than in the adapted model: the old id and the new one."""
    rows: int
    """Embeddings, those without a token included."""
    fits: tuple[Fit, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


def carry_over(
    base: str | Path, adapted: str | Path, sibling: str | Path, output: Path, method: Method = BEST
) -> CarriedOver:
    """Write the sibling with the adapted model's tokenizer and embeddings, as an ordinary model folder.

    One matrix of each model is in memory at a time, and one file of the sibling's weights.

    Args:
        base: Folder or hub id of the model that both others were made from.
        adapted: The base with a changed tokenizer, whose embeddings were trained.
        sibling: The base, fine-tuned with its own tokenizer, such as the instruct model.
        output: The folder to write; it is empty or does not exist.
        method: How embeddings are brought to the sibling.

    Raises:
        ValueError: `output` holds something, the three do not belong together, or the adapted model's
            tokenizer is no change of the base's.
    """
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"{output} is not empty. Choose a new folder.")
    models = [ModelFiles.open(name) for name in (base, adapted, sibling)]
    _check_shapes(*models)
    tokenizer = carry_tokenizer(*(load_tokenizer(name) for name in (base, adapted, sibling)))
    largest = max(tokenizer.place(number) for number in (*tokenizer.shared, *tokenizer.pieces))
    found = {}
    fits = []
    for of_base, of_adapted, of_sibling in zip(*(model.matrices for model in models), strict=True):
        matrices = _Matrices(
            *(m.read(n) for m, n in zip(models, (of_base, of_adapted, of_sibling), strict=True))
        )
        _check_rows(matrices, tokenizer, models)
        transformation, fit = _transformation(matrices, tokenizer, method, of_sibling)
        if fit.cosine < ALIKE:
            raise ValueError(
                f"{sibling} was not made from {base}: their embeddings of the same tokens have nothing in"
                f" common (median cosine {fit.cosine:.2f})."
            )
        rows = max(len(matrices.adapted), len(matrices.sibling))
        found[of_sibling] = _carried(
            matrices,
            tokenizer,
            transformation,
            rows if largest < rows else vocabulary_size(largest),
            keep_changes=method == "residual",
        )
        fits.append(fit)
    output.mkdir(parents=True, exist_ok=True)
    replace_weights(models[2], found, output)
    rows = len(found[models[2].input])
    _write_config(models[2].folder, output, rows)
    tokenizer.files.save(output)
    return CarriedOver(method, len(tokenizer.pieces), len(tokenizer.own), tokenizer.moved, rows, tuple(fits))


@dataclass(frozen=True)
class _Matrices:
    """The input or the output embeddings of the three models, `[rows, width]`."""

    base: "Tensor"
    adapted: "Tensor"
    sibling: "Tensor"


def _check_shapes(base: ModelFiles, adapted: ModelFiles, sibling: ModelFiles) -> None:
    if "lm_head.bias" in sibling.weights:
        raise ValueError(
            f"The output layer of {sibling.name} has a bias; such models are not carried over to."
        )
    for other in (adapted, sibling):
        for key in _SHAPE:
            expected, found = (_text_config(model).get(key) for model in (base, other))
            if expected != found:
                raise ValueError(
                    f"{other.name} was not made from {base.name}: its {key} is {found}, not {expected}."
                )
        if (other.output is None) != (base.output is None):
            tied = base.name if base.output is None else other.name
            raise ValueError(
                f"{other.name} was not made from {base.name}: of {tied} alone the input and output embeddings"
                " are tied."
            )


def _check_rows(matrices: _Matrices, tokenizer: CarriedTokenizer, models: list[ModelFiles]) -> None:
    """Raise ValueError where text can give ids that a model has no embedding for.

    A control token may have none, as that for images in Gemma 3 1B.
    """
    needed = (tokenizer.shared[-1], max(tokenizer.pieces), tokenizer.shared[-1])
    rows = (len(matrices.base), len(matrices.adapted), len(matrices.sibling))
    for model, largest, count in zip(models, needed, rows, strict=True):
        if largest >= count:
            raise ValueError(
                f"{model.name} has {count} embeddings, but its tokenizer has the id {largest}: they do not"
                " belong together."
            )


def _text_config(model: ModelFiles) -> dict[str, Any]:
    config: dict[str, Any] = model.config.get("text_config") or dict(model.config)
    return config


def _transformation(
    matrices: _Matrices, tokenizer: CarriedTokenizer, method: Method, weight: str
) -> "tuple[Tensor, Fit]":
    """D, float64 `[width, width]`, and how well it fits."""
    import torch

    width = matrices.base.shape[1]
    identity = torch.eye(width, dtype=torch.float64)
    products = torch.zeros(width, width, dtype=torch.float64)
    changes = torch.zeros(width, width, dtype=torch.float64)
    cosines = [torch.nn.functional.cosine_similarity(old, new) for old, new in _shared(matrices, tokenizer)]
    pairs = [_shared(matrices, tokenizer)]
    if method in ("conversion", "residual"):
        pairs.append(_converted(matrices, tokenizer))
    for old, new in (pair for some in pairs for pair in some):
        products += old.T @ old
        changes += old.T @ (new - old)
    change = torch.linalg.pinv(products, hermitian=True) @ changes
    transformation = identity if method == "swap" else identity + change
    left = torch.zeros(3, dtype=torch.float64)
    for old, new in _shared(matrices, tokenizer):
        for place, rest in enumerate((new, new - old, new - old @ transformation)):
            left[place] += rest.square().sum()
    whole, before, after = left.sqrt().tolist()
    cosine = float(torch.cat(cosines).median())
    return transformation, Fit(weight, cosine, before / whole, after / whole)


def _shared(matrices: _Matrices, tokenizer: CarriedTokenizer) -> "Iterator[tuple[Tensor, Tensor]]":
    """The base's and the sibling's embeddings of tokens in both vocabularies, float64, some at a time."""
    for start in range(0, len(tokenizer.shared), _ROWS_AT_ONCE):
        ids = tokenizer.shared[start : start + _ROWS_AT_ONCE]
        yield matrices.base[ids].double(), matrices.sibling[ids].double()


def _converted(matrices: _Matrices, tokenizer: CarriedTokenizer) -> "Iterator[tuple[Tensor, Tensor]]":
    """The same of new tokens, each the mean of its pieces."""
    import torch

    pieces = [each for each in tokenizer.pieces.values() if each]
    for start in range(0, len(pieces), _ROWS_AT_ONCE):
        some = pieces[start : start + _ROWS_AT_ONCE]
        flat = [piece for each in some for piece in each]
        lengths = torch.tensor([len(each) for each in some])
        token = torch.repeat_interleave(torch.arange(len(some)), lengths)
        base, sibling = (
            torch.zeros(len(some), rows.shape[1], dtype=torch.float64).index_add_(
                0, token, rows[flat].double()
            )
            / lengths[:, None]
            for rows in (matrices.base, matrices.sibling)
        )
        yield base, sibling


def _carried(
    matrices: _Matrices,
    tokenizer: CarriedTokenizer,
    transformation: "Tensor",
    rows: int,
    keep_changes: bool,
) -> "Tensor":
    """The new matrix. Rows without a token are the sibling's, or the mean where it has none."""
    import torch

    carried = torch.zeros(rows, matrices.sibling.shape[1], dtype=torch.float32)
    own = set(tokenizer.own)
    sources = [
        number for number in (*tokenizer.shared, *tokenizer.pieces) if tokenizer.place(number) not in own
    ]
    for start in range(0, len(sources), _ROWS_AT_ONCE):
        some = sources[start : start + _ROWS_AT_ONCE]
        places = [tokenizer.place(number) for number in some]
        carried[places] = (matrices.adapted[some].double() @ transformation).float()
    if keep_changes:
        _add_to_sibling(carried, matrices, tokenizer, transformation)
    filled = torch.zeros(rows, dtype=torch.bool)
    filled[[tokenizer.place(number) for number in sources]] = True
    mean = carried[filled].mean(dim=0)
    kept = ~filled
    kept[len(matrices.sibling) :] = False
    carried[kept] = matrices.sibling[kept[: len(matrices.sibling)]].float()
    carried[~filled & ~kept] = mean
    return carried


def _add_to_sibling(
    carried: "Tensor", matrices: _Matrices, tokenizer: CarriedTokenizer, transformation: "Tensor"
) -> None:
    """Set rows of tokens in both vocabularies to the sibling's and what the adapted model's learnt."""
    for start in range(0, len(tokenizer.shared), _ROWS_AT_ONCE):
        ids = tokenizer.shared[start : start + _ROWS_AT_ONCE]
        learnt = (matrices.adapted[ids].double() - matrices.base[ids].double()) @ transformation
        carried[ids] = (matrices.sibling[ids].double() + learnt).float()


def _write_config(sibling: Path, output: Path, rows: int) -> None:
    """The sibling's config.json with another number of embeddings."""
    config = json.loads((sibling / "config.json").read_bytes())
    config.get("text_config", config)["vocab_size"] = rows
    if "vocab_size" in config:
        config["vocab_size"] = rows
    (output / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
