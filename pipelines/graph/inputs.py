"""The outside inputs of a run: live, as a new run finds them, or as a finished run recorded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from typing_extensions import override

from filters.language.language_codes import check_codes
from pipelines.errors import UserError, WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.manifest import Damaged, read_sealed, write_sealed
from pipelines.recipe.classify import FastTextClassifier, TransformerClassifier
from pipelines.recipe.curate import Language
from pipelines.recipe.decontaminate import Embedder
from pipelines.recipe.recipe import Recipe
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.benchmarks import BenchmarkConfig, BenchmarkInput
from pipelines.sources.config import SourceConfig
from pipelines.sources.content import Contents
from pipelines.sources.embedders import EmbedderInput, EndpointEmbedder, ModelEmbedder, find_model
from pipelines.sources.endpoint import EndpointClient
from pipelines.sources.files import FilesConfig
from pipelines.sources.hub import HubSource
from pipelines.sources.judgements import Judgements, read_judgements
from pipelines.sources.language_model import load_identifier
from pipelines.sources.models import ChatTemplate, ModelInput, bundled_language_model, read_chat_template
from pipelines.sources.preview import Preview
from pipelines.sources.remote.copies import local_copy
from pipelines.sources.remote.places import is_remote
from pipelines.sources.word_lists import WordList, read_word_list
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.serving.server import Serve

PINS = "pins.json"
REMEMBERED = "inputs.json"
"""In a run's folder: the hashes of its input files, by the state that they were in."""
MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".model")
"""Of a model's files those that are read: no pickles, no code."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)


class Inputs(Protocol):
    """Where the graph gets its outside inputs from."""

    def source(self, name: str, config: SourceConfig) -> Source:
        """The source called `name`."""
        ...

    def tokenizer(self, base: str) -> ModelInput:
        """The tokenizer that the recipe names."""
        ...

    def chat_template(self, file: str) -> ChatTemplate:
        """The chat template that the recipe names."""
        ...

    def language_model(self, language: Language | None) -> ModelInput:
        """The model that tells the language of documents."""
        ...

    def examples(self, classifier: str, number: int, config: FilesConfig) -> Source:
        """The labelled files that the classifier learns from, in the order of the recipe."""
        ...

    def model(self, classifier: str, config: FastTextClassifier | TransformerClassifier) -> ModelInput | None:
        """The model that a classifier applies or builds on; None where it is trained from nothing."""
        ...

    def word_list(self, source: str, language: str, files: list[str]) -> WordList:
        """The unwanted words of a language in the documents of `source`."""
        ...

    def benchmark(self, name: str, config: BenchmarkConfig) -> BenchmarkInput:
        """The benchmark called `name`, which documents are compared with."""
        ...

    def judgements(self, file: str) -> Judgements:
        """What people said of matches with benchmarks."""
        ...

    def embedder(self, config: Embedder) -> EmbedderInput:
        """What tells which passages are near an item of a benchmark."""
        ...

    def prompts(self, folder: str | None) -> Prompts:
        """The prompts that models are asked with."""
        ...

    def served(self, synthesis: str, config: Serve) -> Serve:
        """The model that is served for a synthesis; a folder's name says which weights it holds."""
        ...

    def path(self, name: str) -> Path:
        """A path as the recipe writes it."""
        ...


@dataclass
class LiveInputs(Inputs):
    """The inputs as they are now. Paths are relative to `base_folder`, the recipe's own.

    `pins` maps a name on a hub to the commit that an earlier run resolved it to, so that a run always means
    the same data.
    """

    base_folder: Path
    pins: dict[str, str] = field(default_factory=dict)
    contents: Contents = field(default_factory=Contents)
    sources: dict[str, Source] = field(default_factory=dict)
    """Those that were asked for, by name: the files of each are listed once."""
    benchmarks: dict[str, BenchmarkInput] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)
    """Of what lies elsewhere, by its URL."""

    @classmethod
    def for_run(cls, base_folder: Path, workdir: Path) -> LiveInputs:
        """The inputs with what an earlier run in `workdir` pinned and remembered."""
        return cls(base_folder, _read_pins(workdir), Contents(_remembered(workdir / REMEMBERED)))

    def remember(self, workdir: Path) -> None:
        """Keep commits, and the hashes of all files that were asked for: they need not be read again."""
        if self.pins != _read_pins(workdir):
            write_sealed(workdir / PINS, {"pins": self.pins})
        if self.contents.seen != self.contents.remembered:
            write_sealed(workdir / REMEMBERED, self.contents.seen)

    @override
    def source(self, name: str, config: SourceConfig) -> Source:
        """The source, at its pinned commit where it has one."""
        if name not in self.sources:
            source = config.build(name, self.base_folder, self.contents)
            pinned = self.pins.get(_source_key(source)) if isinstance(source, HubSource) else None
            self.sources[name] = source.pin(pinned) if isinstance(source, HubSource) and pinned else source
        return self.sources[name]

    @override
    def tokenizer(self, base: str) -> ModelInput:
        """A path relative to the recipe's folder, else a hub id at its pinned commit."""
        path = self.path(base)
        if path.exists():
            files = [path] if path.is_file() else [path / name for name in TOKENIZER_FILES]
            return self._model_of(path, [file for file in files if file.is_file()])
        revision = self.pins.get(_tokenizer_key(base))
        return ModelInput(base, revision, f"{base}@{revision}")

    @override
    def chat_template(self, file: str) -> ChatTemplate:
        """A path relative to the recipe's folder."""
        return read_chat_template(self.path(file))

    @override
    def language_model(self, language: Language | None) -> ModelInput:
        """The bundled model, or a path relative to the recipe's folder."""
        if language is None or language.model is None:
            return bundled_language_model()
        model = self._model_file("curate.language.model", language.model)
        try:
            check_codes(language.keep, load_identifier(model.location).codes)
        except ValueError as error:
            raise UserError(str(error), place="curate.language.keep", hint="Correct the code.") from error
        return model

    @override
    def examples(self, classifier: str, number: int, config: FilesConfig) -> Source:
        """Files relative to the recipe's folder."""
        return config.build(classifier, self.base_folder, self.contents)

    @override
    def model(self, classifier: str, config: FastTextClassifier | TransformerClassifier) -> ModelInput | None:
        """A path relative to the recipe's folder, else (for a transformer) a hub id at its pinned commit."""
        if isinstance(config, FastTextClassifier):
            place = f"curate.classify.{classifier}.file"
            return self._model_file(place, config.file) if config.file else None
        path = self.path(config.name)
        if path.exists():
            return self._model_of(path, model_files(path))
        revision = self.pins.get(_model_key(config.name))
        return ModelInput(config.name, revision, f"{config.name}@{revision}")

    def _model_file(self, place: str, file: str) -> ModelInput:
        path = self.path(file)
        if not path.is_file():
            raise UserError(
                f"there is no file `{path}`",
                place=place,
                hint="Name a fastText model, .bin or .ftz; paths begin at the recipe's folder.",
            )
        return ModelInput(str(path), None, self.contents.of(str(path)))

    def _model_of(self, path: Path, files: list[Path]) -> ModelInput:
        identity = fingerprint({file.name: self.contents.of(str(file)) for file in files})
        return ModelInput(str(path), None, identity)

    @override
    def word_list(self, source: str, language: str, files: list[str]) -> WordList:
        """Files relative to the recipe's folder."""
        return read_word_list(language, [self.path(file) for file in files])

    @override
    def benchmark(self, name: str, config: BenchmarkConfig) -> BenchmarkInput:
        """Files relative to the recipe's folder, or a task of the harness."""
        return BenchmarkInput(
            name, config.identity(self.base_folder, self.contents), config, self.base_folder
        )

    @override
    def judgements(self, file: str) -> Judgements:
        """A file relative to the recipe's folder."""
        return read_judgements(self.path(file))

    @override
    def embedder(self, config: Embedder) -> EmbedderInput:
        """A path relative to the recipe's folder, a hub id at its pinned commit, or an endpoint."""
        if (endpoint := config.endpoint) is not None:
            identity = EndpointEmbedder(EndpointClient(endpoint), config.prefix or "").identity
            return EmbedderInput(identity, endpoint=endpoint, prefix=config.prefix)
        path = self.path(config.model)
        if path.exists():
            identity = ModelEmbedder(path, config.prefix).identity
            return EmbedderInput(identity, location=str(path), prefix=config.prefix)
        revision = self.pins.get(_model_key(config.model))
        identity = fingerprint([config.model, revision, config.prefix])
        return EmbedderInput(identity, location=config.model, revision=revision, prefix=config.prefix)

    @override
    def prompts(self, folder: str | None) -> Prompts:
        """A folder relative to the recipe's."""
        return Prompts(self.path(folder) if folder else None)

    def pin(self, recipe: Recipe) -> None:
        """Ask the hub for the commit of everything that has none yet.

        Raises UserError or WorkError when a name is unknown or the hub cannot be reached.
        """
        for name, config in recipe.sources.items():
            self.pin_source(name, config)
        if recipe.tokenizer.base:
            self.pin_tokenizer(recipe.tokenizer.base)
        for name in recipe.transformers:
            if not self.path(name).exists() and _model_key(name) not in self.pins:
                self.pins[_model_key(name)] = _model_commit(name)
        if recipe.decontaminate and recipe.decontaminate.semantic:
            self.pin_embedder(recipe.decontaminate.semantic.embedder)

    def pin_embedder(self, config: Embedder) -> None:
        """Fetch an embedder from the hub that has no commit yet."""
        key = _model_key(config.model)
        if config.endpoint is None and not self.path(config.model).exists() and key not in self.pins:
            self.pins[key] = find_model(config.model).name

    def pin_source(self, name: str, config: SourceConfig) -> None:
        """Ask for the commit of a source on the hub that has none yet."""
        source = self.source(name, config)
        if isinstance(source, HubSource) and source.folder is None and source.pinned is None:
            resolved = source.resolve(offline=False)
            assert resolved.pinned is not None, "resolving pins a commit or raises"
            self.pins[_source_key(source)] = resolved.pinned
            self.sources[name] = resolved

    def pin_tokenizer(self, base: str) -> None:
        """Ask for the commit of a tokenizer on the hub that has none yet."""
        if not self.path(base).exists() and _tokenizer_key(base) not in self.pins:
            self.pins[_tokenizer_key(base)] = _tokenizer_commit(base)

    @override
    def served(self, synthesis: str, config: Serve) -> Serve:
        """Folder and program by paths relative to the recipe's folder, else a hub id and a program's name."""
        command = str(self.path(config.command)) if "/" in config.command else config.command
        folder = self.path(str(config.folder or config.model))
        changes: dict[str, Any] = {"command": command}
        if config.folder or folder.is_dir():
            identity = self._model_of(folder, model_files(folder)).identity
            name = config.model if config.folder else folder.name
            changes |= {"folder": folder.absolute(), "model": f"{name}@{identity[:12]}"}
        return config.model_copy(update=changes)

    @override
    def path(self, name: str) -> Path:
        """A path relative to the recipe's folder; of what lies elsewhere that of a copy here."""
        if not is_remote(name):
            return self.base_folder / Path(name).expanduser()
        if name not in self.copies:
            self.copies[name] = local_copy(name)
        return self.copies[name]


def model_files(folder: Path) -> list[Path]:
    """Of a model's folder the files that are read. Raises UserError where it is none."""
    if not folder.is_dir():
        raise UserError("there is no such folder", file=str(folder), hint="Name the folder of a model.")
    return sorted(file for file in folder.iterdir() if file.suffix in MODEL_SUFFIXES)


def _read_pins(workdir: Path) -> dict[str, str]:
    path = workdir / PINS
    pins: dict[str, str] = read_sealed(path)["pins"] if path.exists() else {}
    return pins


def _remembered(path: Path) -> dict[str, str]:
    """What an earlier run wrote; nothing if that is not what it wrote: files are read again then."""
    try:
        return {str(state): str(found) for state, found in read_sealed(path).items()}
    except (OSError, Damaged):
        return {}


def _source_key(source: HubSource) -> str:
    return f"dataset {source.config.dataset}@{source.config.revision}"


def _tokenizer_key(base: str) -> str:
    return f"tokenizer {base}"


def _tokenizer_commit(base: str) -> str:
    from tokenizer_tools.load import TokenizerError, UnreachableError, load_tokenizer

    try:
        commit = load_tokenizer(base).revision
    except UnreachableError as error:
        raise WorkError(str(error), place="tokenizer.base") from error
    except TokenizerError as error:
        raise UserError(str(error), place="tokenizer.base") from error
    assert commit is not None, "what is not a local path is a hub id, which has a commit"
    return commit


def _model_key(name: str) -> str:
    return f"model {name}"


def _model_commit(name: str) -> str:
    """The commit of a model on the hub, which is fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=[f"*{suffix}" for suffix in MODEL_SUFFIXES])).name
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"the model `{name}` is neither a folder nor could it be fetched from the hub: {error}",
            place="curate.classify",
            hint="Check its name and your access, or name a local folder.",
        ) from error


@dataclass(frozen=True)
class RecordedInputs(Inputs):
    """The inputs of a finished run, as its stages recorded them. They cannot be read again.

    `settings` maps the label of each stage to the settings in its manifest.
    """

    settings: Mapping[str, dict[str, Any]]

    @override
    def source(self, name: str, config: SourceConfig) -> Source:
        return RecordedSource(self.settings[f"ingest {name}"]["input"])

    @override
    def tokenizer(self, base: str) -> ModelInput:
        return ModelInput(base, None, self.settings["tokenizer"]["identity"])

    @override
    def chat_template(self, file: str) -> ChatTemplate:
        return ChatTemplate("", self.settings["tokenizer"]["chat_template"])

    @override
    def language_model(self, language: Language | None) -> ModelInput:
        """What the annotate stages recorded; there is one of each source."""
        recorded = (settings.get("language_model") for settings in self.settings.values())
        return ModelInput("", None, next(filter(None, recorded)))

    @override
    def examples(self, classifier: str, number: int, config: FilesConfig) -> Source:
        return RecordedSource(self.settings[f"classifier {classifier}"]["files"][number])

    @override
    def model(self, classifier: str, config: FastTextClassifier | TransformerClassifier) -> ModelInput | None:
        identity = self.settings[f"classifier {classifier}"].get("model")
        return ModelInput("", None, identity) if identity else None

    @override
    def word_list(self, source: str, language: str, files: list[str]) -> WordList:
        return WordList(language, (), self.settings[f"annotate {source}-bad_words"]["lists"][language])

    @override
    def benchmark(self, name: str, config: BenchmarkConfig) -> BenchmarkInput:
        return BenchmarkInput(name, self.settings["benchmarks"]["against"][name])

    @override
    def judgements(self, file: str) -> Judgements:
        rows = self.settings["select documents"]["contamination"]["judgements"]
        return Judgements(tuple(tuple(row) for row in rows))

    @override
    def embedder(self, config: Embedder) -> EmbedderInput:
        return EmbedderInput(self.settings["item_vectors"]["embedder"])

    @override
    def prompts(self, folder: str | None) -> Prompts:
        return Prompts()

    @override
    def served(self, synthesis: str, config: Serve) -> Serve:
        return config.model_copy(update={"model": self.settings[f"synthesize {synthesis}"]["model"]})

    @override
    def path(self, name: str) -> Path:
        return Path(name)


@dataclass(frozen=True)
class RecordedSource(Source):
    """The identity that a source had."""

    recorded: dict[str, Any]

    @override
    def identity(self) -> dict[str, Any]:
        return self.recorded

    @override
    def size(self) -> int | None:
        return None

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        raise NotImplementedError("a recorded source has no units")

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        raise NotImplementedError("a recorded source cannot be read")

    @override
    def preview(self) -> Preview:
        raise NotImplementedError("a recorded source cannot be read")
