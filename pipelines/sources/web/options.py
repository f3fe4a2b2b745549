"""What a recipe can say about web pages."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.sources.endpoint import Endpoint
from pipelines.sources.web.structure import KINDS, Kind

ExtractorName = Literal["trafilatura", "resiliparse", "readability", "whole_page", "endpoint"]


class PageModel(Endpoint):
    """A model that turns HTML into text, such as ReaderLM-v2, and what it is asked."""

    prompt: str = Field(
        "Extract the main content from the given HTML and convert it to Markdown format.\n"
        "```html\n{html}\n```",
        description="What it is asked; {html} stands for the page, cut down.",
    )
    input_tokens: int = Field(
        24_000, ge=1, description="A page with more tokens (of four bytes) of HTML is set aside."
    )
    output_tokens: int = Field(8_000, ge=1, description="Tokens of the text; a longer one is set aside.")

    @model_validator(mode="after")
    def _prompt_has_a_place_for_the_page(self) -> PageModel:
        if "{html}" not in self.prompt:
            raise ValueError("`prompt` needs {html} where the page is to stand")
        return self


class Pages(BaseModel):
    """How the text of web pages is found: in .warc, .wet, .arc and .html files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extractor: ExtractorName = Field("trafilatura", description="What finds the text.")
    endpoint: PageModel | None = Field(None, description="The model, for `extractor: endpoint`.")
    keep: tuple[Kind, ...] = Field(
        KINDS, description="What is kept as Markdown where the extractor would lose it."
    )
    seconds: float = Field(
        10, gt=0, le=3600, description="Processor time for a page; one that takes more is set aside."
    )
    largest: int = Field(10_000_000, ge=1, description="A page with more bytes is set aside.")
    memory: int = Field(
        4_000_000_000, ge=500_000_000, description="Bytes of memory that an extractor may take."
    )

    @model_validator(mode="after")
    def _endpoint_is_there(self) -> Pages:
        if (self.extractor == "endpoint") != (self.endpoint is not None):
            raise ValueError("`extractor: endpoint` and `endpoint` go together")
        return self

    def without_model(self) -> Pages:
        """The same for a first look, which asks no model."""
        if self.extractor != "endpoint":
            return self
        return self.model_copy(update={"extractor": "whole_page", "endpoint": None})


READ_AS_USUAL = Pages()
"""Where a recipe says nothing."""
