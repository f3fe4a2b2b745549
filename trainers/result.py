"""What a stage of training gave, and its file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mixers.files import write_bytes
from trainers.checkpoint import Cursor
from trainers.config import StageTraining
from trainers.scores import Evaluation

RESULT = "training.json"
"""In the folder of a model that we trained: its result. Its presence means that training came to its end."""


@dataclass(frozen=True)
class TrainingResult:
    """What a finished stage of training was and gave; `training.json` holds the same.

    `seconds` are those of training alone, without evaluations. `fill` is the share of the rows' places that
    hold tokens. `peak_memory` is in bytes, of the GPU if there is one, else of the process. `evaluations`
    are in step order: the first is before the first step, the last after the last. Without held-out shards
    there are none.
    """

    output: Path
    model: str
    shards_fingerprint: str
    start_fingerprint: str
    parameters: int
    rows: int
    steps: int
    tokens: int
    predicted_tokens: int
    seconds: float
    flops_per_second: float
    flops_utilisation: float | None
    fill: float
    peak_memory: int
    final_loss: float | None
    isolation: dict[str, float]
    evaluations: list[Evaluation]

    @property
    def tokens_per_second(self) -> float:
        """Real tokens trained per second."""
        return self.tokens / max(self.seconds, 1e-9)


def read_result(output: Path) -> TrainingResult:
    """The result of a finished run, from its `training.json`."""
    value = json.loads((output / RESULT).read_text())
    value["evaluations"] = [Evaluation.from_json(evaluation) for evaluation in value["evaluations"]]
    fields = {name: value[name] for name in TrainingResult.__dataclass_fields__ if name != "output"}
    return TrainingResult(output=output, **fields)


def recorded_run(output: Path) -> Cursor:
    """What a finished run was a run of."""
    value = json.loads((output / RESULT).read_text())
    stage = StageTraining.model_validate(value["stage"])
    return Cursor.start(value["shards_fingerprint"], value["start_fingerprint"], stage)


def write_result(result: TrainingResult, stage: StageTraining) -> None:
    """Write the result of a run that has ended, with its settings, into its folder."""
    value = asdict(result) | {"stage": stage.model_dump(), "tokens_per_second": result.tokens_per_second}
    del value["output"]
    write_bytes(result.output / RESULT, json.dumps(value, indent=1).encode() + b"\n")
