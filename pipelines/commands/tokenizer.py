"""`coupage tokenizer`: a new one, and one with other tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from tokenizer_tools.vocabulary.bytes_per_token import bytes_per_token
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter, WordCounts

PIECES = "pieces.json"
"""Maps each new id to the base's ids for the same text."""
REPLACED = "replaced.json"
"""Maps each id that stood for another token to that token."""


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


def extend(
    base: str,
    paths: list[str],
    output: Path,
    tokens: int | None,
    min_gain: float | None,
    messages: str | None,
) -> None:
    """`coupage tokenizer extend`."""
    config = configured(
        VocabularyExtension,
        {"tokens": tokens, "min_gain": min_gain},
        "Give --tokens, --min-gain, or both.",
    )
    _change(base, paths, output, messages, extension=config)


def replace(
    base: str,
    paths: list[str],
    references: list[str],
    output: Path,
    tokens: int,
    scripts: list[str],
    messages: str | None,
) -> None:
    """`coupage tokenizer replace`."""
    config = configured(
        VocabularyReplacement, {"tokens": tokens, "scripts": scripts}, "Give another number of --tokens."
    )
    _change(base, paths, output, messages, replacement=config, references=references)


def _change(
    base: str,
    paths: list[str],
    output: Path,
    messages: str | None,
    *,
    extension: VocabularyExtension | None = None,
    replacement: VocabularyReplacement | None = None,
    references: list[str] | None = None,
) -> None:
    """Write the changed tokenizer, with its new ids' pieces and the tokens that they replace."""
    with user_errors():
        files = load_tokenizer(base)
    texts = _Texts(given_files(paths, messages, PlainConsole(stderr=True)))
    with new_folder(output) as temporary:
        words = _counted(files, texts)
        reference = None
        if references:
            reference = _counted(files, _Texts(given_files(references, messages, PlainConsole(stderr=True))))
        with user_errors():
            changed = change_vocabulary(
                files, words, extension=extension, replacement=replacement, reference=reference
            )
        changed.files.save(temporary)
        _write_json(temporary / PIECES, changed.pieces)
        if replacement is not None:
            _write_json(temporary / REPLACED, changed.replaced)
    before, after = (bytes_per_token(each, words) for each in (files, changed.files))
    PlainConsole().print(
        f"{len(changed.files.vocabulary):,} tokens, {len(changed.pieces):,} of them new; on these texts "
        f"{after:.2f} bytes per token, before {before:.2f}: {output}",
        highlight=False,
        soft_wrap=True,
    )


def _counted(files: TokenizerFiles, texts: _Texts) -> WordCounts:
    with _told(texts):
        counter = WordCounter(files)
        for array in texts:
            counter.add(array)
        return counter.counts()


def _write_json(path: Path, by_id: Mapping[int, object]) -> None:
    path.write_bytes(orjson.dumps({str(number): by_id[number] for number in sorted(by_id)}) + b"\n")


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
