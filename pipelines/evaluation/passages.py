"""Passages that fit questions, found by BM25 (Robertson and Zaragoza 2009), for retrieval-augmented answers.

The index is tantivy's (k1 1.2, b 0.75), on disk and memory-mapped; of texts it keeps places alone. While it
is built, one row group of a part (2 MB of text), what tantivy gathers before it writes (`HEAP`) and up to
10,000 passages that wait for it are in memory, however many documents there are.

Words are runs of letters, marks and digits in small letters and compatibility forms, `ё` as `е`, by the stems
of Snowball for Russian and English; of scripts without spaces every character is a word.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from mixers.files import TEMPORARY, remove_unfinished
from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint, library_versions
from pipelines.execution.sealed_folder import check_folder, seal_folder
from pipelines.synthesis.checks.words import UNSPACED
from pipelines.synthesis.chunks import VERSION as CHUNKS_VERSION
from pipelines.synthesis.chunks import chunk_spans

if TYPE_CHECKING:
    import tantivy

VERSION = 1
"""To be raised when the same documents give another index."""
FOLDER = "passages"
"""In a run: a folder for each index."""
LIBRARY = "tantivy"
HEAP = 128 << 20
"""Bytes that tantivy gathers, by all its threads, before it writes."""
LONGEST_QUESTION = 2_000
"""Characters of a question that are searched for; of a longer one its last."""
_TEXT, _TOKENIZER = "text", "words"
_WORD = rf"[{UNSPACED}]|[\p{{L}}\p{{M}}\p{{N}}--[{UNSPACED}]]+"
_LONGEST_WORD = 100
"""Bytes; a longer one is no word."""


class Corpus(Protocol):
    """Documents in numbered files."""

    @property
    def fingerprint(self) -> str:
        """Names what they are."""
        ...

    @property
    def files(self) -> int:
        """How many files there are."""
        ...

    def texts(self, file: int, rows: npt.NDArray[np.int64] | None = None) -> Iterator[tuple[int, str]]:
        """Row and text of the documents of a file, or of those at some ascending rows."""
        ...


class Place(NamedTuple):
    """Where a passage is: characters from `start` to `end` of the document in a row of a file."""

    file: int
    row: int
    start: int
    end: int


@dataclass(frozen=True)
class Passages:
    """The passages of a corpus, and their index."""

    corpus: Corpus
    index: tantivy.Index

    @classmethod
    def of(cls, corpus: Corpus, workdir: Path, characters: int) -> Self:
        """The passages of documents, which are cut where they are longer than so many characters.

        The index is kept in the run's folder, sealed, and is made once; one that is damaged is made anew.
        Whoever may have to make it holds the run's lock.

        Raises UserError where tantivy is not installed.
        """
        try:
            import tantivy
        except ImportError as error:
            raise UserError(
                f"retrieval needs more packages: {error}",
                hint="Install them: pip install 'coupage[evaluate]'",
            ) from error
        made_of = [VERSION, CHUNKS_VERSION, library_versions(LIBRARY), characters, corpus.fingerprint]
        folder = workdir / FOLDER / fingerprint(made_of)[:16]
        if folder.is_dir() and any(check_folder(folder)):
            shutil.rmtree(folder)
        if not folder.is_dir():
            _build(corpus, folder, characters)
        index = tantivy.Index.open(str(folder))
        index.register_tokenizer(_TOKENIZER, _analyzer())
        return cls(corpus, index)

    def before(self, questions: Sequence[str], number: int) -> list[str]:
        """The text to put before each question: its `number` best passages, the best one last.

        Empty where no passage has a word of the question.
        """
        places = [self.places(question, number) for question in questions]
        texts = self._texts({place for found in places for place in found})
        return ["".join(f"{texts[place]}\n\n" for place in reversed(found)) for found in places]

    def places(self, question: str, number: int) -> list[Place]:
        """Where the best passages for a question are, the best one first."""
        import tantivy

        words = _analyzer().analyze(_prepared(question[-LONGEST_QUESTION:]))
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self.index.schema, _TEXT, word, "freq"))
            for word in dict.fromkeys(words)
        ]
        searcher = self.index.searcher()
        # Twice as many, for those that are equally good come in any order.
        hits = searcher.search(tantivy.Query.boolean_query(terms), 2 * number, count=False).hits
        columns = (searcher.fast_field_values(name, [where for _, where in hits]) for name in Place._fields)
        found = [Place(*map(int, values)) for values in zip(*columns, strict=True)]  # type: ignore[arg-type]
        by_score = sorted(zip(hits, found, strict=True), key=lambda each: (-each[0][0], each[1]))
        return [place for _, place in by_score[:number]]

    def _texts(self, places: set[Place]) -> dict[Place, str]:
        """The passages at places; each file is read once."""
        wanted: dict[int, dict[int, list[Place]]] = defaultdict(lambda: defaultdict(list))
        for place in places:
            wanted[place.file][place.row].append(place)
        found = {}
        for file, by_row in sorted(wanted.items()):
            for row, text in self.corpus.texts(file, np.array(sorted(by_row), np.int64)):
                for place in by_row[row]:
                    found[place] = text[place.start : place.end].strip()
        return found


def _build(corpus: Corpus, folder: Path, characters: int) -> None:
    """Write the index of a corpus; the folder has its name once all of it is there."""
    import tantivy

    schema = tantivy.SchemaBuilder()
    schema.add_text_field(_TEXT, tokenizer_name=_TOKENIZER, index_option="freq")
    for name in Place._fields:
        schema.add_integer_field(name, fast=True)
    remove_unfinished(folder.parent)
    temporary = folder.with_name(f"{TEMPORARY}{folder.name}")
    temporary.mkdir(parents=True)
    index = tantivy.Index(schema.build(), str(temporary))
    index.register_tokenizer(_TOKENIZER, _analyzer())
    with index.writer(HEAP) as writer:
        for file in range(corpus.files):
            for row, text in corpus.texts(file):
                for start, end in chunk_spans(text, characters):
                    place = Place(file, row, start, end)._asdict()
                    writer.add_document(tantivy.Document(**place, **{_TEXT: _prepared(text[start:end])}))
    seal_folder(temporary)
    temporary.rename(folder)


@lru_cache(maxsize=1)
def _analyzer() -> tantivy.TextAnalyzer:
    """Cuts prepared text into the words that are compared."""
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(_WORD))
    builder = builder.filter(tantivy.Filter.remove_long(_LONGEST_WORD))
    for language in ("russian", "english"):
        builder = builder.filter(tantivy.Filter.stemmer(language))
    return builder.build()


def _prepared(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold()).replace("ё", "е")
