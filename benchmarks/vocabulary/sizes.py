"""How large the models of the experiment are, and what they are trained on."""

from dataclasses import dataclass

from trainers.config import SmallModel

ENGLISH, RUSSIAN, OTHER = "English", "Russian", "other"


@dataclass(frozen=True)
class Size:
    """How large everything is, and the peak learning rates that the sweep found."""

    vocabulary: int
    new_tokens: int
    model: SmallModel
    sequence_length: int
    rows_per_step: int
    base_steps: int
    new_rows_steps: int
    """Of the first phase, part of `steps`."""
    steps: int
    held_out_bytes: int
    """Of each language."""
    base_rate: float
    rates: dict[str, tuple[float, ...]]
    """Of each arm, one phase after another."""

    @property
    def document_bytes(self) -> int:
        """So that a document has a place in a row, whatever its tokens."""
        return self.sequence_length - 2


SIZES = {
    "small": Size(
        vocabulary=4096,
        new_tokens=400,
        model=SmallModel(hidden_size=64, layers=2, heads=2, kv_heads=1, intermediate_size=192),
        sequence_length=256,
        rows_per_step=4,
        base_steps=1000,
        new_rows_steps=120,
        steps=200,
        held_out_bytes=40_000,
        base_rate=3e-3,
        rates={
            "extended": (1e-2, 2e-3),
            "replaced": (1e-2, 2e-3),
            "all weights": (6e-3,),
            "embeddings": (1e-2,),
        },
    ),
    "medium": Size(
        vocabulary=16384,
        new_tokens=2000,
        model=SmallModel(hidden_size=512, layers=8, heads=8, kv_heads=4, intermediate_size=1536),
        sequence_length=1024,
        rows_per_step=32,
        base_steps=450,
        new_rows_steps=70,
        steps=120,
        held_out_bytes=200_000,
        base_rate=2e-3,
        rates={
            "extended": (1e-2, 1e-3),
            "replaced": (1e-2, 1e-3),
            "all weights": (1e-3,),
            "embeddings": (3e-3,),
        },
    ),
}
