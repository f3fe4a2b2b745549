"""Checks across the sections of a recipe: names that do not fit together."""

from __future__ import annotations

from collections.abc import Sequence

from mixers.budget import vanishing_groups
from pipelines.recipe.classify_checks import classifier_problems
from pipelines.recipe.recipe import FIRST_STAGE, Recipe
from pipelines.settings import Name, Place, Problem
from trainers.config import stage_before


def recipe_problems(recipe: Recipe) -> list[Problem]:
    """The place and message of each name that does not fit what other sections say."""
    return [
        *_unknown_sources(recipe),
        *_reference_problems(recipe),
        *_boilerplate_problems(recipe),
        *_unfed_groups(recipe),
        *_synthesis_problems(recipe),
        *_name_clashes(recipe),
        *_stage_problems(recipe),
        *_outcome_problems(recipe),
        *_trial_problems(recipe),
        *classifier_problems(recipe.curate.classify, tuple(recipe.sources), recipe.dedup.keep),
    ]


def _unknown_sources(recipe: Recipe) -> list[Problem]:
    synthesised = tuple(recipe.synthesize.methods)
    named: list[tuple[Place, list[Name] | None, tuple[str, ...]]] = [
        *((("curate", "edit", i), edits.sources, ()) for i, edits in enumerate(recipe.curate.edit)),
        *((("dedup", "boilerplate"), b.sources, ()) for b in (recipe.dedup.boilerplate,) if b),
        *((("decontaminate",), d.sources, synthesised) for d in (recipe.decontaminate,) if d),
        *(
            (("curate", "language"), language.sources, synthesised)
            for language in (recipe.curate.language,)
            if language
        ),
        *(
            (("curate", "rules", i), rules.sources, synthesised)
            for i, rules in enumerate(recipe.curate.rules)
        ),
    ]
    reference = recipe.tokenizer.replace.reference if recipe.tokenizer.replace else []
    return [
        *(
            (
                ("tokenizer", "replace", "reference", i),
                f"there is no source `{name}` of documents (there are: {', '.join(recipe.own_sources)})",
            )
            for i, name in enumerate(reference)
            if name not in recipe.own_sources
        ),
        *_named_unknown(recipe, named),
    ]


def _named_unknown(
    recipe: Recipe, named: list[tuple[Place, list[Name] | None, tuple[str, ...]]]
) -> list[Problem]:
    return [
        (
            (*place, "sources"),
            f"there is no source `{source}` (there are: {', '.join(recipe.sources)})",
        )
        for place, sources, others in named
        for source in sources or ()
        if source not in recipe.sources and source not in others
    ]


def _reference_problems(recipe: Recipe) -> list[Problem]:
    against = recipe.dedup.against
    unknown = [
        (("dedup", "against", i), f"there is no source `{name}` (there are: {', '.join(recipe.sources)})")
        for i, name in enumerate(against)
        if name not in recipe.sources
    ]
    judged = [
        (
            ("curate", "rules", i, "sources"),
            f"`{name}` is only compared with (`dedup.against`), so rules do not judge it",
        )
        for i, rules in enumerate(recipe.curate.rules)
        for name in rules.sources or ()
        if name in against
    ]
    compared = recipe.decontaminate.sources or () if recipe.decontaminate else ()
    untrained = [
        (
            ("decontaminate", "sources"),
            f"`{name}` is only compared with (`dedup.against`), so nothing is trained on it",
        )
        for name in compared
        if name in against
    ]
    return [*unknown, *judged, *untrained]


def _boilerplate_problems(recipe: Recipe) -> list[Problem]:
    boilerplate = recipe.dedup.boilerplate
    if boilerplate is None or boilerplate.sources is not None or recipe.without_boilerplate:
        return []
    message = "no source would lose boilerplate: all are code, which keeps its own unless `sources` names it"
    return [(("dedup", "boilerplate"), message)]


def _unfed_groups(recipe: Recipe) -> list[Problem]:
    fed = {recipe.for_source(source).domain for source in recipe.own_sources} | recipe.relabelled
    methods = recipe.synthesize.methods
    synthetic = recipe.synthesize.domains
    early = {
        recipe.synthesize.domain_of(name) for name, method in methods.items() if method.about == "sources"
    }
    compared_with = {
        recipe.for_source(source).domain for source in recipe.dedup.against if source in recipe.sources
    }
    found: list[Problem] = []
    for stage, mixture in recipe.whole_mixtures.items():
        available = fed | early if stage == FIRST_STAGE else fed | synthetic
        for group in mixture.weights.keys() - mixture.groups.keys():
            if group not in available:
                why = (
                    "what is made about documents of stage1 enters after it"
                    if group in synthetic
                    else "the sources that feed it are only compared with (`dedup.against`)"
                    if group in compared_with
                    else "no source feeds it"
                )
                known = ", ".join(sorted(available))
                message = f"the group `{group}` has a weight, but {why} (groups here: {known})"
                found.append((("mixtures", stage, "weights", group), message))
    return found


def weight_problems(recipe: Recipe) -> list[Problem]:
    """The place of each weight that asks for no token, and what to say of it."""
    return [
        (("mixtures", stage, "weights", group), fault)
        for stage, mixture in recipe.whole_mixtures.items()
        for group, fault in vanishing_groups(mixture).items()
    ]


def _synthesis_problems(recipe: Recipe) -> list[Problem]:
    known = {recipe.for_source(source).domain for source in recipe.own_sources} | recipe.relabelled
    stage1 = recipe.whole_mixtures[FIRST_STAGE]
    found: list[Problem] = []
    for name, method in recipe.synthesize.methods.items():
        place = ("synthesize", name, "domains" if method.domains else "weights")
        domains = method.asked.keys() - method.groups.keys()
        found += [
            (place, f"no source has the domain `{domain}` (there are: {', '.join(sorted(known))})")
            for domain in sorted(domains - known)
        ]
        if method.about == FIRST_STAGE:
            found += [
                (place, f"stage1 contains no document of `{domain}`: it has no weight for it")
                for domain in sorted(domains & known)
                if not stage1.groups and domain not in stage1.weights
            ]
    for name in recipe.synthesize.methods:
        if not _is_used(recipe, name):
            group = recipe.synthesize.domain_of(name)
            message = f"no mixture that may take it has a weight for `{group}`, the group of what it makes"
            found.append((("synthesize", name), message))
    for name in recipe.synthesize.asking if recipe.synthesize.model is None else ():
        message = "a model is asked, and neither `synthesize.endpoint` nor `synthesize.serve` says which"
        found.append((("synthesize", name, "method"), message))
    return found


def _is_used(recipe: Recipe, name: str) -> bool:
    """Whether a mixture may take what a synthesis makes; predicates may speak of any document."""
    early, group = recipe.synthesize.methods[name].about == "sources", recipe.synthesize.domain_of(name)
    stages = recipe.whole_mixtures.items()
    mixtures = [mixture for stage, mixture in stages if early or stage != FIRST_STAGE]
    return any(mixture.groups or group in mixture.weights for mixture in mixtures)


def _name_clashes(recipe: Recipe) -> list[Problem]:
    return [
        (("synthesize", name), f"`{name}` is the name of a source as well; choose another")
        for name in recipe.synthesize.methods
        if name in recipe.sources
    ]


def _stage_problems(recipe: Recipe) -> list[Problem]:
    """Names in `train` and `evaluate` that are no stages, or no earlier ones."""
    stages = list(recipe.mixtures)
    there_are = f"(there are: {', '.join(stages)})"
    found: list[Problem] = []
    for name, settings in recipe.train.stages.items() if recipe.train else ():
        place: Place = ("train", name)
        if name not in stages:
            found.append((place, f"there is no mixture `{name}` to train on {there_are}"))
            continue
        try:
            stage_before(name, settings.start, stages)
        except ValueError as error:
            found.append(((*place, "from"), str(error)))
    for i, name in enumerate(recipe.evaluate.after or () if recipe.evaluate else ()):
        if name not in stages:
            found.append((("evaluate", "after", i), f"there is no mixture `{name}` {there_are}"))
    return found


def _outcome_problems(recipe: Recipe) -> list[Problem]:
    """Groups and tasks in `outcome` that no other section has."""
    asked = recipe.outcome
    if asked is None:
        return []
    tasks = [task.task for task in recipe.evaluate.harness] if recipe.evaluate else []
    return [
        *_unknown_groups(
            _groups(recipe),
            [
                (("outcome", key, i), group)
                for key, named in (("domain", asked.domain or ()), ("general", asked.general))
                for i, group in enumerate(named)
            ],
        ),
        *(
            (
                ("outcome", "general_tasks", i),
                f"`evaluate.harness` does not ask `{task}` (it asks: {', '.join(tasks) or 'nothing'})",
            )
            for i, task in enumerate(asked.general_tasks)
            if task not in tasks
        ),
    ]


def _trial_problems(recipe: Recipe) -> list[Problem]:
    """What `trials` and `search` name, and no other section has."""
    stage, asked = recipe.trials.stage, recipe.search
    mixture = recipe.whole_mixtures.get(stage)
    if mixture is None:
        known = ", ".join(recipe.mixtures)
        return [(("trials", "stage"), f"there is no mixture `{stage}` (there are: {known})")]
    scored = [(("search", key, name), name) for key in ("targets", "guard") for name in getattr(asked, key)]
    bounded = [(("search", "bounds", name), name) for name in asked.bounds]
    return [*_unknown_groups(_groups(recipe), scored), *_unknown_groups(set(mixture.weights), bounded)]


def _groups(recipe: Recipe) -> set[str]:
    """Every group that documents may be in."""
    groups = {recipe.for_source(source).domain for source in recipe.own_sources}
    groups |= recipe.relabelled | recipe.synthesize.domains
    return groups | {name for mixture in recipe.whole_mixtures.values() for name in mixture.groups}


def _unknown_groups(known: set[str], named: Sequence[tuple[Place, str]]) -> list[Problem]:
    return [
        (place, f"there is no group `{group}` (there are: {', '.join(sorted(known))})")
        for place, group in named
        if group not in known
    ]
