"""What an outcome measures of a run, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mixers.shards import Shards
from pipelines.commands.open_run import Run
from pipelines.commands.outcome_variants import Columns
from pipelines.commands.run_hits import hits_of_run
from pipelines.evaluation.confusion_prompts import ConfusionPrompt, prompts_of_held_out, read_prompts
from pipelines.evaluation.evaluate import open_harness
from pipelines.evaluation.facts import read_facts
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.held_out import text_pieces
from pipelines.evaluation.mera.data import read_mera
from pipelines.evaluation.outcome.benchmarks import Benchmarks
from pipelines.evaluation.outcome.confusion import AnswerLanguages
from pipelines.evaluation.outcome.facts import KnownFacts
from pipelines.evaluation.outcome.held_out import HeldOutText
from pipelines.evaluation.outcome.long_context import LongContext
from pipelines.evaluation.outcome.measure import Measure, NotMeasured
from pipelines.evaluation.outcome.mera import MeraTasks
from pipelines.evaluation.outcome.new_tokens import NewTokens
from pipelines.evaluation.outcome.results import Results
from pipelines.execution.trained_stage import TrainedStage
from pipelines.recipe.evaluate import Evaluate, Retrieval
from pipelines.recipe.language_confusion import LanguageConfusion
from pipelines.recipe.outcome import Outcome
from pipelines.recipe.recipe import HELD_OUT
from pipelines.stages.described import described_in
from tokenizer_tools.load import TokenizerError, load_tokenizer


@dataclass(frozen=True)
class Planned:
    """Measures, and what is not measured at all."""

    measures: list[Measure]
    missing: list[NotMeasured]
    domain: list[str]
    """The groups of the domain."""


def plan_measures(run: Run, columns: Columns, evaluate: Evaluate, asked: Outcome, kept: Results) -> Planned:
    """Choose what is measured.

    Args:
        run: The run.
        columns: Its variants.
        evaluate: What the recipe asks of models.
        asked: And of the outcome.
        kept: Where results are kept.

    Raises:
        UserError: A task is not there, or the harness is not installed.
    """
    measures: list[Measure] = []
    missing: list[NotMeasured] = []
    shards = run.shards(HELD_OUT) if HELD_OUT in run.graph.shards else None
    groups = sorted(set(shards.row_groups)) if shards else []
    domain = list(asked.domain) if asked.domain is not None else sorted(set(groups) - set(asked.general))
    tuned = columns.folder(columns.references.tuned)
    if shards is None:
        missing.append(NotMeasured("held_out", (), "the run holds no documents out (`held_out.share`)"))
    else:
        measures.append(
            HeldOutText(
                shards=run.folder / "shards" / HELD_OUT,
                described=described_in(run.graph.mixes[HELD_OUT], run.folder),
                tokenizer=load_tokenizer(tuned),
                domain=domain,
                general=asked.general,
            )
        )
        missing += _empty_sets(groups, domain, asked)
    if harness := open_harness(evaluate):
        stages = list(run.recipe.mixtures)
        lineage = TrainedStage(run.folder, columns.references.tuned).lineage(stages)
        measures.append(
            Benchmarks(
                harness=harness,
                asked=evaluate,
                hits=hits_of_run(run.graph, run.folder, [stage.name for stage in lineage]),
                general_tasks=asked.general_tasks,
                kept=kept,
            )
        )
        if not asked.general_tasks:
            missing.append(
                NotMeasured("general tasks", (), "no task is named as general (`outcome.general_tasks`)")
            )
    else:
        missing.append(NotMeasured("benchmarks", (), "no task was asked for (`evaluate.harness`)"))
    measures += _long_context(run, columns, evaluate.retrieval, shards, missing)
    measures += _asked_texts(run, columns, evaluate.batch_size, asked, shards, missing)
    measures += _new_tokens(columns, missing)
    if run.recipe.decontaminate is None:
        missing.append(NotMeasured("contamination", (), "no benchmark was looked for (`decontaminate`)"))
    return Planned(measures, missing, domain)


def _empty_sets(groups: list[str], domain: list[str], asked: Outcome) -> Iterator[NotMeasured]:
    """Sets of groups of which nothing is held out."""
    if not asked.general:
        others = "" if asked.domain is not None else ", so all count as the domain"
        yield NotMeasured("general text", (), f"no group is named as general (`outcome.general`){others}")
    for name, named in (("domain", domain), ("general text", asked.general)):
        if named and not set(named) & set(groups):
            yield NotMeasured(name, (), f"no document of {', '.join(sorted(named))} is held out")


def _long_context(
    run: Run,
    columns: Columns,
    config: Retrieval | None,
    shards: Shards | None,
    missing: list[NotMeasured],
) -> Iterator[LongContext]:
    name = "long_context"
    if config is None:
        missing.append(NotMeasured(name, (), "no facts in long texts were asked for (`evaluate.retrieval`)"))
        return
    if shards is None:
        missing.append(NotMeasured(name, (), "the run holds no documents out, of which texts are made"))
        return
    models = [PlainModel.without_weights(folder) for folder in columns.folders.values()]
    positions = min((model.longest for model in models if model.longest is not None), default=None)
    lengths = [length for length in config.lengths if positions is None or length <= positions]
    if too_long := sorted(set(config.lengths) - set(lengths)):
        words = ", ".join(f"{length:,}" for length in too_long)
        missing.append(NotMeasured(name, (), f"{words} tokens: a model has only {positions:,} positions"))
    if lengths:
        yield LongContext(
            shards=run.folder / "shards" / HELD_OUT,
            tokenizer=columns.folder(columns.references.tuned),
            config=config.model_copy(update={"lengths": tuple(lengths)}),
        )


def _asked_texts(
    run: Run,
    columns: Columns,
    batch_size: int,
    asked: Outcome,
    shards: Shards | None,
    missing: list[NotMeasured],
) -> Iterator[Measure]:
    """Facts, languages and MERA: what is measured by what models say."""
    if asked.facts is None:
        missing.append(NotMeasured("facts", (), "no facts were given (`outcome.facts`)"))
    else:
        yield KnownFacts(facts=read_facts(asked.facts), config=asked.facts, batch_size=batch_size)
    config, name = asked.language_confusion, "language_confusion"
    if config is None:
        missing.append(NotMeasured(name, (), "it was not asked for (`outcome.language_confusion`)"))
    elif prompts := _confusion_prompts(columns, config, shards):
        yield AnswerLanguages(prompts=prompts, config=config, batch_size=batch_size)
    else:
        missing.append(NotMeasured(name, (), "no held-out text is a prompt whose language is sure"))
    if asked.mera is None:
        missing.append(NotMeasured("mera", (), "no data of it were given (`outcome.mera`)"))
    else:
        yield MeraTasks(data=read_mera(asked.mera), config=asked.mera, batch_size=batch_size)


def _confusion_prompts(
    columns: Columns, config: LanguageConfusion, shards: Shards | None
) -> list[ConfusionPrompt]:
    if config.path is not None:
        return read_prompts(config)
    if shards is None:
        return []
    model = PlainModel.without_weights(columns.folder(columns.references.tuned))
    return prompts_of_held_out(text_pieces(shards), config, model)


def _new_tokens(columns: Columns, missing: list[NotMeasured]) -> Iterator[NewTokens]:
    base, tuned = (columns.folder(name) for name in (columns.references.base, columns.references.tuned))
    try:
        is_same = load_tokenizer(base).hash == load_tokenizer(tuned).hash
    except TokenizerError as error:
        missing.append(NotMeasured("new_tokens", (), str(error)))
        return
    if is_same:
        missing.append(NotMeasured("new_tokens", (), "training has changed no vocabulary"))
    else:
        yield NewTokens(base=base)
