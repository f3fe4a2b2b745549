"""What short trainings told of a run's mixture: ablations, and the search for weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.execution.trial_results import read_trial_results
from pipelines.graph.ablation import KINDS


def trials_report(workdir: Path) -> dict[str, Any] | None:
    """The results as `coupage ablate` and `coupage search` gave them; None where nobody asked."""
    found = (read_trial_results(workdir, f"ablation-{kind}") for kind in KINDS)
    ablations = [each for each in found if each is not None]
    search = read_trial_results(workdir, "search")
    return {"ablations": ablations, "search": search} if ablations or search else None
