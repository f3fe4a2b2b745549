"""Columns of licences: what documents declare becomes SPDX expressions, once for each distinct value."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyarrow as pa

from pipelines.sources.licences import header, spdx, templates, texts
from pipelines.sources.licences.spdx import DISTINCT, REFERENCE, UNKNOWN, spdx_id, spdx_of_all
from pipelines.sources.licences.texts import licence_of_text

VERSIONS = (spdx.VERSION, texts.VERSION, header.VERSION, templates.VERSION)
"""Of all that decides the licence of a document."""

WHOLE_TEXT = 400
"""Characters from which on what is declared may be the text of a licence."""


def spdx_column(declared: pa.Array) -> pa.Array:
    """A column of strings as SPDX expressions; null where nothing is declared."""
    encoded = declared.dictionary_encode()
    return pa.array(map(declared_id, encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)


def declared_id(declared: Any) -> str | None:
    """The SPDX expression of what a record or a package has as its licence: a string, or a list of them.

    All of a list hold. None where nothing is declared.
    """
    if isinstance(declared, list):
        names = [name for each in declared if (name := declared_id(each)) is not None]
        return spdx_of_all(names) if names else None
    return _of_string(declared) if isinstance(declared, str) else None


def loses_words(declared: Any, expression: str | None) -> bool:
    """Whether the expression says less than what was declared, of which it knows no licence."""
    if not isinstance(declared, str | list) or not declared or declared == expression:
        return False
    return expression is None or REFERENCE in expression


@lru_cache(DISTINCT)
def _of_string(declared: str) -> str | None:
    whole = licence_of_text(declared) if len(declared) > WHOLE_TEXT else None
    found = whole or spdx_id(declared)
    return None if found == UNKNOWN else found
