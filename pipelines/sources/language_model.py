"""The model that tells the language of documents: the bundled lid.176, or a file of the user's."""

from __future__ import annotations

import mmap
from functools import lru_cache
from pathlib import Path

from filters.language.fasttext import FastText
from filters.language.identify import LanguageIdentifier
from pipelines.errors import UserError

PLACE = "curate.language.model"


def bundled_model() -> Path:
    """The file of lid.176."""
    return Path(__file__).parent / "lid.176" / "lid.176.ftz"


@lru_cache(maxsize=2)
def load_identifier(path: str) -> LanguageIdentifier:
    """The identifier with the model of a file, which stays mapped into memory.

    Raises UserError if it is no fastText classifier.
    """
    with Path(path).open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return LanguageIdentifier.build(FastText.parse(memoryview(data)))
        except ValueError as error:
            raise UserError(
                str(error),
                file=path,
                place=PLACE,
                hint="Give the file of a fastText classifier of languages, or leave `model` out for lid.176.",
            ) from error
