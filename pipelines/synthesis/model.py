"""The model that makes new text: behind an endpoint, and what it costs."""

from __future__ import annotations

from pydantic import BaseModel, Field

from pipelines.settings import STRICT
from pipelines.sources.endpoint import Endpoint


class Price(BaseModel):
    """What a million tokens cost, in any currency."""

    model_config = STRICT

    input: float = Field(ge=0, description="Of what is sent.")
    output: float = Field(ge=0, description="Of what comes back.")

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


class ModelEndpoint(Endpoint):
    """A language model behind an endpoint's `/v1/chat/completions`."""

    price: Price | None = Field(None, description="What a million tokens cost; null: nothing is said of it.")
    guided: bool = Field(
        True, description="Whether the server takes JSON schemas (`response_format`), as vLLM does."
    )
