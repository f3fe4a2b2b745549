"""One stage of training: shards in, a model folder out, on `transformers.Trainer`."""

import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute

from mixers.files import remove_unfinished
from trainers.checkpoint import PARTIAL, Cursor, checkpoints, only_training_in, read_cursor
from trainers.config import SmallModel, StageTraining
from trainers.errors import ResumeError
from trainers.evaluate import largest_id
from trainers.events import TrainingListener
from trainers.integrity import require_right_shards, require_whole_checkpoint
from trainers.memory import full_memory_said, peak_memory
from trainers.quiet import quiet_transformers
from trainers.requirements import Start, attention_dropout, require_trainable
from trainers.result import RESULT, TrainingResult, read_result, recorded_run, write_result
from trainers.trackers import open_trackers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards
    from tokenizer_tools.load import TokenizerFiles
    from trainers.isolation import IsolationProof
    from trainers.loader import RowDataset, StepSampler
    from trainers.new_tokens.find import Pieces
    from trainers.objective import PackedObjective
    from trainers.packed_trainer import PackedTrainer, Run
    from trainers.saving import ModelFolders


def train(
    shards_folder: Path,
    config: StageTraining,
    model: str | Path | SmallModel,
    output: Path,
    tokenizer_folder: Path | None = None,
    held_out: Path | None = None,
    resume: bool = False,
    listeners: Sequence[TrainingListener] = (),
    shown: bool = True,
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
        listeners: Told what happens, in the process that writes files.
        shown: Whether progress is shown on standard error, too.

    Raises:
        ResumeError: `output` holds a run and `resume` is false, or the run is of other shards, of another
            start or of other settings.
        IsolationError: Packed documents would influence each other with this model.
        TooLittleMemory: A micro batch does not fit into the GPU's memory; it says what to set.
        ValueError: No shards, ids without embeddings, a model that cannot be trained on packed rows, or a
            tracker that is not installed.
    """
    from mixers.shards import Shards
    from trainers.model import fingerprint

    shards = Shards.open(shards_folder)
    if not len(shards):
        raise ValueError(f"{shards_folder} holds no rows to train on.")
    held_out_shards = Shards.open(held_out) if held_out is not None else None
    if not held_out_shards:  # none asked for, or a folder without rows
        held_out_shards = None
    with only_training_in(output) if _writes_files() else nullcontext(), quiet_transformers():
        run = Cursor.start(shards.fingerprint, fingerprint(model), config)
        checkpoint, cursor = _checkpoint_to_continue(output, run, resume)
        if (output / RESULT).exists():
            return read_result(output)
        if _writes_files():
            _require_right_inputs(shards, held_out_shards, output, checkpoint)
        return _train(
            _Job(
                shards,
                held_out_shards,
                config,
                model,
                tokenizer_folder,
                output,
                checkpoint,
                cursor,
                listeners,
                shown,
            )
        )


def _require_right_inputs(
    shards: "Shards", held_out: "Shards | None", output: Path, checkpoint: Path | None
) -> None:
    """Raise ValueError unless shards and checkpoint are what was written."""
    if checkpoint is not None:
        require_whole_checkpoint(checkpoint)
    for read in (shards, held_out):
        if read is not None:
            require_right_shards(read, output)


def _writes_files() -> bool:
    """Whether this process is the one of a run that writes its files."""
    return os.environ.get("RANK", "0") == "0"


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


@dataclass(frozen=True)
class _Job:
    """What is trained, on what, to where, and how far it has come."""

    shards: "Shards"
    held_out: "Shards | None"
    config: StageTraining
    model: str | Path | SmallModel
    tokenizer_folder: Path | None
    output: Path
    checkpoint: Path | None
    cursor: Cursor
    listeners: Sequence[TrainingListener]
    shown: bool

    @property
    def sequence_length(self) -> int:
        """Most tokens in a row of what is read."""
        return max(read.sequence_length for read in (self.shards, self.held_out) if read is not None)


def _train(job: _Job) -> TrainingResult:
    # On shared cores, threads that spin while they wait starve each other. Read when torch is first loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from trainers.loader import RowDataset
    from trainers.model import tokenizer_of
    from trainers.new_tokens.find import new_tokens, own_tokenizer
    from trainers.objective import PackedObjective
    from trainers.packed_trainer import PackedTrainer
    from trainers.threads import FreeCores

    _clear(job.output)
    own = own_tokenizer(job.model)
    added = new_tokens(own, job.tokenizer_folder)
    start = _start(job, own, added)
    require_trainable(start, job.config, _longest_document(job))
    dataset = RowDataset(job.shards, job.config.epochs)
    tokenizer = tokenizer_of(job.tokenizer_folder, job.model)
    model = _model(job, tokenizer, own, added)
    objective = PackedObjective(model)
    with full_memory_said(1):
        sampler = _placed(job, objective, len(dataset))
    folders = _folders(job, model, tokenizer)
    opened = _open_run(job, dataset, sampler, folders, added)
    memory = full_memory_said(sampler.micro_batch_rows)
    with memory, opened as run, FreeCores(run.progress.note) as free_cores:
        trainer = PackedTrainer(objective, run)
        trainer.add_callback(free_cores)
        isolation = _prove_isolation(trainer)
        run.progress.note(_opening(model, run, isolation.other_change))
        for warning in _warnings(job, start, folders.stops):
            run.progress.note(warning)
        seconds = _take_steps(trainer, job.checkpoint)
    result = _result(job, model, run, isolation._asdict(), seconds)
    trainer.save_final()
    if _writes_files():
        write_result(result, job.config)
    return result


def _start(job: _Job, own: "TokenizerFiles | None", added: Mapping[int, Sequence[int]]) -> Start:
    """The model that the stage starts from, before it is loaded."""
    from trainers.adapters import has_adapter
    from trainers.model import read_config
    from trainers.new_tokens.find import written_tokens

    if isinstance(job.model, SmallModel):
        return Start.of_new(job.model, job.sequence_length)
    return Start(
        str(job.model),
        read_config(job.model),
        has_adapter=has_adapter(job.model),
        new_tokens=len(added),
        written_tokens=None if own is None else written_tokens(own),
    )


def _longest_document(job: _Job) -> int:
    """Its tokens, among all that are read."""
    tokens = (read.segments["tokens"] for read in (job.shards, job.held_out) if read is not None)
    return max(pa.compute.max(column).as_py() or 0 for column in tokens)


def _clear(output: Path) -> None:
    """Make the folder, and remove what a killed run left unfinished in it."""
    output.mkdir(parents=True, exist_ok=True)
    if _writes_files():
        shutil.rmtree(output / PARTIAL, ignore_errors=True)
        remove_unfinished(output)


@contextmanager
def _open_run(
    job: _Job,
    dataset: "RowDataset",
    sampler: "StepSampler",
    folders: "ModelFolders",
    added: Mapping[int, Sequence[int]],
) -> Iterator["Run"]:
    """What this process works with, its display and trackers open until the end."""
    from trainers.metrics_log import MetricsLog
    from trainers.packed_trainer import Run
    from trainers.progress import Progress

    writes = _writes_files()
    done = job.cursor.step if job.checkpoint else -1
    total_tokens = dataset.tokens_before(sampler.rows_before(sampler.steps))
    settings = job.config.model_dump(mode="json")
    with (
        Progress(sampler.steps, total_tokens, writes, job.listeners, job.shown) as progress,
        open_trackers(job.config.log_to if writes else (), job.output, done, settings) as trackers,
    ):
        metrics_log = MetricsLog(job.output / "metrics.jsonl", writes, trackers)
        metrics_log.rewind(done)
        yield Run(
            stage=job.config,
            dataset=dataset,
            sampler=sampler,
            output=job.output,
            held_out=job.held_out,
            metrics_log=metrics_log,
            progress=progress,
            cursor=job.cursor,
            folders=folders,
            new_tokens=added,
        )


def _folders(job: _Job, model: "PreTrainedModel", tokenizer: Any) -> "ModelFolders":
    """How the trained model is saved."""
    from trainers.saving import ModelFolders, final_dtype
    from trainers.stopping import learnt_turn_ends, pad_token, stop_tokens

    source = job.model if job.tokenizer_folder is None else job.tokenizer_folder
    turn_ends = () if isinstance(source, SmallModel) else learnt_turn_ends(job.shards, source)
    return ModelFolders(
        dtype=final_dtype(job.config.save_dtype, job.model),
        stops=stop_tokens(model, tokenizer, turn_ends),
        pad=pad_token(model, tokenizer),
        tokenizer=tokenizer,
        tokenizer_folder=job.tokenizer_folder,
    )


def _prove_isolation(trainer: "PackedTrainer") -> "IsolationProof":
    """Proof on the first rows that the documents of a pack do not see each other."""
    from trainers.isolation import prove_isolation

    dataset = trainer.run.dataset
    first_rows = [dataset[number] for number in range(min(8, len(dataset.shards)))]
    with trainer.model.in_precision():
        return prove_isolation(trainer.model.logits, first_rows, trainer.args.device)


def _take_steps(trainer: "PackedTrainer", checkpoint: Path | None) -> float:
    """Train from `checkpoint`, or from the start, to the end; the seconds that training has taken in all."""
    if checkpoint is None:
        trainer.score_held_out()
    trainer.run.begin()
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    seconds = trainer.run.seconds
    trainer.score_held_out()
    return seconds


def _placed(job: _Job, objective: "PackedObjective", total_rows: int) -> "StepSampler":
    """The rows of each micro batch, with the model brought where it computes."""
    from trainers.compilation import CompileError
    from trainers.memory import rows_that_fit
    from trainers.placement import join_processes, place, processes

    config = job.config
    device = join_processes()
    try:
        place(objective, config, device, job.shards.sequence_length)
    except CompileError as error:
        raise ValueError(f"This model cannot be compiled here; set `compile: false`. {error}") from error
    rows = config.micro_batch_rows
    if rows == "auto":
        share = math.ceil(config.rows_per_step / processes())
        rows = rows_that_fit(objective, job.shards, share, device)
    return _sampler(total_rows, rows, config, job.cursor)


def _sampler(total_rows: int, micro_batch_rows: int, config: StageTraining, cursor: Cursor) -> "StepSampler":
    from trainers.loader import StepSampler
    from trainers.placement import processes

    return StepSampler(
        total_rows,
        config.rows_per_step,
        micro_batch_rows,
        processes=processes(),
        process=int(os.environ.get("RANK", "0")),
        first_step=cursor.step,
        first_row=cursor.row,
        last_step=config.max_steps,
    )


def _result(
    job: _Job, trained: "PreTrainedModel", run: "Run", isolation: dict[str, float], seconds: float
) -> TrainingResult:
    from trainers.flops import peak_flops, training_flops, workload

    shards, sampler, model = job.shards, run.sampler, job.model
    rows = sampler.rows_before(sampler.steps)
    work = workload(shards, rows)
    flops_per_second = training_flops(trained, work) / max(seconds, 1e-9)
    peak = peak_flops()
    return TrainingResult(
        output=job.output,
        model=model.model_dump_json() if isinstance(model, SmallModel) else str(model),
        shards_fingerprint=shards.fingerprint,
        start_fingerprint=job.cursor.start_fingerprint,
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
        final_loss=run.metrics_log.last_loss,
        isolation=isolation,
        evaluations=run.metrics_log.evaluations,
    )


def _model(
    job: _Job, tokenizer: Any, own: "TokenizerFiles | None", added: "Mapping[int, Pieces]"
) -> "PreTrainedModel":
    """The model at the start of this process: new, loaded, or as the checkpoint has it."""
    from trainers.adapters import model_with_adapter
    from trainers.model import build_model, check_vocabulary, load_model, set_special_tokens, vocabulary_size
    from trainers.new_tokens.add import add_embeddings

    model, checkpoint, config = job.model, job.checkpoint, job.config
    largest = largest_id(job.shards)
    if config.adapter is not None:
        assert not isinstance(model, SmallModel), "refused before"
        loaded = model_with_adapter(model, config.adapter, checkpoint, config.seed)
    elif isinstance(model, SmallModel) and checkpoint is None:
        vocabulary = vocabulary_size(max(largest, max(tokenizer.get_vocab().values()) if tokenizer else 0))
        loaded = build_model(model, vocabulary, job.sequence_length, config.seed)
        set_special_tokens(loaded, tokenizer)
    else:
        loaded = load_model(checkpoint or str(model))
        if added and checkpoint is None:
            add_embeddings(loaded, added, config.new_tokens, own, job.shards, config.seed)
    check_vocabulary(loaded, largest)
    if config.gradient_checkpointing:
        loaded.activation_checkpointing_enable()
    return loaded


def _opening(model: "PreTrainedModel", run: "Run", leak: float) -> str:
    sampler = run.sampler
    text = (
        f"{model.num_parameters():,} parameters, {run.tokens(sampler.steps):,} tokens in"
        f" {sampler.steps} steps of {sampler.rows_per_step} rows, {sampler.micro_batch_rows} at"
        f" once; packed documents are isolated (largest change {leak:.1g})"
    )
    if run.sharded:
        text += f"; sharded over {sampler.processes} processes"
    return text + (f"; resuming at step {sampler.first_step}" if sampler.first_step else "")


def _warnings(job: _Job, start: Start, stops: Sequence[int]) -> Iterator[str]:
    """What may not be as the user thinks."""
    from trainers.model import other_ids
    from trainers.stopping import answers_never_end

    for key, share in attention_dropout(start.config).items():
        yield f"the model asks for `{key}: {share}`; it is trained without dropout in attention"
    if answers_never_end(job.shards, stops):
        yield (
            "no answer in the conversations ends with a token at which generation stops, so the model will"
            " not stop by itself; let the chat template end the assistant's turn with a control token"
        )
    if job.tokenizer_folder is not None:
        yield from other_ids(job.tokenizer_folder, start.config["model_type"])
