"""Trial: a short training on a mixture, and what it gives on held-out documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.errors import UserError, WorkError
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.scratch import scratch_folder
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages.described import described_in
from pipelines.stages.shards import Shards
from pipelines.stages.tokenizer_folder import FOLDER
from pipelines.stages.trials.accelerator import own_accelerator
from pipelines.stages.trials.trial_mix import TrialMix
from trainers.config import SmallModel, StageTraining

PIECES, COST = "pieces.parquet", "cost.json"


@dataclass(frozen=True, kw_only=True)
class Trial(SingleTaskStage):
    """Output: `pieces.parquet` and `cost.json`; the model itself is not kept.

    They say what each held-out piece costs the trained model (`trainers.scores.PIECES`), and what training
    it has cost: `tokens`, `seconds`, `parameters`, `flops`.
    """

    name: ClassVar[str] = "trial"
    version: ClassVar[int] = 1
    shards: Shards
    held_out: Shards
    model: str | SmallModel
    model_identity: str
    training: StageTraining

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        held_out = self.held_out.mix.tokenized
        return (self.shards, self.held_out, *held_out, self.shards.mix.tokenized[0].tokenizer)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        training = self.training.model_dump(mode="json", exclude={"log_to", "keep_checkpoints", "start"})
        return {
            "model": self.model_identity,
            "training": training,
            "libraries": library_versions("torch", "transformers"),
        }

    @property
    def mix(self) -> TrialMix:
        """The plan that it trains on."""
        assert isinstance(self.shards.mix, TrialMix), "trials are of plans in small"
        return self.shards.mix

    @property
    @override
    def serves(self) -> bool:
        return True

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        with scratch_folder(output.folder) as scratch, _said_of(self), own_accelerator():
            cost, pieces = self._trained(workdir, scratch, output)
        output.write_table(PIECES, pieces)
        output.write_json(COST, cost)
        output.counts.add("tokens", cost["tokens"])

    def _trained(self, workdir: Path, folder: Path, output: TaskOutput) -> tuple[dict[str, Any], pa.Table]:
        from trainers.evaluate import evaluate_pieces
        from trainers.quiet import quiet_transformers
        from trainers.train import train

        tokenizer = self.shards.mix.tokenized[0].tokenizer.whole_folder(workdir) / FOLDER
        shards = self.shards.dataset(workdir)
        result = train(shards, self.training, self.model, folder / "model", tokenizer, shown=False)
        output.tell(f"{result.tokens:,} tokens in {result.seconds:.0f} s")
        with quiet_transformers():
            pieces = evaluate_pieces(
                folder / "model",
                self.held_out.dataset(workdir),
                dtype=self.training.dtype,
                described=described_in(self.held_out.mix, workdir),
            )
        cost = {
            "tokens": result.tokens,
            "seconds": result.seconds,
            "parameters": result.parameters,
            "flops": result.flops_per_second * result.seconds,
        }
        return cost, pieces

    def pieces(self, workdir: Path) -> pa.Table:
        """What each held-out piece costs the trained model, as `trainers.scores.PIECES`."""
        return pq.read_table(self.path(workdir, PIECES))

    def cost(self, workdir: Path) -> dict[str, float]:
        """Tokens, seconds and floating-point operations of the training; parameters of the model."""
        cost: dict[str, float] = orjson.loads(self.path(workdir, COST).read_bytes())
        return cost


@contextmanager
def _said_of(trial: Trial) -> Iterator[None]:
    """What training raises, as errors of the program."""
    from trainers.errors import IsolationError, TooLittleMemory

    try:
        yield
    except ImportError as error:
        raise UserError(
            f"training needs more packages: {error}", hint="Install them: pip install 'coupage[train]'"
        ) from error
    except (IsolationError, TooLittleMemory, FloatingPointError) as error:
        raise WorkError(f"{trial.label}: {error}") from error
    except ValueError as error:
        raise UserError(f"{trial.label}: {error}", place="trials") from error
