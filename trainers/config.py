"""The `train:` section of a recipe, typed. Imports no torch, so that a recipe is checked at once."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Percent = Annotated[str, Field(pattern=r"^(100|\d{1,2})(\.\d+)?%$")]
Steps = Annotated[int, Field(ge=0, strict=True)] | Percent
"""A number of optimizer steps, or a share of the run such as `1%`."""

Dtype = Literal["auto", "float32", "bfloat16"]
SaveDtype = Literal["auto", "float32", "bfloat16", "float16"]
FirstEmbeddings = Literal["mean", "position", "length", "omp", "distill", "random"]

MODEL = "model"
"""In place of a stage's name in `from`: `train.model`."""


def steps_of(value: Steps, total_steps: int) -> int:
    """`value` in optimizer steps: a percentage is a share of `total_steps`, and at least one step."""
    if isinstance(value, int):
        return value
    share = float(value.removesuffix("%")) / 100
    return max(1, round(share * total_steps)) if share > 0 else 0


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SmallModel(_Config):
    """A Qwen3-shaped model from scratch. The vocabulary comes from the tokenizer, never from here."""

    hidden_size: int = Field(default=256, gt=0, description="Width of the residual stream.")
    layers: int = Field(default=4, gt=0, description="Number of decoder layers.")
    heads: int = Field(default=4, gt=0, description="Number of query heads.")
    kv_heads: int = Field(default=2, gt=0, description="Number of key and value heads; divides `heads`.")
    intermediate_size: int = Field(default=768, gt=0, description="Width of the gated feed-forward layer.")
    tie_embeddings: bool = Field(default=True, description="Input embeddings serve as the output head too.")
    positions: int | None = Field(
        default=None,
        gt=0,
        description="Tokens of the longest document that any stage will have; null: the `sequence_length` of"
        " the stage that makes the model.",
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "SmallModel":
        if self.hidden_size % self.heads or (self.hidden_size // self.heads) % 2:
            raise ValueError("hidden_size must be an even multiple of heads (the head size must be even)")
        if self.heads % self.kv_heads:
            raise ValueError("heads must be a multiple of kv_heads")
        return self


class Optimizer(_Config):
    """AdamW and its learning rate over time."""

    lr: float = Field(default=1e-4, gt=0, description="Peak learning rate.")
    schedule: Literal["cosine", "wsd"] = Field(
        default="cosine", description="cosine, or wsd: warm up, stay stable, decay at the end."
    )
    warmup: Steps = Field(default="1%", description="Linear warm-up, in steps or as a share of the run.")
    decay: Steps = Field(default="20%", description="wsd only: length of the final decay.")
    min_lr_ratio: float = Field(default=0.1, ge=0, le=1, description="Last learning rate / peak.")
    weight_decay: float = Field(default=0.1, ge=0, description="On matrices; not norms, biases, embeddings.")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="AdamW's averaging constants.")
    embedding_lr: float | None = Field(
        default=None, gt=0, description="Peak learning rate of input and output embeddings; null: as `lr`."
    )
    grad_clip: float = Field(default=1.0, gt=0, description="Largest norm of the whole gradient.")


class Phase(_Config):
    """A stretch of a stage in which only some weights train."""

    train: Literal["new_embeddings", "embeddings", "top_layers", "all"] = Field(
        description="embeddings: of input and output; new_embeddings: of these only those of the tokens that"
        " the tokenizer was extended by; top_layers: all embeddings, the last norm and the last `layers`."
    )
    layers: int | None = Field(
        default=None, gt=0, description="top_layers only: how many of the last layers."
    )
    steps: Steps | None = Field(default=None, description="Length; null for the last phase alone.")
    lr: float | None = Field(
        default=None, gt=0, description="Peak learning rate in this phase; null: the optimizer's own."
    )

    @model_validator(mode="after")
    def _layers_fit(self) -> "Phase":
        if (self.layers is not None) != (self.train == "top_layers"):
            raise ValueError("`layers` goes with `train: top_layers`, and `train: top_layers` needs it")
        return self


class Adapter(_Config):
    """A low-rank adapter that trains in place of the model's own weights (Hu et al. 2021, "LoRA")."""

    kind: Literal["lora", "qlora"] = Field(
        default="lora", description="qlora: the frozen model in 4 bits, on a GPU only."
    )
    rank: int = Field(default=16, gt=0, description="Rank of each adapter matrix.")
    alpha: int | None = Field(default=None, gt=0, description="Scale times rank; null: twice the rank.")
    targets: Literal["all_linear"] | tuple[str, ...] = Field(
        default="all_linear", description="Layers that get an adapter: all but embeddings and head, or names."
    )
    start: Literal["new", "continue"] = Field(
        default="new", description="new: on the model as it is; continue: the adapter of the stage before."
    )


class NewTokens(_Config):
    """How the embeddings of tokens begin that the run's tokenizer has and the model does not know."""

    start: FirstEmbeddings = Field(
        default="mean",
        description="mean: of the embeddings of the old pieces; position: later pieces weigh more; length:"
        " longer pieces weigh more; omp: a sparse combination of old tokens; distill: mean, then inputs are"
        " trained so that the model's states become those that the pieces give; random: as a warning.",
    )


class StageTraining(_Config):
    """How one stage's shards are trained on. Row order is training order: nothing is shuffled here."""

    optimizer: Optimizer = Field(default_factory=Optimizer, description="AdamW and its schedule.")
    adapter: Adapter | None = Field(default=None, description="Train an adapter; null: all weights.")
    phases: tuple[Phase, ...] = Field(default=(), description="Which weights train when; empty: all, always.")
    new_tokens: NewTokens = Field(
        default_factory=NewTokens, description="First embeddings of tokens that the model does not know."
    )
    rows_per_step: int = Field(default=16, gt=0, description="Rows in one step, over all processes.")
    micro_batch_rows: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        default="auto",
        description="Rows in one forward pass of a process; auto: as many as a GPU's memory holds, on a CPU"
        " one.",
    )
    epochs: int = Field(default=1, gt=0, description="Passes over the shards, each in the same row order.")
    max_steps: int | None = Field(default=None, gt=0, description="Stop after this many steps, if sooner.")
    evaluate_every: Steps = Field(
        default="20%", description="Steps between evaluations; 0: at start and end only."
    )
    save_every: Steps = Field(default="20%", description="Steps between checkpoints; 0: none on the way.")
    keep_checkpoints: int = Field(default=2, gt=0, description="How many of the last checkpoints stay.")
    dtype: Dtype = Field(
        default="auto",
        description="Precision of forward and backward passes; weights stay float32. auto: bfloat16 where the"
        " hardware multiplies it fast (a GPU, a CPU with AMX), float32 elsewhere.",
    )
    save_dtype: SaveDtype = Field(
        default="auto",
        description="Type of the weights of the finished model; checkpoints are float32. auto: that of the"
        " model that the stage starts from, float32 for a new one.",
    )
    log_to: tuple[Literal["tensorboard", "wandb"], ...] = Field(
        default=(), description="Experiment trackers that get what metrics.jsonl gets."
    )
    parallel: Literal["ddp", "fsdp"] = Field(
        default="ddp",
        description="Several processes: ddp gives each the whole model, fsdp (FSDP2) shards it over them.",
    )
    compile: bool | Literal["auto"] = Field(
        default="auto",
        description="torch.compile the decoder layers: a wait at start, faster steps. auto: on a GPU.",
    )
    flash_attention: Literal["FA2", "FA3", "FA4"] = Field(
        default="FA2",
        description="Attention kernels of a GPU: torch's own, or those of the package flash-attn-3 (Hopper)"
        " or flash-attn-4 (Hopper, Blackwell).",
    )
    gradient_checkpointing: bool = Field(default=False, description="Recompute activations to save memory.")
    seed: int = Field(default=17, ge=0, description="Seed of new weights and of dropout.")
    start: str | None = Field(
        default=None,
        alias="from",
        description="In a run: the stage whose model this one starts from, or `model` for `train.model`."
        " null: the stage before it, for the first `train.model`.",
    )

    @model_validator(mode="after")
    def _settings_fit(self) -> "StageTraining":
        if self.phases and self.adapter is not None:
            raise ValueError(
                "`phases` choose among the model's own weights, which an `adapter` leaves frozen"
            )
        if self.adapter is not None and self.adapter.kind == "qlora":
            if self.parallel == "fsdp":
                raise ValueError("a model in 4 bits (`kind: qlora`) is not sharded: set `parallel: ddp`")
            if self.compile is True:
                raise ValueError("a model in 4 bits (`kind: qlora`) is not compiled: set `compile: false`")
        if self.phases and (
            [p.steps is None for p in self.phases] != [False] * (len(self.phases) - 1) + [True]
        ):
            raise ValueError("every phase but the last needs `steps`, and the last must have none")
        # Before it, AdamW's averages of the old rows would not be zero; a share of the run may change in it.
        if any(p.train == "new_embeddings" for p in self.phases[1:]):
            raise ValueError("`train: new_embeddings` must be the first phase")
        if self.phases and self.phases[0].train == "new_embeddings" and isinstance(self.phases[0].steps, str):
            raise ValueError("`train: new_embeddings` needs a number of `steps`, not a share of the run")
        return self


class Train(_Config):
    """The `train:` section: the model, and under the name of a mixture how that stage trains it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, StageTraining] = Field(init=False)

    model: str | SmallModel = Field(
        default_factory=SmallModel, description="Hub id, local folder, or the shape of a small new model."
    )

    @property
    def stages(self) -> dict[str, StageTraining]:
        """The stages that have settings of their own, by name."""
        return self.__pydantic_extra__

    def stage(self, name: str) -> StageTraining:
        """The settings of a stage; the defaults where it has none of its own."""
        return self.stages.get(name, StageTraining())


def stage_before(stage: str, start: str | None, stages: Sequence[str]) -> str | None:
    """The stage whose model `stage` starts from; None: it starts from `train.model`.

    Args:
        stage: One of `stages`.
        start: Its `StageTraining.start`.
        stages: All stages of the run, in order.

    Raises:
        ValueError: `start` names neither a stage before it nor the model.
    """
    before = stages[: stages.index(stage)]
    if start is None:
        return before[-1] if before else None
    if start not in (MODEL, *before):
        known = ", ".join(f"`{name}`" for name in (*before, MODEL))
        raise ValueError(f"`{stage}` cannot start from `{start}`, only from {known}")
    return None if start == MODEL else start
