"""What in a report its reader should know of, most serious first: made of `report.json` alone.

A `fault` says that what was built or trained is not what it should be; a `caution` that it may not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipelines.recipe.recipe import HELD_OUT
from pipelines.report import training_warnings
from pipelines.report.licences import licence_warnings
from pipelines.report.warning import CAUTION, FAULT, Warned, first_names
from pipelines.sources.passed_over import PassedOver, describe

Report = dict[str, Any]

NEARLY_FREE = 4.0
"""Epochs up to which repeated text is worth nearly as much as new (Muennighoff et al. 2023, 2305.16264)."""
MOSTLY_SYNTHETIC = 0.8
"""Of a group more synthetic text than this is worth a warning."""
FEWEST_IDENTIFIED = 20
"""Documents whose language is clear, before something is said of a source."""


def warnings_of(report: Report) -> list[dict[str, str]]:
    """The warnings of a report, JSON-able; none where all is well."""
    found = [warned for kind in KINDS for warned in kind(report)]
    return [
        warned.to_json() for warned in sorted(found, key=lambda warned: (FAULT, CAUTION).index(warned.level))
    ]


def _unfinished(report: Report) -> Iterator[Warned]:
    if run := report["unfinished"]:
        yield Warned(
            CAUTION,
            "overview",
            "unfinished",
            f"the run is unfinished: {run['finished_stages']} of {run['stages']} stages are done, "
            f"`{run['next_stage']}` comes next",
        )


def _little_kept(report: Report) -> Iterator[Warned]:
    """Sources that gave no document, or lost all or most of them."""
    for source in report["sources"]:
        name, documents, kept = source["source"], source["documents"], source["kept"]
        if documents is None or kept is None:
            continue  # the run has not come so far
        if not documents:
            words = f"the source `{name}` has no document{_mainly(source['set_aside'])}"
            yield Warned(FAULT, "funnel", "no_document", words)
        elif kept == 0:
            words = f"no document of the source `{name}` was kept{_mainly(source['dropped'])}"
            yield Warned(FAULT, "reasons", "nothing_kept", words)
        elif kept < documents / 2:
            dropped = f"{documents - kept:,} of {documents:,} documents of the source `{name}` were dropped"
            yield Warned(CAUTION, "reasons", "mostly_dropped", dropped + _mainly(source["dropped"]))


def _mainly(reasons: dict[str, int]) -> str:
    if not reasons:
        return ""
    reason = max(reasons, key=lambda reason: reasons[reason])
    return f", most of them for `{reason}` ({reasons[reason]:,})"


def _set_aside(report: Report) -> Iterator[Warned]:
    """Sources and classifiers whose files hold records that could not be read."""
    for name, entry in _readers(report):
        if entry.get("lost"):
            words = f"{name}: {entry['lost_in_words']} set aside, first {entry['first_lost']}"
            yield Warned(CAUTION, "quarantine", "quarantine", words)


def _passed_over(report: Report) -> Iterator[Warned]:
    """Sources and classifiers in whose folders there are files that were not read."""
    for name, entry in _readers(report):
        if entry.get("passed_over"):
            words = f"{name}: {describe([PassedOver(**each) for each in entry['passed_over']])}"
            yield Warned(CAUTION, "quarantine", "passed_over", words)


def _readers(report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((source["source"], source) for source in report["sources"])
    yield from ((f"labelled files of {each['classifier']}", each) for each in report["classifiers"])


def _language(report: Report) -> Iterator[Warned]:
    """Sources most of whose documents seem to be in another language than the recipe says."""
    for source in report["sources"]:
        if not (language := source["language"]):
            continue
        identified: dict[str, int] = language["identified"]
        clear = sum(identified.values())
        if clear < FEWEST_IDENTIFIED or identified.get(language["declared"], 0) >= clear / 2:
            continue
        most = max(identified, key=lambda code: identified[code])
        words = (
            f"the source `{source['source']}` is declared to be in `{language['declared']}`, but "
            f"{identified[most] / clear:.0%} of its documents whose language is clear are in `{most}`"
        )
        yield Warned(FAULT, "languages", "language", words)


def _left_out_by_template(report: Report) -> Iterator[Warned]:
    for source in report["sources"]:
        for field, number in source["left_out_by_template"].items():
            words = (
                f"the chat template leaves out `{field}`, which {number:,} conversations of the source "
                f"`{source['source']}` have"
            )
            yield Warned(CAUTION, "tokenizer", "left_out_by_template", words)


def _licences(report: Report) -> Iterator[Warned]:
    for verdict, words in licence_warnings(report):
        yield Warned(FAULT if verdict == "denied" else CAUTION, "licences", f"licence_{verdict}", words)


def _contamination(report: Report) -> Iterator[Warned]:
    """Benchmarks whose items were found, worse where they stay with their answer; sources not looked at."""
    found = report["contamination"]
    if not found:
        return
    for benchmark in found["benchmarks"]:
        name, actions = benchmark["benchmark"], benchmark["actions"]
        of_sources = [
            each for source in found["sources"] for each in source["benchmarks"] if each["benchmark"] == name
        ]
        kept, dropped, cut = (
            sum(each[what] for each in of_sources) for what in ("flagged_kept", "dropped", "cut")
        )
        answered = sum(split["found"]["answer"] for split in benchmark["splits"] if split["split"] == "test")
        if kept:
            leaked = actions["answer"] == "flag" and answered
            are = "document is" if kept == 1 else "documents are"
            words = f"{kept:,} {are} left in the data with something of the benchmark `{name}`"
            words += f", {answered:,} of its test items with their answer" if leaked else ""
            yield Warned(FAULT if leaked else CAUTION, "contamination", "leak_kept", words)
        if dropped or cut:
            were = "document was" if dropped == 1 else "documents were"
            words = f"the benchmark `{name}` was found in the data: {dropped:,} {were} dropped for it"
            words += f", {cut:,} had spans cut out" if cut else ""
            yield Warned(CAUTION, "contamination", "leak_removed", words)
    if found["not_compared"]:
        names = first_names(found["not_compared"])
        words = f"documents of {names} were not compared with the benchmarks"
        yield Warned(CAUTION, "contamination", "not_compared", words)


def _repeated(report: Report) -> Iterator[Warned]:
    """Groups that are repeated more often than repetition is nearly free."""
    for stage, ledger in report["mixtures"].items():
        for group in ledger["groups"]:
            name, epochs = group["group"], group["epochs"]
            said = any(sentence.startswith(f"{name} is repeated") for sentence in ledger["constraints"])
            if group["quota"] and epochs > NEARLY_FREE and not said:
                words = (
                    f"the group `{name}` of {stage} is repeated {epochs:.1f} times; up to "
                    f"{NEARLY_FREE:.0f} epochs are worth nearly as much as new text, more are not"
                )
                yield Warned(CAUTION, "mixture", "repeated", words)


def _constrained(report: Report) -> Iterator[Warned]:
    """Limits that changed a mixture: groups that fell short, or are repeated beyond what was allowed."""
    for stage, ledger in report["mixtures"].items():
        for sentence in ledger["constraints"] if stage != HELD_OUT else ():
            yield Warned(CAUTION, "mixture", "constrained", f"{stage}: {sentence}")


def _held_out(report: Report) -> Iterator[Warned]:
    """Nothing held out, or too little of a group to measure what training does; the ledger says of which."""
    held_out = report["mixtures"].get(HELD_OUT)
    if held_out and held_out["rows"]:
        for sentence in held_out["constraints"]:
            yield Warned(CAUTION, "mixture", "little_held_out", f"{HELD_OUT}: {sentence}")
    elif held_out or (report["mixtures"] and not report["unfinished"]):
        words = "nothing is held out: what training does to the model cannot be measured"
        yield Warned(CAUTION, "mixture", "nothing_held_out", words)


def _synthetic(report: Report) -> Iterator[Warned]:
    """Groups that are nearly all synthetic text without anybody having asked for it."""
    for stage, groups in report["synthetic"].items():
        for group, entry in groups.items():
            if entry["share"] > MOSTLY_SYNTHETIC and not entry["asked"]:
                words = (
                    f"{entry['share']:.0%} of the group `{group}` of {stage} is synthetic text; give it real "
                    f"documents, or say that it is meant: `mixtures.{stage}.synthetic: {{{group}: "
                    f"{entry['share']:.0%}}}`"
                )
                yield Warned(CAUTION, "synthesis", "synthetic_share", words)


KINDS: tuple[Callable[[Report], Iterator[Warned]], ...] = (
    _unfinished,
    _little_kept,
    *training_warnings.KINDS,
    _contamination,
    _licences,
    _language,
    _constrained,
    _repeated,
    _held_out,
    _synthetic,
    _left_out_by_template,
    _set_aside,
    _passed_over,
)
"""In the order in which equally serious ones are said."""
