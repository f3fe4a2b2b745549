"""One stage of training: shards in, a model folder out, on `transformers.Trainer`."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixers.files import remove_unfinished
from trainers.checkpoint import PARTIAL, Cursor, checkpoints, only_training_in, read_cursor
from trainers.config import SmallModel, StageTraining
from trainers.errors import ResumeError
from trainers.evaluate import largest_id
from trainers.memory import peak_memory
from trainers.result import RESULT, TrainingResult, read_result, recorded_run, write_result
from trainers.trackers import open_trackers, require_trackers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards
    from trainers.loader import StepSampler
    from trainers.packed_trainer import Run


def train(
    shards_folder: Path,
    config: StageTraining,
    model: str | Path | SmallModel,
    output: Path,
    tokenizer_folder: Path | None = None,
    held_out: Path | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Train a model on a folder of shards and save it as an ordinary model folder at `output`.

    Args:
        shards_folder: Shards to train on, in row order.
        config: Settings of this stage.
        model: Hub id or folder to start from, or the shape of a new model.
        output: Folder for the result: weights, tokenizer, `training.json`, `metrics.jsonl`, checkpoints.
        tokenizer_folder: The tokenizer that made the shards; required for a new model. None: the model's own.
        held_out: Shards for evaluation, never trained on.
        resume: Continue the run in `output` from its last checkpoint, or from the start when there is none
            yet. A finished run returns its result.

    Raises:
        ResumeError: `output` holds a run and `resume` is false, or the run is of other shards, of another
            start or of other settings.
        IsolationError: Packed documents would influence each other with this model.
        ValueError: No shards, ids without embeddings, a model that cannot be trained on packed rows, or a
            tracker that is not installed.
    """
    from mixers.shards import Shards
    from trainers.model import fingerprint

    require_trackers(config.log_to)
    shards = Shards.open(shards_folder)
    if not len(shards):
        raise ValueError(f"{shards_folder} holds no rows to train on.")
    held_out_shards = Shards.open(held_out) if held_out is not None else None
    if not held_out_shards:  # none asked for, or a folder without rows
        held_out_shards = None
    first_process = os.environ.get("RANK", "0") == "0"
    with only_training_in(output) if first_process else nullcontext(), _quiet_transformers():
        run = Cursor.start(shards.fingerprint, fingerprint(model), config)
        checkpoint, cursor = _checkpoint_to_continue(output, run, resume)
        if (output / RESULT).exists():
            return read_result(output)
        return _train(shards, config, model, output, tokenizer_folder, held_out_shards, checkpoint, cursor)


def _checkpoint_to_continue(output: Path, run: Cursor, resume: bool) -> tuple[Path | None, Cursor]:
    """The last checkpoint in `output`, which must be of `run`, and its cursor; None and `run` to start."""
    found = checkpoints(output)
    finished = (output / RESULT).exists()
    if (found or finished) and not resume:
        raise ResumeError(
            f"{output} already holds a {'finished' if finished else 'started'} run. Pass --resume to"
            " continue it, or choose another output folder."
        )
    if finished:
        recorded_run(output).require_same_run(run)
    if not found:
        return None, run
    cursor = read_cursor(found[-1])
    cursor.require_same_run(run)
    return found[-1], cursor


def _train(
    shards: "Shards",
    config: StageTraining,
    model: str | Path | SmallModel,
    output: Path,
    tokenizer_folder: Path | None,
    held_out: "Shards | None",
    checkpoint: Path | None,
    cursor: Cursor,
) -> TrainingResult:
    # On shared cores, threads that spin while they wait starve each other. Read when torch is first loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from trainers.compilation import CompileError
    from trainers.isolation import prove_isolation
    from trainers.loader import RowDataset
    from trainers.metrics_log import Journal
    from trainers.model import save_tokenizer, tokenizer_of
    from trainers.new_tokens import new_tokens, require_use_of_new_tokens
    from trainers.objective import PackedObjective
    from trainers.packed_trainer import PackedTrainer, Run
    from trainers.progress import Progress

    output.mkdir(parents=True, exist_ok=True)
    added = new_tokens(model, tokenizer_folder)
    require_use_of_new_tokens(config, model, added)
    dataset = RowDataset(shards, config.epochs)
    sampler = _sampler(len(dataset), config, cursor)
    writes = sampler.process == 0
    if writes:
        shutil.rmtree(output / PARTIAL, ignore_errors=True)
        remove_unfinished(output)
    done = cursor.step if checkpoint else -1
    tokenizer = tokenizer_of(tokenizer_folder, model)
    causal_model = _model(model, checkpoint, shards, tokenizer, config, added)
    total_tokens = dataset.tokens_before(sampler.rows_before(sampler.steps))
    with (
        Progress(sampler.steps, total_tokens, writes) as progress,
        open_trackers(
            config.log_to if writes else (), output, done, config.model_dump(mode="json")
        ) as trackers,
    ):
        journal = Journal(output / "metrics.jsonl", writes, trackers)
        journal.rewind(done)
        run = Run(
            stage=config,
            dataset=dataset,
            sampler=sampler,
            output=output,
            held_out=held_out,
            journal=journal,
            progress=progress,
            cursor=cursor,
            save_tokenizer=lambda folder: save_tokenizer(tokenizer, tokenizer_folder, folder),
            new_tokens=added,
        )
        trainer = PackedTrainer(PackedObjective(causal_model), run)
        first_rows = [dataset[number] for number in range(min(8, len(shards)))]
        try:
            with trainer.accelerator.autocast():
                proof = prove_isolation(trainer.model.logits, first_rows, trainer.args.device)
        except CompileError as error:
            raise ValueError(f"This model cannot be compiled here; set `compile: false`. {error}") from error
        progress.note(_opening(causal_model, run, total_tokens, proof.other_change))
        if checkpoint is None:
            trainer.score_held_out()
        run.begin()
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        seconds = run.seconds
        trainer.score_held_out()
    result = _result(model, causal_model, run, proof._asdict(), seconds)
    trainer.save_final()
    if writes:
        write_result(result, config)
    return result


def _sampler(total_rows: int, config: StageTraining, cursor: Cursor) -> "StepSampler":
    from trainers.loader import StepSampler

    return StepSampler(
        total_rows,
        config.rows_per_step,
        config.micro_batch_rows,
        processes=int(os.environ.get("WORLD_SIZE", "1")),
        process=int(os.environ.get("RANK", "0")),
        first_step=cursor.step,
        first_row=cursor.row,
        last_step=config.max_steps,
    )


def _result(
    model: str | Path | SmallModel,
    trained: "PreTrainedModel",
    run: "Run",
    isolation: dict[str, float],
    seconds: float,
) -> TrainingResult:
    from trainers.flops import peak_flops, training_flops, workload

    shards, sampler = run.dataset.shards, run.sampler
    rows = sampler.rows_before(sampler.steps)
    work = workload(shards, rows)
    flops_per_second = training_flops(trained, work) / max(seconds, 1e-9)
    peak = peak_flops()
    return TrainingResult(
        output=run.output,
        model=model.model_dump_json() if isinstance(model, SmallModel) else str(model),
        shards_fingerprint=shards.fingerprint,
        start_fingerprint=run.cursor.start_fingerprint,
        parameters=trained.num_parameters(),
        rows=rows,
        steps=sampler.steps,
        tokens=work.tokens,
        predicted_tokens=work.predicted,
        seconds=round(seconds, 3),
        flops_per_second=flops_per_second,
        flops_utilisation=None if peak is None else flops_per_second / (peak * sampler.processes),
        fill=work.tokens / (rows * shards.sequence_length),
        peak_memory=peak_memory(),
        final_loss=run.journal.last_loss,
        isolation=isolation,
        evaluations=run.journal.evaluations,
    )


def _model(
    model: str | Path | SmallModel,
    checkpoint: Path | None,
    shards: "Shards",
    tokenizer: Any,
    config: StageTraining,
    added: Mapping[int, Sequence[int]],
) -> "PreTrainedModel":
    """The model at the start of this process: new, loaded, or as the checkpoint has it."""
    from trainers.adapters import model_with_adapter
    from trainers.model import build_model, check_vocabulary, load_model, set_special_tokens, vocabulary_size
    from trainers.new_tokens import add_embeddings

    largest = largest_id(shards)
    if config.adapter is not None:
        if isinstance(model, SmallModel):
            raise ValueError("An adapter needs a trained model under it, and this one is new. Name a model.")
        loaded = model_with_adapter(model, config.adapter, checkpoint, config.seed)
    elif isinstance(model, SmallModel) and checkpoint is None:
        vocabulary = vocabulary_size(max(largest, max(tokenizer.get_vocab().values()) if tokenizer else 0))
        loaded = build_model(model, vocabulary, shards.sequence_length, config.seed)
        set_special_tokens(loaded, tokenizer)
    else:
        loaded = load_model(checkpoint or str(model))
        if added and checkpoint is None:
            add_embeddings(loaded, added)
    check_vocabulary(loaded, largest)
    if config.gradient_checkpointing:
        loaded.activation_checkpointing_enable()
    return loaded


def _opening(model: "PreTrainedModel", run: "Run", total_tokens: int, leak: float) -> str:
    sampler = run.sampler
    text = (
        f"{model.num_parameters():,} parameters, {total_tokens:,} tokens in {sampler.steps} steps of"
        f" {sampler.rows_per_step} rows; packed documents are isolated (largest change {leak:.1g})"
    )
    if run.sharded:
        text += f"; sharded over {sampler.processes} processes"
    return text + (f"; resuming at step {sampler.first_step}" if sampler.first_step else "")


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and notes, which would break up ours."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
