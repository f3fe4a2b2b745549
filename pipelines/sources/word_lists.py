"""Lists of unwanted words, which the user supplies as files: one word or phrase a line, a file a language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.quality.bad_words import BadWords, count_bad_words
from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint


@dataclass(frozen=True)
class WordList:
    """The words for one language, in no particular order."""

    language: str
    words: tuple[str, ...]
    identity: str


def read_word_list(language: str, paths: Sequence[Path]) -> WordList:
    """The words of all files together.

    Raises UserError if a file is missing, is no UTF-8 text or has no words.
    """
    words: set[str] = set()
    for path in paths:
        try:
            found = {line.strip().lower() for line in path.read_text("utf-8-sig").splitlines()} - {""}
        except (OSError, UnicodeDecodeError) as error:
            raise _list_error(f"the list cannot be read: {error}", path) from error
        if not found:
            raise _list_error("there is no word in the list", path)
        words |= found
    ordered = tuple(sorted(words))
    return WordList(language, ordered, fingerprint(ordered))


def _list_error(message: str, path: Path) -> UserError:
    hint = "Name a UTF-8 text with one word or phrase a line; paths begin at the recipe's folder."
    return UserError(message, file=str(path), place="curate.rules.words", hint=hint)


def count_by_language(
    texts: pa.ChunkedArray, languages: pa.ChunkedArray, lists: Sequence[WordList]
) -> pa.Int64Array:
    """How many unwanted words each document has: of the list for its language, of all where that is null."""
    total = np.zeros(len(texts), dtype=np.int64)
    for one in lists:
        judged = pc.fill_null(pc.equal(languages, one.language), True).combine_chunks()
        found = count_bad_words(texts.filter(judged), BadWords.build(one.words, one.language))
        total[judged.to_numpy(zero_copy_only=False)] += found.to_numpy()
    return pa.array(total)
