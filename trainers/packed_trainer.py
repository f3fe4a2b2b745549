"""`transformers.Trainer` with our order of rows, loss, schedule, evaluation and checkpoints."""

import math
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from trainers.adapters import FOLDER as ADAPTER
from trainers.adapters import save_merged
from trainers.checkpoint import PARTIAL, Cursor, publish, write_cursor
from trainers.config import Optimizer, StageTraining, steps_of
from trainers.evaluate import score_pieces
from trainers.fsdp import gathered, is_sharded, shard_optimizer_state
from trainers.loader import RowDataset, StepSampler, collate
from trainers.memory import peak_memory
from trainers.metrics_log import MetricsLog
from trainers.objective import PackedObjective
from trainers.phases import phase_at, restrict_gradients
from trainers.placement import backend, is_sharded_run
from trainers.progress import Progress
from trainers.saving import ModelFolders
from trainers.schedule import phased_lr_factor
from trainers.scores import Evaluation
from trainers.start_scores import nats_at_start

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards


@dataclass
class Run:
    """What one process of a training run works with."""

    stage: StageTraining
    dataset: RowDataset
    sampler: StepSampler
    output: Path
    held_out: "Shards | None"
    metrics_log: MetricsLog
    progress: Progress
    cursor: Cursor
    folders: ModelFolders
    new_tokens: Collection[int] = ()
    started: float = 0.0
    evaluating: float = 0.0
    last_seconds: float = 0.0

    def begin(self) -> None:
        """Start the clock."""
        self.started, self.evaluating = time.monotonic(), 0.0
        self.last_seconds = self.seconds
        self.progress.begin(self.tokens(self.cursor.step))

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training so far, those before a resume included, evaluations left out."""
        return self.cursor.seconds + time.monotonic() - self.started - self.evaluating

    @property
    def sharded(self) -> bool:
        """Whether this run shards its model; one process has nothing to shard."""
        return is_sharded_run(self.stage)

    def tokens(self, step: int) -> int:
        """Tokens consumed when `step` steps are done."""
        return self.dataset.tokens_before(self.sampler.rows_before(step))

    def speed_of_last_step(self, step: int) -> float:
        """Tokens per second of `step`, which has just ended; to be asked at every step."""
        before, self.last_seconds = self.last_seconds, self.seconds
        return (self.tokens(step) - self.tokens(step - 1)) / max(self.last_seconds - before, 1e-9)


class PackedTrainer(Trainer):
    """Trains a `PackedObjective` on packed rows in their order."""

    model: PackedObjective
    optimizer: torch.optim.Optimizer | None

    def __init__(self, objective: PackedObjective, run: Run) -> None:
        self.run = run
        super().__init__(objective, _arguments(run), collate, run.dataset, callbacks=[_EvaluateEvery(run)])
        self.remove_callback(PrinterCallback)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise ValueError(
                "The launcher asks for FSDP or DeepSpeed. Launch with torchrun, without their settings; the"
                " stage's `parallel: fsdp` shards the model."
            )
        # Told so, Trainer neither moves nor wraps the model, but leaves both to `shard`.
        self.is_distributed_loading_by_transformers = run.sharded

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches of this process alone; the sampler has already dealt the rows to the processes."""
        return DataLoader(self.run.dataset, batch_sampler=self.run.sampler, collate_fn=collate)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW, made once; weight decay on matrices, not on norms, biases and embeddings."""
        if self.optimizer is None:
            settings = self.run.stage.optimizer
            groups = _parameter_groups(self.model.model, settings)
            self.optimizer = torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        """The learning rate of the stage and its phases over `num_training_steps`."""
        stage = self.run.stage
        self.lr_scheduler = LambdaLR(
            optimizer or self.optimizer,
            lambda step: phased_lr_factor(step, num_training_steps, stage.optimizer, stage.phases),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """One optimizer step, to the metrics log and the progress display."""
        if "loss" not in logs:
            return
        step, loss, lr = self.state.global_step, logs["loss"], logs["learning_rate"]
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss} at step {step}. Lower optimizer.lr or lengthen optimizer.warmup, and"
                " resume from the last checkpoint in a new output folder."
            )
        tokens = self.run.tokens(step)
        self.run.metrics_log.add_step(
            step,
            loss=loss,
            grad_norm=float(logs["grad_norm"]),
            lr=lr,
            tokens=tokens,
            tokens_per_second=self.run.speed_of_last_step(step),
            memory=peak_memory(),
        )
        self.run.progress.step(step, loss, lr, tokens)

    def score_held_out(self) -> None:
        """Evaluate on the held-out shards, unless this step has been evaluated already."""
        run, step = self.run, self.state.global_step
        done = run.metrics_log.evaluations
        if run.held_out is None or (done and done[-1].step == step):
            return
        started = time.monotonic()
        with self.model.in_precision():
            pieces = score_pieces(self.model_wrapped, run.held_out, run.sampler.micro_batch_rows)
        seconds = time.monotonic() - started
        start = nats_at_start(run.output, pieces["nats"].to_numpy(), step, run.metrics_log.writes)
        evaluation = Evaluation.of(pieces, step, seconds).with_spread(pieces, start)
        run.evaluating += time.monotonic() - started
        run.metrics_log.add_evaluation(evaluation)
        run.progress.evaluation(evaluation)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Forward and backward pass of a micro batch, in the stage's precision."""
        with self.model.in_precision():
            loss: torch.Tensor = super().training_step(*args, **kwargs)
        return loss

    def _clip_grad_norm(self, model: torch.nn.Module) -> Any:
        phases = self.run.stage.phases
        if phases:
            phase = phase_at(self.state.global_step, phases, self.run.sampler.steps)
            restrict_gradients(self.model.model, phase, self.run.new_tokens)
        return super()._clip_grad_norm(model)

    def _evaluate(self, *_args: Any, **_kwargs: Any) -> dict[str, float]:
        self.score_held_out()
        self.control.should_evaluate = False
        return {}

    def _get_output_dir(self, trial: Any = None) -> str:
        return str(self.run.output / PARTIAL)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any = None) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            step = self.state.global_step
            partial = self.run.output / PARTIAL / f"checkpoint-{step}"
            row = self.run.sampler.rows_before(step)
            write_cursor(
                partial,
                self.run.cursor.model_copy(update={"step": step, "row": row, "seconds": self.run.seconds}),
            )
            publish(partial, self.run.output, self.run.stage.keep_checkpoints)
        self.accelerator.wait_for_everyone()

    def save_final(self) -> None:
        """Save the trained model as an ordinary folder at the run's output, an adapter merged into it."""
        if self.run.stage.adapter is None:
            self.save_model(str(self.run.output))
            return
        self.save_model(str(self.run.output / ADAPTER))
        if self.args.should_save:
            save_merged(self.run.output, self.run.folders)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        model, folder = self.model.model, Path(output_dir or self.run.output)
        weights = model.state_dict(keep_vars=True)
        if self.run.stage.adapter is not None:
            weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        weights = gathered(weights, keep=self.args.should_save)
        if self.args.should_save:
            self.run.folders.save(model, folder, weights, final=folder == self.run.output)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        state = gathered(self.create_optimizer().state_dict(), keep=self.args.should_save)
        if self.args.should_save:
            torch.save(state, Path(output_dir) / "optimizer.pt")
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / "scheduler.pt")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state, schedule = (
            torch.load(Path(checkpoint) / name, map_location="cpu", mmap=True, weights_only=True)
            for name in ("optimizer.pt", "scheduler.pt")
        )
        optimizer = self.create_optimizer()
        shard_optimizer_state(state, optimizer)
        optimizer.load_state_dict(state)
        self.lr_scheduler.load_state_dict(schedule)

    def _move_model_to_device(self, model: torch.nn.Module, device: torch.device) -> None:
        if not is_sharded(model):
            super()._move_model_to_device(model, device)

    def _defer_fsdp_gradient_reduction(self) -> AbstractContextManager[None]:
        """Sum each micro batch's gradients at once, so that whole ones never stay in memory."""
        return nullcontext()

    def _load_from_checkpoint(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing to do: a resumed run loads its model from the checkpoint to begin with."""


class _EvaluateEvery(TrainerCallback):
    def __init__(self, run: Run) -> None:
        self.every = steps_of(run.stage.evaluate_every, run.sampler.steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_evaluate = self.every > 0 and state.global_step % self.every == 0


def _arguments(run: Run) -> TrainingArguments:
    stage = run.stage
    save_every = steps_of(stage.save_every, run.sampler.steps)
    arguments = TrainingArguments(
        output_dir=str(run.output),
        max_steps=run.sampler.steps,
        per_device_train_batch_size=run.sampler.micro_batch_rows,
        gradient_accumulation_steps=run.sampler.accumulation,
        max_grad_norm=stage.optimizer.grad_clip,
        learning_rate=stage.optimizer.lr,
        use_cpu=not torch.cuda.is_available(),
        seed=stage.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps" if save_every else "no",
        save_steps=save_every or 1,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ddp_backend=backend(),
        ddp_find_unused_parameters=False,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # several GPUs are for torchrun, never for DataParallel
    return arguments


def _parameter_groups(model: "PreTrainedModel", settings: Optimizer) -> list[dict[str, Any]]:
    """Matrices, which decay; norms and biases; embeddings. The rate that is shown is that of the matrices."""
    embeddings = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    inner = [parameter for parameter in trained if id(parameter) not in embeddings]
    embedding_lr = settings.embedding_lr if settings.embedding_lr is not None else settings.lr
    return [
        {"params": [p for p in inner if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in inner if p.ndim < 2], "weight_decay": 0.0},
        {"params": [p for p in trained if id(p) in embeddings], "weight_decay": 0.0, "lr": embedding_lr},
    ]
