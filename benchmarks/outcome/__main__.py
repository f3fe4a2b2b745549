"""`python -m benchmarks.outcome FOLDER`: models with one fault each, or none, and the verdicts on them.

Each seed makes a world, trains a base on it and four models from the base: a good one, one on the domain
alone, one on answers that change language, one on facts that the base does not know. It prints, for each
diagnostic and model, the change from the base with its interval; `*` where the diagnostic fires.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.outcome.world import FORM, RECIPE, ROWS, TUNED, coupage, write_world
from pipelines.report.outcome.verdicts import verdicts_of

MODELS = {"good": None, "narrow": "forgets", "mixing": "mixes languages", "inventing": "invents facts"}
"""Each model and the fault that it has."""
FAULTS = [*(fault for fault in MODELS.values() if fault), "gives no answers"]
TOKENS = 100_000


def outcome(folder: Path, seed: int) -> dict[str, Any]:
    """What `coupage outcome` gives of the four models of a seed; what is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe, run, base = folder / "recipe.yaml", folder / "run", folder / "base"
    if not recipe.exists():
        write_world(folder, seed)
        recipe.write_text(
            RECIPE.format(seed=seed, tokens=TOKENS, rows=ROWS, tuned=TUNED, form=json.dumps(FORM))
        )
    coupage(folder, "run", "recipe.yaml", "--workdir", "run", "--quiet")
    if not base.exists():
        coupage(folder, "train", "run", "--stage", "stage1")
        shutil.move(run / "train" / "stage1", base)
    for name in MODELS:
        if not (run / "train" / name / "training.json").exists():
            coupage(folder, "train", "run", "--stage", name, "--set", f"train.model={base}")
    found: dict[str, Any] = json.loads(coupage(folder, "outcome", "run", "--json"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    right = 0
    for seed in range(options.seeds):
        content = outcome(options.folder / str(seed), seed)
        for model, fault in MODELS.items():
            verdicts = {each["name"]: each for each in verdicts_of(content | {"tuned": model})}
            fired = [name for name in FAULTS if verdicts[name]["state"] == "fires"]
            right += fired == ([fault] if fault else [])
            print(f"seed {seed}, {model}: fires {', '.join(fired) or 'nothing'}")
            for name in ["learned the domain", *FAULTS]:
                mark = "*" if verdicts[name]["state"] == "fires" else " "
                print(f"  {mark} {name}: {'; '.join(verdicts[name]['evidence'])}")
    print(f"{right} of {options.seeds * len(MODELS)} models have exactly the verdicts that they should have")


if __name__ == "__main__":
    main()
