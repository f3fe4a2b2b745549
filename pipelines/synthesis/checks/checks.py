"""The checks of new text and their settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field

from mixers.files import known_hash
from pipelines.execution.fingerprint import fingerprint
from pipelines.settings import STRICT, Share

VERSION = 1
"""To be raised when the same drafts pass or fail otherwise."""


MODEL_SUFFIXES = (".json", ".safetensors", ".txt", ".model")
"""Of a model's files those that decide what it says."""


class MeaningCheck(BaseModel):
    """A model that compares an answer with its passage."""

    model_config = STRICT

    model: str = Field(description="A folder, or a model of the hub.")
    least: float = Field(0.5, ge=-1, le=1, description="What fits less is rejected.")

    @property
    def identity(self) -> str:
        """Names the model: by its files where it is a folder, else by its name on the hub."""
        folder = Path(self.model)
        files = [path for path in sorted(folder.rglob("*")) if path.suffix in MODEL_SUFFIXES]
        hashes = [[path.relative_to(folder).as_posix(), known_hash(path)] for path in files]
        return fingerprint(hashes) if folder.is_dir() else self.model


class Checks(BaseModel):
    """What new text must pass."""

    model_config = STRICT

    min_words: int = Field(1, ge=0, description="Words of an answer, or of a text, at least.")
    max_words: int = Field(4_000, ge=1, description="At most.")
    language: bool = Field(True, description="Whether it must be in the language that was asked for.")
    repetition: bool = Field(True, description="Whether loops are rejected.")
    refusals: bool = Field(True, description="Whether refusals are rejected where none was asked for.")
    copied_prompt: bool = Field(True, description="Whether the prompt's words must not come back.")
    stands_alone: bool = Field(
        True, description="Whether `the text above` is rejected where the reader sees no text."
    )
    grounded_words: Share | None = Field(
        0.5,
        description="More than this share of an answer's content words must stand in its passage, all "
        "numbers besides; null: nothing must.",
    )
    grounded_names: Share = Field(
        0.8, description="At least this share of an answer's names must stand there."
    )
    grounded_question: Share = Field(0.2, description="At least this share of the question's content words.")
    alike_questions: Share = Field(
        0.65, gt=0, description="Questions about a document whose words are so much alike are one (Jaccard)."
    )
    embedding: MeaningCheck | None = Field(
        None, description="An embedding model: the similarity of question and answer to the passage."
    )
    nli: MeaningCheck | None = Field(
        None, description="A model of inference (NLI): how probably the passage entails the answer."
    )
    judge: bool = Field(
        False, description="Whether the same model is asked if each answer is right and supported."
    )

    @property
    def models(self) -> dict[str, MeaningCheck]:
        """The models that it asks for what texts mean, by their setting."""
        named = {"embedding": self.embedding, "nli": self.nli}
        return {name: check for name, check in named.items() if check is not None}

    def located(self, path: Callable[[str], Path]) -> Self:
        """The same checks with folders of models as `path` understands them."""
        changes = {
            name: check.model_copy(update={"model": str(path(check.model))})
            for name, check in self.models.items()
            if path(check.model).is_dir()
        }
        return self.model_copy(update=changes)
