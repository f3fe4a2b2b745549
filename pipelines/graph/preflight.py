"""Preflight: what would fail hours later fails at once, all faults together, before anything is written.

The first records of every source are read, and everything else that the recipe names is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import UserError, WorkError
from pipelines.execution.executors.registry import require_executor
from pipelines.graph.build import build_graph, ingest_of
from pipelines.graph.faults import Faults
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.named_files import check_model, check_named_files
from pipelines.graph.training import check_training
from pipelines.recipe.recipe import FIRST_STAGE, Recipe
from pipelines.sources.arxiv import ArxivConfig
from pipelines.sources.config import SourceConfig
from pipelines.sources.files import FilesConfig
from pipelines.sources.first_records import RECORDS
from pipelines.sources.formats import RecordOptions
from pipelines.sources.hub import HubConfig
from pipelines.sources.preview import Preview
from pipelines.sources.quarantine import formats_in_words
from pipelines.sources.refusals import refusal
from pipelines.sources.remote.places import is_remote, server_of
from pipelines.stages.mix import COLUMNS
from pipelines.stages.selected_texts import KNOWN_LATER
from pipelines.stages.set_aside import recognised_formats
from pipelines.stages.synthesis.made_documents import MadeDocuments
from pipelines.stages.tokenize import conversations_of
from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.load import TokenizerError, TokenizerFiles, UnreachableError, load_tokenizer
from tokenizer_tools.train import train_tokenizer


@dataclass
class Preflight:
    """What was found."""

    faults: Faults = field(default_factory=Faults)
    unasked: Faults = field(default_factory=Faults)
    """Of what only training needs."""
    previews: dict[str, Preview] = field(default_factory=dict)
    """Of the sources that are not read yet, by name."""
    read: dict[str, int] = field(default_factory=dict)
    """Documents of the sources that are."""
    recognised: dict[str, str] = field(default_factory=dict)
    """The format of the conversations that a source was found to hold, without a setting that says so."""
    tokenizer: TokenizerFiles | None = None
    """The base tokenizer, with the recipe's chat template."""

    @property
    def recognised_in_words(self) -> list[str]:
        """A line for each source whose conversations were found by their fields."""
        return [
            f"{name}: no field `text`; its fields are those of {found}, so it is read as conversations "
            f"(`messages: {found}`)"
            for name, found in self.recognised.items()
        ]

    @property
    def unreachable(self) -> list[WorkError]:
        """What did not answer."""
        return [*self.faults.unreachable, *self.unasked.unreachable]


def preflight(recipe: Recipe, inputs: LiveInputs, workdir: Path, executor: str = "local") -> Preflight:
    """Look at all inputs of a recipe, and raise what is wrong with it and them.

    Raises:
        UserError: All faults.
        WorkError: Something that the run needs could not be reached.
    """
    looked = look_before(recipe, inputs, workdir, executor)
    for error in looked.faults.unreachable:
        raise error
    return looked


def look_before(recipe: Recipe, inputs: LiveInputs, workdir: Path, executor: str = "local") -> Preflight:
    """Look at all inputs of a recipe.

    Raises:
        UserError: All faults. What did not answer is none.
    """
    looked = Preflight()
    with looked.faults.noted("--executor"):
        require_executor(executor)
    away: set[str] = set()
    for name, config in recipe.sources.items():
        server = _server(config)
        if server in away:
            continue
        unreachable = len(looked.faults.unreachable)
        with looked.faults.noted(f"sources.{name}"):
            _look_at_source(recipe, name, config, inputs, workdir, looked)
        if server is not None and len(looked.faults.unreachable) > unreachable:
            away.add(server)
    _check_groups(recipe, looked)
    _check_tokenizer(recipe, inputs, looked)
    check_named_files(recipe, inputs, looked.unasked)
    check_training(recipe, looked.tokenizer, looked.unasked)
    if recipe.synthesize.asking and _may_ask(recipe, inputs, workdir, looked):
        check_model(recipe.synthesize, executor, looked.unasked)
    looked.faults.found += looked.unasked.found
    looked.faults.check()
    return looked


def _may_ask(recipe: Recipe, inputs: LiveInputs, workdir: Path, looked: Preflight) -> bool:
    """Whether a model is still to be asked for new text, as far as can be told."""
    if looked.faults.found or looked.unasked.found or looked.unreachable:
        return True
    stages = build_graph(recipe, inputs).stages()
    return any(isinstance(stage, MadeDocuments) and not stage.is_finished(workdir) for stage in stages)


def _server(config: SourceConfig) -> str | None:
    """Who is asked for a source; None where that is this machine."""
    if isinstance(config, HubConfig):
        return server_of(f"hf://datasets/{config.dataset}")
    path = config.path if isinstance(config, FilesConfig | ArxivConfig) else ""
    return server_of(path) if is_remote(path) else None


def _look_at_source(
    recipe: Recipe, name: str, config: SourceConfig, inputs: LiveInputs, workdir: Path, looked: Preflight
) -> None:
    inputs.pin_source(name, config)
    ingest = ingest_of(recipe, name, inputs)
    if ingest.is_finished(workdir):
        looked.read[name] = sum(ingest.part_rows(workdir))
        if found := formats_in_words(recognised_formats(ingest.manifest(workdir).counts)):
            looked.recognised[name] = found
        return
    preview = ingest.source.preview()
    looked.previews[name] = preview
    if preview.recognised:
        looked.recognised[name] = preview.recognised
    if preview.is_refused and recipe.quarantine.max_share < 1 and isinstance(config, RecordOptions):
        raise refusal(f"sources.{name}", config, preview.refused)


def _check_groups(recipe: Recipe, looked: Preflight) -> None:
    """Groups whose sources are all empty, and predicates that cannot be evaluated."""
    known = {*COLUMNS, *recipe.curate.classify}
    feeding: dict[str, list[str]] = {}
    for name in recipe.own_sources:
        feeding.setdefault(recipe.for_source(name).domain, []).append(name)
    for stage, mixture in recipe.whole_mixtures.items():
        for group in mixture.weights:
            with looked.faults.noted(f"mixtures.{stage}.groups.{group}"):
                if group in mixture.groups:
                    _check_predicate(mixture.groups[group], known)
                    if stage == FIRST_STAGE and recipe.tokenizer.is_changed:
                        _check_known_early(mixture.groups[group])
                    continue
            sources = feeding.get(group, [])
            if (
                group not in recipe.relabelled
                and sources
                and all(_is_empty(name, looked) for name in sources)
            ):
                with looked.faults.noted(f"mixtures.{stage}.weights.{group}"):
                    raise UserError(
                        f"nothing feeds the group `{group}`: there is no record in {', '.join(sources)}",
                        hint="Mend the source, or take the group out of `weights`.",
                    )


def _is_empty(name: str, looked: Preflight) -> bool:
    if name in looked.read:
        return looked.read[name] == 0
    return name in looked.previews and looked.previews[name].is_empty


def _check_predicate(predicate: str, known: set[str]) -> None:
    hint = "It is an SQL expression; text stands in single quotes: domain = 'law' and language = 'ru'."
    try:
        names = set(pl.sql_expr(predicate).meta.root_names())
    except pl.exceptions.PolarsError as error:
        raise UserError(f"the predicate {predicate} cannot be evaluated: {error}", hint=hint) from error
    if unknown := sorted(names - known):
        raise UserError(
            f"the predicate {predicate} asks for `{unknown[0]}`; documents have: {', '.join(sorted(known))}",
            hint=hint,
        )


def _check_known_early(predicate: str) -> None:
    """Raise UserError where a predicate asks for what a tokenizer that learns from its group cannot know."""
    if later := sorted(set(pl.sql_expr(predicate).meta.root_names()) & set(KNOWN_LATER)):
        raise UserError(
            f"the predicate {predicate} asks for `{later[0]}`, which is known once documents are tokenized, "
            "and the tokenizer is to learn from this group before that",
            hint="Ask for `bytes` instead, or leave out `tokenizer.extend` and `tokenizer.replace`.",
        )


def _check_tokenizer(recipe: Recipe, inputs: LiveInputs, looked: Preflight) -> None:
    config = recipe.tokenizer
    with looked.faults.noted("tokenizer.base"):
        files = _base(config.base, inputs) if config.base else _stand_in(recipe)
        with looked.faults.noted("tokenizer.chat_template"):
            if config.chat_template:
                files = replace(files, chat_template=inputs.chat_template(config.chat_template).text)
            looked.tokenizer = files if config.base else None
            if talking := _with_conversations(recipe, looked):
                encoder = _chat_encoder(files, talking)
                for name in talking:
                    if name in looked.previews:
                        with looked.faults.noted(f"sources.{name}"):
                            first = looked.previews[name].documents.slice(0, RECORDS)
                            _check_conversations(name, first, encoder)


def _base(base: str, inputs: LiveInputs) -> TokenizerFiles:
    inputs.pin_tokenizer(base)
    model = inputs.tokenizer(base)
    try:
        return load_tokenizer(model.location, revision=model.revision)
    except UnreachableError as error:
        raise WorkError(str(error)) from error
    except TokenizerError as error:
        raise UserError(str(error)) from error


def _stand_in(recipe: Recipe) -> TokenizerFiles:
    """A tokenizer with the special tokens that the trained one will have."""
    small = recipe.tokenizer.train.model_copy(update={"vocabulary_size": 512})
    return train_tokenizer([pa.array(["a question, an answer"])], small)


def _with_conversations(recipe: Recipe, looked: Preflight) -> list[str]:
    """The sources and syntheses whose documents are conversations that are tokenized."""
    sources = [
        name
        for name in recipe.own_sources
        if getattr(recipe.sources[name], "messages", None) or name in looked.recognised
    ]
    return [*sources, *recipe.synthesize.methods]


def _chat_encoder(files: TokenizerFiles, talking: list[str]) -> ChatEncoder:
    try:
        return ChatEncoder.build(files)
    except TokenizerError as error:
        raise UserError(f"the conversations of {', '.join(talking)}: {error}") from error


def _check_conversations(name: str, documents: pa.Table, encoder: ChatEncoder) -> None:
    """Raise UserError where the template refuses them all."""
    documents = documents.filter(pc.is_valid(documents.column("messages")))
    messages, template_fields = conversations_of(documents)
    failures = encoder.encode(messages, template_fields).failures
    if documents and len(failures) == len(documents):
        raise UserError(
            f"none of the first {len(documents)} conversations of {name} can be encoded: {failures[0]}",
            hint="Name a template that fits them, or mend the source.",
        )
