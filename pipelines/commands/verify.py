"""`coupage verify`."""

from __future__ import annotations

from pathlib import Path

from pipelines.commands.output import print_json
from pipelines.errors import UserError, WorkError
from pipelines.execution.seal import RUN_SEAL, check_run


def verify_run(folder: Path, json: bool) -> None:
    """`coupage verify`."""
    if not (folder / RUN_SEAL).is_file():
        raise UserError(
            "this is not the folder of a finished run", file=str(folder), hint="Run the recipe to its end."
        )
    damages = list(check_run(folder))
    if json:
        print_json([{"file": str(damage.file), "what": damage.what} for damage in damages])
    elif not damages:
        print("every hash, count and sum is right")
    if damages:
        raise WorkError(
            "\n".join(f"{damage.file}: {damage.what}" for damage in damages),
            hint="Remove the folders of the damaged stages and run again.",
        )
