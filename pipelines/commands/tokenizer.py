"""`coupage tokenizer`: how well a tokenizer fits texts, a new one, and one with other tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from pipelines.commands.console import PlainConsole
from pipelines.commands.files import given_files
from pipelines.commands.folder import new_folder
from pipelines.commands.options import configured
from pipelines.errors import UserError
from pipelines.plain import print_json
from pipelines.sources.base import Quarantine
from pipelines.sources.given_files import GivenFiles
from pipelines.sources.listing import InputFile
from pipelines.sources.quarantine import count_quarantine
from pipelines.stages.parts import slices_by_text, text_size
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.report import coverage
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.bytes_per_token import bytes_per_token
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter, WordCounts

SAMPLE_BYTES = 32 << 20
PIECES = "pieces.json"
"""Maps each new id to the base's ids for the same text."""
REPLACED = "replaced.json"
"""Maps each id that stood for another token to that token."""


def show_report(tokenizer: str, paths: list[str], messages: str | None, json: bool) -> None:
    """`coupage tokenizer report`: measures an equal share of SAMPLE_BYTES from the beginning of each file."""
    with _user_errors():
        encoder = Encoder.build(load_tokenizer(tokenizer))
    given = given_files(paths, messages, PlainConsole(stderr=True))
    quarantine = Quarantine()
    limit = SAMPLE_BYTES // len(given.files)
    samples = {file.path: _beginning(given, file, limit, quarantine) for file in given.files}
    bad_records = count_quarantine(quarantine, sum(len(texts) for texts, _ in samples.values()))
    texts = pa.chunked_array([chunk for texts, _ in samples.values() for chunk in texts.chunks])
    files = pa.array([name for name, (texts, _) in samples.items() for _ in range(len(texts))], pa.string())
    report: dict[str, Any] = {
        "tokenizer": tokenizer,
        "vocabulary": encoder.max_id + 1,
        "backend": encoder.backend,
        "refusal": encoder.refusal,
        "files": coverage(encoder, texts, files).rename_columns({"group": "file"}).to_pylist(),
        "all": coverage(encoder, texts).drop_columns("group").to_pylist()[0],
        "measured_in_part": [name for name, (_, whole) in samples.items() if not whole],
        "bad_records": bad_records,
    }
    if json:
        print_json(report)
    else:
        _print(report, PlainConsole())


def _beginning(
    given: GivenFiles, file: InputFile, limit: int, quarantine: Quarantine
) -> tuple[pa.ChunkedArray, bool]:
    """The first texts of a file, up to `limit` bytes but at least one, and whether they are all."""
    chunks: list[pa.Array] = []
    whole = True
    for table in given.read_file(file, quarantine):
        first = next(slices_by_text(table, limit))
        chunks += first.column("text").chunks
        limit = max(0, limit - text_size(first.column("text")))
        whole = first.num_rows == table.num_rows
        if not whole:
            break
    return pa.chunked_array(chunks, pa.large_string()), whole


def _print(report: dict[str, Any], console: Console) -> None:
    table = Table("file", "documents", "bytes", "bytes/token", "tokens/word", "unknown", "vocabulary used")
    for row in [*report["files"], {"file": "all"} | report["all"]]:
        table.add_row(
            row["file"],
            f"{row['documents']:,}",
            f"{row['bytes']:,}",
            f"{row['bytes_per_token']:.3f}",
            f"{row['fertility']:.3f}",
            f"{row['unknown_tokens']:,}",
            f"{row['used_tokens'] / report['vocabulary']:.1%}",
        )
    console.print(table)
    if report["refusal"]:
        console.print(f"The fast encoder is not used: {report['refusal']}", markup=False, highlight=False)
    if part := report["measured_in_part"]:
        console.print(
            f"Of {len(part)} of the files only the beginning was measured, {SAMPLE_BYTES >> 20} MiB in all.",
            highlight=False,
        )


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
    with _user_errors():
        files = load_tokenizer(base)
    texts = _Texts(given_files(paths, messages, PlainConsole(stderr=True)))
    with new_folder(output) as temporary:
        words = _counted(files, texts)
        reference = None
        if references:
            reference = _counted(files, _Texts(given_files(references, messages, PlainConsole(stderr=True))))
        with _user_errors():
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
        with _user_errors():
            yield
    finally:
        count_quarantine(texts.quarantine, texts.documents)


@contextmanager
def _user_errors() -> Iterator[None]:
    """A tokenizer that cannot be used as asked is the user's to change."""
    try:
        yield
    except TokenizerError as error:
        raise UserError(str(error)) from error


def _say(files: TokenizerFiles, output: Path) -> None:
    PlainConsole().print(f"{len(files.vocabulary):,} tokens: {output}", highlight=False, soft_wrap=True)
