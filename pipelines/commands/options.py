"""From the options of a command line to a typed configuration."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipelines.errors import UserError
from pipelines.recipe.mistakes import in_words

Config = TypeVar("Config", bound=BaseModel)


def configured(kind: type[Config], values: dict[str, Any], hint: str) -> Config:
    """The configuration with the values that were given. Raises UserError for one that it refuses."""
    try:
        return kind.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(in_words(dict(first)), place=".".join(map(str, first["loc"])), hint=hint) from error
