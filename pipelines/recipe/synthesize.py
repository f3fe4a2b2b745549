"""The `synthesize:` section of a recipe: the model that is asked, and what it makes, by name."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from pipelines.settings import Name
from pipelines.synthesis.augment import Augment
from pipelines.synthesis.method import Method
from pipelines.synthesis.model import ModelEndpoint
from pipelines.synthesis.qa import Questions
from pipelines.synthesis.questions.docstring_qa import DocstringQuestions
from pipelines.synthesis.rephrase import Rephrase
from pipelines.synthesis.serving.server import Serve
from pipelines.synthesis.translate import Translate

SynthesisConfig = Annotated[
    DocstringQuestions | Questions | Translate | Augment | Rephrase,
    Field(discriminator="method"),
]
_NAME = TypeAdapter(Name)


class Synthesize(BaseModel):
    """The model that is asked, and under a name of your own how each set of new documents is made."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, SynthesisConfig] = Field(init=False)

    endpoint: ModelEndpoint | None = Field(
        None, description="The model behind an OpenAI-compatible endpoint: {base_url, model, key}."
    )
    serve: Serve | None = Field(None, description="Or the model that `vllm serve` serves on this machine.")
    prompts: str | None = Field(
        None,
        min_length=1,
        description="A folder with prompts of your own, which take the place of those that ship; its path "
        "begins at the recipe's folder.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.endpoint and self.serve:
            raise ValueError("give `endpoint` or `serve`, not both: one model is asked")
        for name in self.methods:
            try:
                _NAME.validate_python(name)
            except ValidationError as error:
                raise ValueError(f"`{name}` is no name: small letters, digits and _ make one") from error
        return self

    @property
    def methods(self) -> dict[str, SynthesisConfig]:
        """How documents are made, by name."""
        return self.__pydantic_extra__

    @property
    def asking(self) -> dict[str, Method]:
        """Those of them that ask a model."""
        return {name: method for name, method in self.methods.items() if isinstance(method, Method)}

    @property
    def model(self) -> ModelEndpoint | Serve | None:
        """The model that is asked."""
        return self.endpoint or self.serve

    @property
    def domains(self) -> set[str]:
        """The groups of all that is made."""
        return {self.domain_of(name) for name in self.methods}

    def domain_of(self, name: str) -> str:
        """The group of what is made under a name."""
        return self.methods[name].domain or name
