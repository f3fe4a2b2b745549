"""What a recipe names besides its sources: is it there, and is it what it should be?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson

from pipelines.errors import UserError, WorkError
from pipelines.evaluation.confusion_prompts import read_prompts
from pipelines.evaluation.facts import read_facts
from pipelines.evaluation.mera.data import read_mera
from pipelines.evaluation.prompt_file import base_prompt
from pipelines.graph.faults import Faults
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.classify import Ensemble, FastTextClassifier, LabelledFile, TransformerClassifier
from pipelines.recipe.decontaminate import Semantic
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.synthesize import Synthesize
from pipelines.sources.embedders import read_layout, require_libraries
from pipelines.sources.endpoint import EndpointClient
from pipelines.sources.files import FilesConfig
from pipelines.sources.formats import RecordOptions
from pipelines.sources.preview import Preview
from pipelines.sources.refusals import missing_field, refusal
from pipelines.synthesis.serving.server import Serve, program
from tokenizer_tools.load import HUB_ID

WEIGHTS = ".safetensors"
PICKLES = (".bin", ".pt", ".pth")


def check_named_files(recipe: Recipe, inputs: LiveInputs, faults: Faults) -> None:
    """Look at every file and model that the recipe names, but sources, tokenizer and what is trained."""
    with faults.noted("curate.language"):
        inputs.language_model(recipe.curate.language)
    for name in recipe.sources:
        for code, files in recipe.for_source(name).word_files.items():
            with faults.noted("curate.rules.words"):
                inputs.word_list(name, code, files)
    _check_benchmarks(recipe, inputs, faults)
    _check_classifiers(recipe, inputs, faults)
    if recipe.decontaminate and recipe.decontaminate.semantic:
        _check_semantic(recipe.decontaminate.semantic, inputs, faults)
    _check_synthesis(recipe, inputs, faults)
    if recipe.evaluate:
        for folder in recipe.evaluate.include:
            with faults.noted("evaluate.include"):
                _require_folder(Path(folder))
        swap = recipe.evaluate.language_swap
        if swap and swap.file:
            with faults.noted("evaluate.language_swap.file"):
                _first_records(FilesConfig(reader="files", path=swap.file), Path())
    if recipe.outcome:
        _check_outcome(recipe.outcome, faults)


def _check_outcome(asked: Outcome, faults: Faults) -> None:
    with faults.noted("outcome.prompt_file"):
        base_prompt(asked)
    if asked.facts:
        with faults.noted("outcome.facts"):
            read_facts(asked.facts)
    if asked.language_confusion and asked.language_confusion.path:
        with faults.noted("outcome.language_confusion.path"):
            read_prompts(asked.language_confusion)
    if asked.mera:
        with faults.noted("outcome.mera.data"):
            read_mera(asked.mera)


def _check_benchmarks(recipe: Recipe, inputs: LiveInputs, faults: Faults) -> None:
    if recipe.decontaminate is None:
        return
    for name, config in recipe.decontaminate.against.items():
        with faults.noted(f"decontaminate.against.{name}"):
            config.require(name, inputs.base_folder)
    if recipe.decontaminate.allow:
        with faults.noted("decontaminate.allow"):
            inputs.judgements(recipe.decontaminate.allow)


def _check_classifiers(recipe: Recipe, inputs: LiveInputs, faults: Faults) -> None:
    for name, config in recipe.curate.classify.items():
        if isinstance(config, Ensemble):
            continue
        place = f"curate.classify.{name}"
        if isinstance(config, TransformerClassifier):
            with faults.noted(f"{place}.name"):
                require_model(config.name, inputs.path(config.name))
        elif config.file:
            with faults.noted(f"{place}.file"):
                _require_fasttext(name, config, inputs)
        for example in config.examples:
            if (file := getattr(example, "file", None)) is None:
                continue
            with faults.noted(f"{place}.train"):
                fields = {"text": getattr(example, "text", "text")}
                options = FilesConfig.model_validate({"reader": "files", "path": file, "fields": fields})
                preview = _first_records(options, inputs.base_folder)
                if isinstance(example, LabelledFile):
                    _require_label(example, preview)


def _check_semantic(config: Semantic, inputs: LiveInputs, faults: Faults) -> None:
    """The models of the semantic path: keys of endpoints, and an embedder that runs here."""
    embedder, place = config.embedder, "decontaminate.semantic"
    if config.judge:
        with faults.noted(f"{place}.judge"):
            EndpointClient(config.judge)
    with faults.noted(f"{place}.embedder"):
        path = inputs.path(embedder.model)
        if embedder.endpoint:
            EndpointClient(embedder.endpoint)
            return
        require_libraries()
        require_model(embedder.model, path)
        if path.is_dir():
            read_layout(path)


def _check_synthesis(recipe: Recipe, inputs: LiveInputs, faults: Faults) -> None:
    """The prompts of what asks a model, and the key of its endpoint."""
    config = recipe.synthesize
    for name, method in config.asking.items():
        with faults.noted(f"synthesize.{name}"):
            prompts = inputs.prompts(config.prompts)
            for asked_with in method.prompted:
                prompts.hashes(asked_with)
            method.located(inputs.path).build(prompts)
    if config.prompts:
        with faults.noted("synthesize.prompts"):
            _require_folder(inputs.path(config.prompts))
    if config.asking and config.endpoint:
        with faults.noted("synthesize.endpoint"):
            EndpointClient(config.endpoint)


def check_model(config: Synthesize, executor: str, faults: Faults) -> None:
    """The model that is asked for new text: the server has it, or the program that serves it is here."""
    if config.endpoint:
        with faults.noted("synthesize.endpoint"):
            EndpointClient(config.endpoint).require_model()
    if config.serve and executor == "local":
        with faults.noted("synthesize.serve.command"):
            _require_program(config.serve)


def _require_program(config: Serve) -> None:
    """Raise WorkError where it is not here yet: until it is needed it can still be installed."""
    try:
        program(config)
    except UserError as error:
        raise WorkError(error.message, hint=error.hint) from error


def _require_fasttext(name: str, config: FastTextClassifier, inputs: LiveInputs) -> None:
    from pipelines.stages.classify.fasttext import labels_in

    model = inputs.model(name, config)
    assert model is not None, "the classifier names a file"
    try:
        labels = labels_in(Path(model.location))
    except ValueError as error:
        raise UserError(
            str(error), file=model.location, hint="Name a fastText classifier, .bin or .ftz."
        ) from error
    for label in [config.positive] if config.positive else config.relabel:
        if label not in labels:
            raise UserError(
                f"the model has no label `{label}`", file=model.location, hint=f"It has: {', '.join(labels)}."
            )


def _first_records(options: RecordOptions, folder: Path) -> Preview:
    """The first records of files. Raises UserError where none of them is a document, or there are none."""
    preview = options.build("", folder).preview()
    if preview.is_refused:
        raise refusal("", options, preview.refused)
    if preview.is_empty:
        raise UserError("there is no record in it", file=getattr(options, "path", ""))
    return preview


def _require_label(example: LabelledFile, preview: Preview) -> None:
    records = [orjson.loads(fields) for fields in preview.documents.column("metadata").to_pylist()]
    if not any(example.label in record for record in records):
        raise missing_field(example.label, records, "Set `label` to the field with the label.", example.file)


def require_model(name: str, path: Path) -> None:
    """Raise UserError unless it is a folder with safetensors, or a model of the hub that may be read."""
    if path.is_dir():
        _require_safetensors([file.name for file in path.iterdir()], path)
    elif path.exists() or not HUB_ID.fullmatch(name):
        raise UserError(
            f"`{name}` is neither a folder nor a hub id", hint="Name a model's folder, or owner/name."
        )
    else:
        _ask_hub(name)


def _require_safetensors(files: Iterable[str], path: Path) -> None:
    names = sorted(files)
    if "config.json" not in names:
        raise UserError(
            "there is no config.json", file=str(path), hint="Name the folder that save_pretrained wrote."
        )
    if not any(name.endswith(WEIGHTS) for name in names):
        pickled = next((name for name in names if name.endswith(PICKLES)), None)
        what = f"its weights are a pickle ({pickled})" if pickled else "it has no weights"
        raise UserError(
            f"{what}, and only safetensors are read",
            file=str(path),
            hint="Save the model anew, with save_pretrained, which writes model.safetensors.",
        )


def _ask_hub(name: str) -> None:
    """Raise UserError for a model that the hub does not have or give, WorkError where it does not answer."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        HfApi().auth_check(name)
    except GatedRepoError as error:
        raise UserError(
            f"`{name}` asks for consent before it may be read",
            hint="Accept its terms on the hub and set HF_TOKEN to a token of your account.",
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"the hub has no model `{name}`, and there is no such folder",
            hint="Check its name; a private model needs HF_TOKEN.",
        ) from error
    except Exception as error:
        raise WorkError(f"the hub was not asked for the model `{name}`: {error}") from error


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            "there is no such folder",
            file=str(folder),
            hint="Name a folder with task files; its path begins where the command is run.",
        )
