"""`coupage verify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import WorkError
from pipelines.execution.manifest import Damage
from pipelines.execution.seal import ATTEMPT, RUN_SEAL, check_run, no_run
from pipelines.execution.trained_stage import FOLDER
from pipelines.plain import print_json, say


def verify_run(folder: Path, json: bool) -> None:
    """`coupage verify`."""
    if not any((folder / name).exists() for name in (RUN_SEAL, ATTEMPT, "stages")):
        raise no_run(folder)
    damages = list(check_run(folder))
    if json:
        print_json([{"file": str(damage.file), "what": damage.what} for damage in damages])
    elif not damages and (folder / RUN_SEAL).exists():
        say("every hash, count and sum is right")
    elif not damages:
        say("every hash, count and sum is right, as far as the unfinished run has come")
    if damages:
        raise WorkError(
            "\n".join(f"{damage.file}: {damage.what}" for damage in damages), hint=_mend(folder, damages)
        )


def _mend(folder: Path, damages: Sequence[Damage]) -> str:
    """What leads to right bytes again, and what nothing can bring back."""
    files = [damage.file.relative_to(folder) for damage in damages]
    stages = sorted({str(folder / "stages" / path.parts[1]) for path in files if path.parts[0] == "stages"})
    trained = sorted({str(folder / FOLDER / path.parts[1]) for path in files if path.parts[0] == FOLDER})
    advice = []
    if stages:
        advice.append(f"Remove the damaged stages and run the recipe again: rm -r {' '.join(stages)}")
    elif len(trained) < len(files):
        advice.append("Run the recipe again.")
    if trained:
        advice.append(
            f"Nothing here can bring back {', '.join(trained)}: take a copy, or remove it and train again."
        )
    return " ".join(advice)
