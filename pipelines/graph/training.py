"""What training would refuse, found when a run is planned: from the recipe and the config of its model."""

from __future__ import annotations

import json
import netrc
import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipelines.errors import UserError, WorkError
from pipelines.graph.faults import Faults
from pipelines.graph.named_files import require_model
from pipelines.recipe.recipe import FIRST_STAGE, Recipe
from tokenizer_tools.load import TokenizerError, TokenizerFiles, UnreachableError, load_tokenizer
from tokenizer_tools.vocabulary.added import added_tokens
from trainers.adapters import has_adapter
from trainers.config import SmallModel, Train, stage_before
from trainers.new_tokens.find import written_tokens
from trainers.requirements import ModelConfig, Refusal, Start, refusals


class _Vocabulary(NamedTuple):
    """What is known of the tokens of `train.model`; None: nobody knows."""

    new: int | None = None
    """Those of the run's tokenizer that the model does not know."""
    written: int | None = None
    """The largest id that the model's own tokenizer cuts text into, and one."""


def check_training(recipe: Recipe, tokenizer: TokenizerFiles | None, faults: Faults) -> None:
    """Look at the model that the recipe trains, and at what its stages ask of it.

    Args:
        recipe: The recipe.
        tokenizer: The base tokenizer; None where there is none, or it could not be read.
        faults: Where faults are noted.
    """
    if recipe.train is None:
        return
    for name, stage in recipe.train.stages.items():
        if "wandb" in stage.log_to:
            with faults.noted(f"train.{name}.log_to"):
                _require_wandb_login()
    config, vocabulary = None, _Vocabulary()
    if isinstance(recipe.train.model, str):
        with faults.noted("train.model"):
            config = _config_of(recipe.train.model)
        with faults.noted("tokenizer.base"):
            vocabulary = _vocabulary(recipe, recipe.train.model, tokenizer)
        if config is None:
            return
    for name in recipe.mixtures:
        start = _start(recipe, recipe.train, name, config, vocabulary)
        for refusal in refusals(start, recipe.train.stage(name), _longest(recipe, name)):
            with faults.noted(_place(name, refusal)):
                raise UserError(refusal.message, hint=refusal.hint)


def _start(
    recipe: Recipe, train: Train, stage: str, config: ModelConfig | None, vocabulary: _Vocabulary
) -> Start:
    """What `stage` starts from: a model of the kind of `train.model`, perhaps trained before."""
    before = stage_before(stage, train.stage(stage).start, list(recipe.mixtures))
    name = f"the model of {before}" if before else str(train.model)
    if before:
        return Start(
            name, config or _new(recipe, train, stage).config, False, bool(train.stage(before).adapter)
        )
    if config is None:
        return _new(recipe, train, stage)
    return Start(name, config, False, has_adapter(name), vocabulary.new, vocabulary.written)


def _new(recipe: Recipe, train: Train, stage: str) -> Start:
    """The new model that `stage` starts from, or a stage before it."""
    assert isinstance(train.model, SmallModel)
    first, stages = stage, list(recipe.mixtures)
    while before := stage_before(first, train.stage(first).start, stages):
        first = before
    return Start.of_new(train.model, _longest(recipe, first))


def _longest(recipe: Recipe, stage: str) -> int:
    """Most tokens of a document that the stage reads; what is held out is cut as in the first stage."""
    mixtures = recipe.whole_mixtures
    return max(mixtures[stage].sequence_length, mixtures[FIRST_STAGE].sequence_length)


def _place(stage: str, refusal: Refusal) -> str:
    if refusal.setting == "model":
        return "train.model"
    if refusal.setting == "sequence_length":
        return f"mixtures.{stage}.sequence_length"
    return f"train.{stage}.{refusal.setting}"


def _config_of(name: str) -> ModelConfig:
    """The config.json of a model, which must be one that can be loaded."""
    path = Path(name).expanduser()
    require_model(name, path)
    file = path / "config.json" if path.is_dir() else _fetched_config(name)
    try:
        content: Any = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise UserError(
            f"config.json is no JSON: {error}",
            file=str(path),
            hint="Save the model anew with save_pretrained.",
        ) from error
    if not isinstance(content, dict) or "model_type" not in content:
        raise UserError(
            "config.json names no `model_type`",
            file=str(path),
            hint="Name a model that transformers can load.",
        )
    return content


def _fetched_config(name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(name, "config.json"))
    except EntryNotFoundError as error:
        raise UserError(
            f"`{name}` has no config.json", hint="Name a model that transformers can load."
        ) from error
    except Exception as error:
        raise WorkError(f"the hub was not asked for the config of `{name}`: {error}") from error


def _vocabulary(recipe: Recipe, model: str, tokenizer: TokenizerFiles | None) -> _Vocabulary:
    """What the model's own tokenizer and the run's have of each other."""
    base, more = recipe.tokenizer.base, recipe.tokenizer.most_new_tokens
    if base == model:
        return _Vocabulary(more, None if tokenizer is None else written_tokens(tokenizer))
    path = Path(model).expanduser()
    try:
        own = load_tokenizer(path if path.is_dir() else model)
    except UnreachableError as error:
        raise WorkError(str(error)) from error
    except TokenizerError:
        return _Vocabulary()
    if base is None:
        raise UserError(
            f"the run would train a tokenizer of its own, and `{model}` knows only its own",
            hint=f"Set `tokenizer: {{base: {model}}}`, or train a new model.",
        )
    try:
        new = None if tokenizer is None or more is None else len(added_tokens(own, tokenizer)) + more
    except TokenizerError as error:
        raise UserError(
            str(error),
            hint="Name the tokenizer of `train.model`, or an extension of it, as `tokenizer.base`.",
        ) from error
    return _Vocabulary(new, written_tokens(own))


def _require_wandb_login() -> None:
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    without_login = os.environ.get("WANDB_MODE", "online") != "online"
    if without_login or os.environ.get("WANDB_API_KEY") or _in_netrc(host):
        return
    raise UserError(
        "there is no login for wandb", hint="Set WANDB_API_KEY, or WANDB_MODE=offline, or run `wandb login`."
    )


def _in_netrc(host: str) -> bool:
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
