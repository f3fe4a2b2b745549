"""What a run wrote to its `metrics.jsonl`, without what is never the same twice."""

import json
from pathlib import Path

MEASURED = ("tokens_per_second", "memory")


def metrics_log(output: Path) -> list[dict]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        if "evaluation" in line:
            line["evaluation"].pop("seconds")
        else:
            assert all(line.pop(name) > 0 for name in MEASURED)
    return lines


def steps(output: Path) -> list[dict]:
    return [line for line in metrics_log(output) if "loss" in line]
