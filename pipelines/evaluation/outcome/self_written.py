"""Replay of text that the model wrote itself, where nobody has what it learned from.

The model from which training starts goes on from nothing, the token that begins a text, at temperature 1 and
without a limit to the likeliest tokens: what it writes is a sample of what it models. Huang et al. 2024,
"Mitigating Catastrophic Forgetting in Large Language Models with Self-Synthesized Rehearsal" (rehearsal of
own text); Xu et al. 2024, "Magpie" (text from what precedes any text alone).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from mixers.gather import gather_segments
from mixers.plan import plan_held_out
from mixers.remixed import MOST_REPEATS, Remix, RowsOf, remix
from mixers.shard_index import INDEX_FILE
from mixers.shards import Shards, shard_file_name, token_dtype, write_index, write_segments, write_shard_file
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.outcome.measure import Tell
from pipelines.execution.growing_file import GrowingFile
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import load_tokenizer

VERSION_OF_TEXTS = 1
"""Raised when the same model writes other texts, or they make other rows."""
GROUP = "self_replay"
"""The group of the rows."""
TEXTS = "texts.jsonl"
"""A line for each batch."""


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
            ValueError: The model writes nothing.
        """
        shards = folder / "self_written"
        if not (shards / INDEX_FILE).is_file():
            shutil.rmtree(shards, ignore_errors=True)
            shards.mkdir(parents=True)
            encoder = Encoder.build(load_tokenizer(self.tokenizer))
            self._write_texts(folder / TEXTS, encoder, batch_size, tell)
            self._write_shards(list(_texts(folder / TEXTS)), encoder, shards)
        written = Shards.open(shards)
        own = RowsOf(shards=self.stage, rows=np.arange(len(self.stage)))
        return remix(own, [RowsOf(shards=written, rows=np.arange(len(written)))], self.share)

    def _write_texts(self, path: Path, encoder: Encoder, batch_size: int, tell: Tell) -> None:
        """Go on with a file of batches of texts until they fill the rows."""
        wanted = self.wanted_rows * self.stage.sequence_length
        batches = list(_batches(path))
        tokens = sum(_tokens(texts, encoder) for texts in batches)
        if tokens >= wanted:
            return
        model = PlainModel.load(self.start)
        longest = min(self.stage.sequence_length, model.longest or self.stage.sequence_length)
        prompt = "" if model.encode("") else model.tokenizer.eos_token
        if not prompt and not model.encode(""):
            raise ValueError(f"{self.start} has no token that begins or ends a text")
        number = len(batches)
        with GrowingFile(path) as file:
            while tokens < wanted:
                texts = model.sample_texts(
                    [prompt] * batch_size,
                    longest - encoder.added_tokens,
                    batch_size,
                    temperature=1.0,
                    top_k=0,
                    seed=number,
                )
                written = _tokens(texts, encoder)
                if not written:
                    raise ValueError(f"{self.start} writes no text of its own")
                file.add(orjson.dumps(texts, option=orjson.OPT_APPEND_NEWLINE))
                tokens, number = tokens + written, number + 1
                tell(f"self-replay: {min(tokens, wanted):,} of {wanted:,} tokens written")

    def _write_shards(self, texts: list[str], encoder: Encoder, folder: Path) -> None:
        """Pack the texts as documents of one group."""
        encoded = encoder.encode(pa.array(texts, pa.large_string()))
        starts, lengths = encoded.offsets[:-1], np.diff(encoded.offsets)
        documents = pa.table(
            {
                "group": [GROUP] * len(texts),
                "tokens": lengths.astype(np.int64),
                "bytes": [len(text.encode()) for text in texts],
                "indivisible": np.zeros(len(texts), bool),
            }
        )
        length = self.stage.sequence_length
        plan = plan_held_out(documents, length, int(lengths.sum()), self.stage.index.seed)
        segments = plan.segments
        tokens = segments["tokens"].to_numpy()
        chosen = segments["document"].to_numpy()
        ends = np.concatenate([[0], np.cumsum(tokens, dtype=np.int64)])
        ids = np.empty(ends[-1], token_dtype(encoder.max_id))
        source = np.asarray(starts)[chosen] + segments["first_token"].to_numpy()
        gather_segments(np.asarray(encoded.ids), source, tokens, ids, ends[:-1])
        in_row = np.searchsorted(segments["row"].to_numpy(), np.arange(len(plan) + 1))
        file = write_shard_file(
            folder / shard_file_name(0, 1),
            input_ids=ids,
            row_offsets=ends[in_row],
            seq_lengths=tokens.astype(np.int32),
            seq_offsets=in_row,
            groups=[GROUP] * len(plan),
        )
        names = pa.array([f"{GROUP}:{number}" for number in chosen.tolist()])
        write_segments(folder, [segments.append_column("doc_id", names)])
        write_index(
            folder,
            [file],
            tokenizer_hash=self.stage.tokenizer_hash,
            begin_id=self.stage.begin_id,
            sequence_length=length,
            seed=self.stage.index.seed,
            recipe_fingerprint=self.stage.index.recipe_fingerprint,
            ledger=plan.ledger,
        )


def _batches(path: Path) -> Iterator[list[str]]:
    """The batches of texts that are whole; a killed command may have left a piece of one."""
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            continue


def _texts(path: Path) -> Iterator[str]:
    return (text for batch in _batches(path) for text in batch if text)


def _tokens(texts: list[str], encoder: Encoder) -> int:
    """Of those that say anything, with what begins and ends them."""
    said = [text for text in texts if text]
    return int(encoder.encode(pa.array(said, pa.large_string())).offsets[-1]) if said else 0
