"""Replay of text that the model wrote itself, where nobody has what it learned from.

The model from which training starts goes on from nothing, the token that begins a text, at temperature 1 and
without a limit to the likeliest tokens: what it writes is a sample of what it models. Huang et al. 2024,
"Mitigating Catastrophic Forgetting in Large Language Models with Self-Synthesized Rehearsal" (rehearsal of
own text); Xu et al. 2024, "Magpie" (text from what precedes any text alone).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from mixers.packed_documents import write_documents
from mixers.remixed import MOST_REPEATS, Remix, RowsOf, remix
from mixers.shard_index import INDEX_FILE
from mixers.shards import Shards, token_dtype
from pipelines.evaluation.generation import PlainModel, Written
from pipelines.evaluation.outcome.measure import Tell
from pipelines.execution.growing_file import GrowingFile
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import load_tokenizer

VERSION_OF_TEXTS = 1
"""Raised when the same model writes other texts, or they make other rows."""
GROUP = "self_replay"
"""The group of the rows."""
TEXTS = "texts.jsonl"
"""A batch a line: pairs of a text and whether the model ended it."""


class NothingWritten(Exception):
    """The model cannot write from nothing, or says nothing then."""


@dataclass(frozen=True, kw_only=True)
class SelfWritten:
    """Rows of a stage, a share of which are of text that the model before it wrote.

    Writing a token costs far more than training on it, so each text is replayed `MOST_REPEATS` times.
    """

    start: str
    """The model that writes."""
    tokenizer: Path
    """The tokenizer of the stage."""
    stage: Shards
    share: float

    @property
    def wanted_rows(self) -> int:
        """Rows of text to be written."""
        return -(-round(self.share * len(self.stage)) // MOST_REPEATS)

    def remix(self, folder: Path, batch_size: int, tell: Tell) -> Remix:
        """Write texts until there are enough, and let their rows replace some of the stage's.

        Args:
            folder: Where texts and their rows are kept; one that was begun goes on.
            batch_size: Texts that are written at once.
            tell: Is told how far it has come.

        Raises:
            NothingWritten: The model has nothing to begin with, or says nothing.
        """
        shards = folder / "self_written"
        if not (shards / INDEX_FILE).is_file():
            shutil.rmtree(shards, ignore_errors=True)
            shards.mkdir(parents=True)
            encoder = Encoder.build(load_tokenizer(self.tokenizer))
            self._write_texts(folder / TEXTS, encoder, batch_size, tell)
            self._write_shards(
                [text for batch in _batches(folder / TEXTS) for text in batch], encoder, shards
            )
        written = Shards.open(shards)
        own = RowsOf(shards=self.stage, rows=np.arange(len(self.stage)))
        return remix(own, [RowsOf(shards=written, rows=np.arange(len(written)))], self.share)

    def _write_texts(self, path: Path, encoder: Encoder, batch_size: int, tell: Tell) -> None:
        """Go on with a file of batches of texts until they fill the rows."""
        from trainers.quiet import quiet_transformers

        wanted = self.wanted_rows * self.stage.sequence_length
        batches = list(_batches(path))
        tokens = sum(self._tokens(batch, encoder) for batch in batches)
        if tokens >= wanted:
            return
        with quiet_transformers():
            model = PlainModel.load(self.start)
        if not (model.encode("") or model.tokenizer.eos_token):
            raise NothingWritten(f"the tokenizer of {self.start} has no token that begins or ends a text")
        longest = min(self.stage.sequence_length, model.longest or self.stage.sequence_length)
        with GrowingFile(path) as file:
            for number in range(len(batches), len(batches) + wanted):
                batch = model.write_texts(batch_size, longest - encoder.added_tokens, seed=number)
                added = self._tokens(batch, encoder)
                if not added:
                    raise NothingWritten(f"{self.start} writes nothing after the token that begins a text")
                file.add(orjson.dumps([list(each) for each in batch], option=orjson.OPT_APPEND_NEWLINE))
                tokens += added
                tell(f"self-replay: {min(tokens, wanted):,} of {wanted:,} tokens written")
                if tokens >= wanted:
                    return

    def _write_shards(self, texts: Sequence[Written], encoder: Encoder, folder: Path) -> None:
        encoded = encoder.encode(pa.array([text for text, _ in texts], pa.large_string()))
        ids = np.asarray(encoded.ids).astype(token_dtype(encoder.max_id), copy=False)
        starts, lengths = encoded.offsets[:-1], self._lengths(encoded.offsets, texts)
        said = np.flatnonzero(lengths > encoder.added_tokens)
        sizes = [len(texts[number].text.encode()) for number in said.tolist()]
        write_documents(folder, ids, starts[said], lengths[said], sizes, group=GROUP, stage=self.stage)

    def _tokens(self, texts: Sequence[Written], encoder: Encoder) -> int:
        """Tokens of those that say anything, with what begins and ends them."""
        encoded = encoder.encode(pa.array([text for text, _ in texts], pa.large_string()))
        lengths = self._lengths(encoded.offsets, texts)
        return int(lengths[lengths > encoder.added_tokens].sum())

    def _lengths(self, offsets: NDArray[np.int64], texts: Sequence[Written]) -> NDArray[np.int64]:
        """Tokens of each text in its row: without an end where the model did not end it."""
        ended = np.array([ended for _, ended in texts], bool)
        lengths: NDArray[np.int64] = np.diff(offsets) - ~ended
        return np.minimum(lengths, self.stage.sequence_length)


def _batches(path: Path) -> Iterator[list[Written]]:
    """The batches of texts that are whole; a killed command may have left a piece of one."""
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield [Written(*each) for each in orjson.loads(line)]
        except orjson.JSONDecodeError:
            continue
