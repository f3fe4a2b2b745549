"""`coupage outcome`: whether training did what it was to do, beside everything that could do it as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mixers.files import write_bytes
from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import Run
from pipelines.commands.outcome_measures import Planned
from pipelines.commands.outcome_plan import Request
from pipelines.commands.outcome_tasks import ask_side_by_side
from pipelines.commands.outcome_variants import Columns
from pipelines.evaluation.outcome.measure import NotMeasured, all_tables
from pipelines.evaluation.outcome.mera import MeraTasks
from pipelines.evaluation.outcome.results import FOLDER
from pipelines.execution.executors.registry import require_executor
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.lock import only_run_in
from pipelines.execution.manifest import write_sealed
from pipelines.execution.seal import OUTCOME, OUTCOME_PAGE, SENT_FILES, reseal_run
from pipelines.plain import print_json
from pipelines.recipe.outcome import Outcome
from pipelines.report.contamination import contamination_report
from pipelines.report.finished import Finished
from pipelines.report.outcome.page import outcome_page
from pipelines.report.outcome.summary import trained_now
from pipelines.report.outcome.verdicts import verdicts_of
from pipelines.report.write import write_report


def show_outcome(
    folder: Path,
    also: Sequence[str],
    base: str | None,
    executor: str | None,
    workers: int | None,
    settings: Sequence[str],
    json: bool,
) -> None:
    """`coupage outcome`."""
    progress = PlainConsole(stderr=True)
    content = measure_outcome(folder, also, base, settings, executor, workers, progress)
    if json:
        print_json(content)
        return
    console = PlainConsole()
    for verdict in content["verdicts"]:
        console.print(verdict["sentence"] + f" {verdict['advice']}".rstrip(), soft_wrap=True)
    console.print(str(folder / OUTCOME_PAGE), soft_wrap=True)


def measure_outcome(
    folder: Path,
    also: Sequence[str] = (),
    base: str | None = None,
    settings: Sequence[str] = (),
    executor: str | None = None,
    workers: int | None = None,
    progress: PlainConsole | None = None,
) -> dict[str, Any]:
    """Measure all variants of a run, and write `outcome.json`, `outcome.html` and the report anew.

    Args:
        folder: Of a finished run with a trained model.
        also: More models to hold beside, as `LABEL=FOLDER`.
        base: What they are compared with; by default what training started from.
        settings: Overridden keys of the recipe's `outcome`, `evaluate` and `executor`.
        executor: `local`, `slurm` or `ray`: models are trained and asked side by side. By default, without
            `workers` too, one after another in this process.
        workers: Models at a time; local: one a core by default.
        progress: Is told what comes next.

    Returns:
        What `outcome.json` holds.

    Raises:
        UserError: The run, a model or a setting is wrong.
    """
    console = progress or PlainConsole(quiet=True)

    def tell(text: str) -> None:
        console.print(text, soft_wrap=True)

    if executor:
        require_executor(executor)
    request = Request(folder=folder, also=tuple(also), base=base, settings=tuple(settings))
    opened = request.opened()
    run, kept = opened.run, folder / FOLDER
    kept.mkdir(exist_ok=True)
    with only_run_in(kept):
        plan = opened.plan()
        refused = ask_side_by_side(plan, executor or "local", workers, console) if executor or workers else []
        columns, measured = plan.ask(plan.columns, tell, refused)
        planned = plan.planned
        for measure in planned.measures:
            if isinstance(measure, MeraTasks):
                found = measured.results.get(measure.name, {})
                measure.write_archive(found, columns.references.tuned, kept)
        not_measured = [*columns.missing, *planned.missing, *measured.not_measured]
        tables = all_tables(planned.measures, measured, columns.references)
        content = _content(run, opened.asked.outcome, columns, planned, not_measured) | {
            "tables": {name: table.to_json() for name, table in tables.items()}
        }
        content["verdicts"] = verdicts_of(content)
        write_sealed(folder / OUTCOME, content)
        write_bytes(folder / OUTCOME_PAGE, outcome_page(content).encode())
        write_report(run.graph, folder)
        reseal_run(folder, SENT_FILES)
    return content


def _content(
    run: Run, asked: Outcome, columns: Columns, planned: Planned, not_measured: Sequence[NotMeasured]
) -> dict[str, Any]:
    return {
        "name": run.recipe.name,
        "coupage": library_versions("coupage")["coupage"],
        "base": columns.references.base,
        "tuned": columns.references.tuned,
        "variants": [variant.to_json() for variant in columns.variants],
        "groups": {"domain": planned.domain, "general": list(asked.general)},
        "general_tasks": list(asked.general_tasks),
        "margins": asked.margins.model_dump(),
        "trained": trained_now(run.graph, run.folder),
        "not_measured": [
            {"measure": each.measure, "variants": list(each.variants), "why": each.why}
            for each in not_measured
        ],
        "contamination": contamination_report(run.graph, Finished(run.folder)),
    }
