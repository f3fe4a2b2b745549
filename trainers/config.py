"""The `train:` section of a recipe, typed. Imports no torch, so that a recipe is checked at once."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Percent = Annotated[str, Field(pattern=r"^(100|\d{1,2})(\.\d+)?%$")]
Steps = Annotated[int, Field(ge=0, strict=True)] | Percent
"""A number of optimizer steps, or a share of the run such as `1%`."""

Dtype = Literal["auto", "float32", "bfloat16"]


def steps_of(value: Steps, total_steps: int) -> int:
    """`value` in optimizer steps: a percentage is a share of `total_steps`, and at least one step."""
    if isinstance(value, int):
        return value
    share = float(value.removesuffix("%")) / 100
    return max(1, round(share * total_steps)) if share > 0 else 0


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SmallModel(_Config):
    """A Qwen3-shaped model from scratch. The vocabulary comes from the tokenizer, never from here."""

    hidden_size: int = Field(default=256, gt=0, description="Width of the residual stream.")
    layers: int = Field(default=4, gt=0, description="Number of decoder layers.")
    heads: int = Field(default=4, gt=0, description="Number of query heads.")
    kv_heads: int = Field(default=2, gt=0, description="Number of key and value heads; divides `heads`.")
    intermediate_size: int = Field(default=768, gt=0, description="Width of the gated feed-forward layer.")
    tie_embeddings: bool = Field(default=True, description="Input embeddings serve as the output head too.")

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
    grad_clip: float = Field(default=1.0, gt=0, description="Largest norm of the whole gradient.")


class StageTraining(_Config):
    """How one stage's shards are trained on. Row order is training order: nothing is shuffled here."""

    optimizer: Optimizer = Field(default_factory=Optimizer, description="AdamW and its schedule.")
    rows_per_step: int = Field(default=16, gt=0, description="Rows in one step, over all processes.")
    micro_batch_rows: int = Field(default=1, gt=0, description="Rows in one forward pass of a process.")
    epochs: int = Field(default=1, gt=0, description="Passes over the shards, each in the same row order.")
    max_steps: int | None = Field(default=None, gt=0, description="Stop after this many steps, if sooner.")
    evaluate_every: Steps = Field(
        default="20%", description="Steps between evaluations; 0: at start and end only."
    )
    save_every: Steps = Field(default="20%", description="Steps between checkpoints; 0: none on the way.")
    keep_checkpoints: int = Field(default=2, gt=0, description="How many of the last checkpoints stay.")
    dtype: Dtype = Field(
        default="auto",
        description="Precision of matrix products; weights stay float32. auto: bfloat16 where the hardware"
        " multiplies it fast (a GPU, a CPU with AMX), float32 elsewhere.",
    )
    gradient_checkpointing: bool = Field(default=False, description="Recompute activations to save memory.")
    seed: int = Field(default=17, ge=0, description="Seed of new weights and of dropout.")


class Train(_Config):
    """The `train:` section: the model and how each stage trains it."""

    model: str | SmallModel = Field(
        default_factory=SmallModel, description="Hub id, local folder, or the shape of a small new model."
    )
    stage1: StageTraining | None = Field(default=None, description="Stage 1; null: no training.")
    stage2: StageTraining | None = Field(default=None, description="Stage 2; null: no training.")
