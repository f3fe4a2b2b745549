"""How many tokens a source's text makes, by encoding a little of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.graph.build import Graph
from pipelines.graph.preflight import Preflight
from pipelines.stages.parts import PartStage
from pipelines.stages.tokenize import CONVERSATION, Encoders, conversations_of
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.train import train_tokenizer

SAMPLE_BYTES = 128 << 10
"""Text of a source that is encoded, and as much that a tokenizer learns from where one is to be trained."""
PIECE_CHARACTERS = 2048
"""A longer text is cut, so that a sample has parts of many."""
CONVERSATIONS = 50
TOKENS_A_BYTE = 0.25
"""Where no tokenizer can be had."""
NARROW_IDS = 1 << 16


@dataclass(frozen=True)
class TokenRate:
    """Tokens for each byte of text, and those of them that are learnt from."""

    tokens: float
    loss_tokens: float
    id_bytes: int
    characters: float = 1.0
    """For each byte of text."""


UNKNOWN = TokenRate(TOKENS_A_BYTE, TOKENS_A_BYTE, 4)


def token_rates(graph: Graph, workdir: Path, looked: Preflight) -> dict[str, TokenRate]:
    """The rate of each source whose first documents are known."""
    samples = {
        ingest.scope: sample for ingest in graph.ingests if (sample := _sample(ingest, workdir, looked))
    }
    try:
        files = _tokenizer(graph, workdir, looked, samples)
    except TokenizerError:
        return dict.fromkeys(samples, UNKNOWN)
    if files is None:
        return dict.fromkeys(samples, UNKNOWN)
    encoders = Encoders(files, Encoder.checked(files, "tokenizers"))
    return {name: _rate(sample, encoders) for name, sample in samples.items()}


@dataclass(frozen=True)
class _Sample:
    """Some of a source's documents."""

    pieces: list[str]
    """Of the documents that are text."""
    documents_a_byte: float
    chats: pa.Table
    chat_share: float
    """Of the text, what is conversations."""


def _sample(ingest: PartStage, workdir: Path, looked: Preflight) -> _Sample | None:
    """Pieces of the first documents, evenly spread; None where there are none."""
    documents = _first_documents(ingest, workdir, looked)
    if documents is None or documents.num_rows == 0:
        return None
    talks = pc.is_valid(documents.column("messages"))
    chats, texts = documents.filter(talks), documents.filter(pc.invert(talks)).column("text")
    text_bytes, chat_bytes = _bytes(texts), _bytes(chats.column("text"))
    pieces = list(_pieces(texts))
    kept = max(1, len(pieces) * PIECE_CHARACTERS // (2 * SAMPLE_BYTES))
    return _Sample(
        pieces[::kept],
        len(texts) / max(1, text_bytes),
        chats.slice(0, CONVERSATIONS),
        chat_bytes / max(1, text_bytes + chat_bytes),
    )


def _first_documents(ingest: PartStage, workdir: Path, looked: Preflight) -> pa.Table | None:
    if ingest.scope in looked.previews:
        return looked.previews[ingest.scope].documents
    if not ingest.is_finished(workdir):
        return None
    names = ingest.part_names(workdir)
    if not names:
        return None
    with pq.ParquetFile(ingest.path(workdir, names[0])) as part:
        return part.read_row_group(0, columns=["text", *CONVERSATION])


def _pieces(texts: pa.ChunkedArray) -> Iterator[str]:
    for text in texts.to_pylist():
        for start in range(0, len(text), PIECE_CHARACTERS):
            yield text[start : start + PIECE_CHARACTERS]


def _tokenizer(
    graph: Graph, workdir: Path, looked: Preflight, samples: dict[str, _Sample]
) -> TokenizerFiles | None:
    """The run's tokenizer, or one that is trained likewise on half of the samples."""
    if graph.tokenizer.is_finished(workdir):
        return graph.tokenizer.files(workdir)
    if graph.tokenizer.base is not None:
        return looked.tokenizer
    texts = [piece for sample in samples.values() for piece in sample.pieces[::2]]
    chats = [text for sample in samples.values() for text in sample.chats.column("text").to_pylist()]
    return graph.tokenizer.with_template(
        train_tokenizer([pa.array([*texts, *chats], pa.large_string())], graph.tokenizer.training)
    )


def _rate(sample: _Sample, encoders: Encoders) -> TokenRate:
    texts = sample.pieces[1::2] or sample.pieces
    by_text = by_chat = learnt = 0.0
    if texts:
        # Each piece is begun and ended like a document.
        framing = len(texts) * (1 if encoders.text.begin_id is None else 2)
        ids = len(encoders.text.encode(pa.array(texts, pa.large_string())).ids) - framing
        by_text = ids / max(1, sum(len(text.encode()) for text in texts))
    if sample.chats.num_rows and encoders.files.chat_template:
        encoded = encoders.chat.encode(*conversations_of(sample.chats))
        size = max(1, _bytes(sample.chats.column("text")))
        by_chat, learnt = len(encoded.ids) / size, int(encoded.assistant_mask.sum()) / size
    of_text, of_chats = 1 - sample.chat_share, sample.chat_share
    return TokenRate(
        of_text * (by_text + sample.documents_a_byte) + of_chats * by_chat,
        of_text * by_text + of_chats * learnt,
        2 if encoders.text.max_id < NARROW_IDS else 4,
        _characters_a_byte([*texts, *sample.chats.column("text").to_pylist()]),
    )


def _characters_a_byte(texts: list[str]) -> float:
    return sum(map(len, texts)) / max(1, sum(len(text.encode()) for text in texts))


def _bytes(texts: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(texts)).as_py() or 0)
