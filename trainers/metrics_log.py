"""`metrics.jsonl`: a line per step and per evaluation, which a resumed run continues without a seam."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mixers.files import write_bytes
from trainers.scores import Evaluation
from trainers.trackers import Tracker, numbers_of


class MetricsLog:
    """Appends to a run's `metrics.jsonl` and tells its trackers; only the process that writes files does."""

    def __init__(self, path: Path, writes: bool, trackers: Sequence[Tracker] = ()) -> None:
        self.path = path
        self.writes = writes
        self.trackers = trackers
        self.evaluations: list[Evaluation] = []
        self.last_loss: float | None = None

    def rewind(self, step: int) -> None:
        """Forget everything after `step`, and a last line that was cut short."""
        kept = [line for line in self._lines() if line["step"] <= step]
        for line in kept:
            self._remember(line)
        if self.writes:
            write_bytes(self.path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def add_step(self, step: int, **numbers: float) -> None:
        """Record the numbers of one optimizer step, its `loss` among them."""
        self._add({"step": step, **numbers})

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Record an evaluation."""
        self._add({"step": evaluation.step, "evaluation": evaluation.to_json()})

    def _add(self, line: dict[str, Any]) -> None:
        self._remember(line)
        if self.writes:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        for tracker in self.trackers:
            tracker.add(line["step"], numbers_of(line))

    def _remember(self, line: dict[str, Any]) -> None:
        if "evaluation" in line:
            self.evaluations.append(Evaluation.from_json(line["evaluation"]))
        else:
            self.last_loss = line["loss"]

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        for text in self.path.read_text().splitlines():
            try:
                yield json.loads(text)
            except json.JSONDecodeError:
                return  # the process died while it wrote this line
