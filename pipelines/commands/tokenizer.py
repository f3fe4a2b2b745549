"""`coupage tokenizer`: a new one, and one with more tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa

from pipelines.commands.console import PlainConsole
from pipelines.commands.files import given_files
from pipelines.commands.folder import new_folder
from pipelines.commands.options import configured
from pipelines.errors import UserError
from pipelines.sources.base import Quarantine
from pipelines.sources.given_files import GivenFiles
from pipelines.sources.quarantine import count_quarantine
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer

PIECES = "pieces.json"


def train(paths: list[str], output: Path, vocabulary_size: int | None, messages: str | None) -> None:
    """`coupage tokenizer train`."""
    config = configured(
        TokenizerTraining, {"vocabulary_size": vocabulary_size}, "Give another --vocabulary-size."
    )
    texts = _Texts(given_files(paths, messages, PlainConsole(stderr=True)))
    with new_folder(output) as temporary:
        with _told(texts):
            files = train_tokenizer(texts, config)
        files.save(temporary)
    _say(files, output)


def extend(base: str, paths: list[str], output: Path, tokens: int, messages: str | None) -> None:
    """`coupage tokenizer extend`; `pieces.json` maps each new id to the base's ids for the same text."""
    config = configured(VocabularyExtension, {"tokens": tokens}, "Give another number of --tokens.")
    with user_errors():
        files = load_tokenizer(base)
    texts = _Texts(given_files(paths, messages, PlainConsole(stderr=True)))
    with new_folder(output) as temporary:
        with _told(texts):
            extended = extend_tokenizer(files, texts, config)
        extended.files.save(temporary)
        pieces = {str(number): list(ids) for number, ids in sorted(extended.pieces.items())}
        (temporary / PIECES).write_bytes(orjson.dumps(pieces) + b"\n")
    _say(extended.files, output)


class _Texts:
    """The texts of all files, read as they are asked for, once."""

    def __init__(self, given: GivenFiles) -> None:
        self._given = given
        self.quarantine = Quarantine()
        self.documents = 0

    def __iter__(self) -> Iterator[pa.ChunkedArray]:
        for file in self._given.files:
            for table in self._given.read_file(file, self.quarantine):
                self.documents += table.num_rows
                yield table.column("text")


@contextmanager
def _told(texts: _Texts) -> Iterator[None]:
    """Tell of bad records once the texts were read, also when nothing could be learnt from the others."""
    try:
        with user_errors():
            yield
    finally:
        count_quarantine(texts.quarantine, texts.documents)


@contextmanager
def user_errors() -> Iterator[None]:
    """A tokenizer that cannot be used as asked is the user's to change."""
    try:
        yield
    except TokenizerError as error:
        raise UserError(str(error)) from error


def _say(files: TokenizerFiles, output: Path) -> None:
    PlainConsole().print(f"{len(files.vocabulary):,} tokens: {output}", highlight=False, soft_wrap=True)
