"""Checks across the classifiers of a recipe: names that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.recipe.classify import ClassifierConfig, Ensemble, FastTextClassifier, FromSource, LabelledFile
from pipelines.settings import Problem

QUALITY = "quality"
"""The classifier or ensemble by which `dedup.keep` chooses."""
COLUMNS = frozenset(
    "bytes cluster_size context doc_id file group held_out indivisible keep kept_doc_id language license "
    "loss_tokens method parent_id position reason reference row similarity source tokens used".split()
)
"""What is said of every document; a classifier of such a name would hide it."""


def classifier_problems(
    classify: Mapping[str, ClassifierConfig], sources: tuple[str, ...], policy: tuple[str, ...]
) -> list[Problem]:
    """Places and messages of names that do not fit together."""
    problems: list[Problem] = [
        (("curate", "classify", name, *place), message)
        for name, config in classify.items()
        for place, message in _problems_of(name, config, classify, sources)
    ]
    if QUALITY in policy and QUALITY not in classify:
        message = "`quality` needs a classifier or an ensemble called `quality` in `curate.classify`"
        problems.append((("dedup", "keep"), message))
    elif QUALITY in policy and not gives_scores(classify[QUALITY]):
        problems.append((("dedup", "keep"), f"`quality`: {_NO_SCORES}"))
    return problems


_NO_SCORES = "this classifier gives labels; say which one's probability is the score: `positive: LABEL`"


def gives_scores(config: ClassifierConfig) -> bool:
    """Whether a classifier may give scores, as far as the recipe tells."""
    if isinstance(config, Ensemble) or config.score_label:
        return True
    # A transformer may give a number; the labels of a file are not known before it is read.
    return not config.relabel and config.train is None and not isinstance(config, FastTextClassifier)


def _problems_of(
    name: str, config: ClassifierConfig, classify: Mapping[str, ClassifierConfig], sources: tuple[str, ...]
) -> Iterator[Problem]:
    if name in COLUMNS:
        yield (), f"`{name}` is said of every document already; choose another name"
    if config.keep and not gives_scores(config):
        yield ("keep",), _NO_SCORES
    if isinstance(config, Ensemble):
        for member in config.ensemble:
            if member not in classify or isinstance(classify[member], Ensemble):
                yield ("ensemble",), f"there is no classifier `{member}` ({_listed(classify)})"
            elif not gives_scores(classify[member]):
                yield ("ensemble",), f"`{member}`: {_NO_SCORES}"
        return
    for source in config.sources or ():
        if source not in sources:
            yield ("sources",), f"there is no source `{source}` (there are: {', '.join(sources)})"
    if isinstance(config.train, LabelledFile) or config.train is None:
        return
    for label, examples in config.train.items():
        for example in examples:
            if isinstance(example, FromSource) and example.source not in sources:
                message = f"there is no source `{example.source}` (there are: {', '.join(sources)})"
                yield ("train", label), message
    for label in (*config.relabel, *([config.positive] if config.positive else ())):
        if label not in config.train:
            yield ("train",), f"there are no examples of the label `{label}`"


def _listed(classify: Mapping[str, ClassifierConfig]) -> str:
    names = [name for name, config in classify.items() if not isinstance(config, Ensemble)]
    return f"there are: {', '.join(names) or 'none'}"
