"""`coupage evaluate`: loss and bits per byte of a model on shards, beside another model's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.errors import UserError
from pipelines.graph import HELD_OUT
from pipelines.printing import print_json
from pipelines.standalone.shards import open_shards
from tokenizer_tools.load import HUB_ID, TokenizerError, load_tokenizer

if TYPE_CHECKING:
    from trainers.evaluate import Evaluation, GroupScore


def show_scores(model: str, shards: Path | None, base: str | None, json: bool) -> None:
    """`coupage evaluate`; without `shards`, `model` is a run."""
    if shards is None:
        model, shards = _trained(Path(model))
    tokenizer = open_shards(shards).tokenizer_hash
    models = {"model": model, **({"base": base} if base else {})}
    for name in models.values():
        _check_model(name, tokenizer)
    scores = {role: _evaluate(name, shards) for role, name in models.items()}
    if json:
        found = {role: {"name": models[role], **score.to_json()} for role, score in scores.items()}
        print_json({"shards": str(shards), **found})
    else:
        _print(scores, Console())


def _trained(run: Path) -> tuple[str, Path]:
    """The model of the last stage that was trained, and the held-out shards."""
    trained = [run / "train" / stage for stage in ("stage2", "stage1")]
    model = next((folder for folder in trained if (folder / "training.json").is_file()), None)
    if model is None:
        raise UserError(
            "this is not a run with a trained model",
            file=str(run),
            mend="Give a model and a folder of shards, or first: coupage train RUN.",
        )
    shards = run / "shards" / HELD_OUT
    if not shards.is_dir():
        raise UserError(
            "the run holds out no documents",
            file=str(run),
            mend="Give shards as well: coupage evaluate MODEL SHARDS; or set `held_out.share` in the recipe.",
        )
    return str(model), shards


def _check_model(model: str, expected: str) -> None:
    """Warn of a model with another tokenizer than that of the shards, where it says which it has.

    Raises UserError for what can be no model.
    """
    if not Path(model).is_dir() and not HUB_ID.fullmatch(model):
        raise UserError("there is no model", file=model, mend="Give its folder or a hub id, owner/name.")
    try:
        found = load_tokenizer(model).hash
    except TokenizerError:
        return
    if found != expected:
        print(
            f"warning: {model} has another tokenizer.json than the one that made the shards; "
            "if its ids differ, the scores mean nothing",
            file=sys.stderr,
        )


def _evaluate(model: str, shards: Path) -> Evaluation:
    try:
        from trainers.evaluate import evaluate

        return evaluate(model, shards)
    except ImportError as error:
        raise UserError(
            f"evaluation needs more packages: {error}", mend="Install them: pip install 'coupage[train]'"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(str(error), file=model) from error


def _print(scores: dict[str, Evaluation], console: Console) -> None:
    table = Table("group", "tokens", "loss", "bits/byte")
    if "base" in scores:
        table.add_column("base loss")
        table.add_column("base bits/byte")
    for name in sorted(scores["model"].groups):
        _add_row(table, escape(name), [evaluation.groups[name] for evaluation in scores.values()])
    _add_row(table, "all", [evaluation.total for evaluation in scores.values()])
    console.print(table)


def _add_row(table: Table, name: str, scores: list[GroupScore]) -> None:
    cells = [f"{scores[0].tokens:,}"]
    for score in scores:
        bits = score.bits_per_byte
        cells += [f"{score.loss:.3f}", "" if bits is None else f"{bits:.3f}"]
    table.add_row(name, *cells)
