"""Tokenize: kept documents become ids. What any earlier run encoded with the same tokenizer is copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.execution.counts import Count
from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.manifest import damage_of
from pipelines.execution.output import Task, TaskOutput, read_arrow, whole_files
from pipelines.execution.stage import Stage
from pipelines.stages.parts import PerPartStage, text_size
from pipelines.stages.select import Select
from pipelines.stages.tokenizer import ENCODER, Tokenizer, encoding_versions
from pipelines.stages.tokenizer_folder import FOLDER
from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer

Rows = npt.NDArray[np.int64]
LEFT_OUT = "left_out_by_template"
"""Conversations, by the field that their chat template does not use."""
NO_TOKENS = "The tokenizer gives nothing for its text, or breaks down on it."
DESCRIPTION = ("doc_id", "license", "parent_id")
"""Columns of the corpus that go with the ids: what the groups of a mixture may ask about."""


CONVERSATION = ("messages", "template_fields")
"""Columns of the corpus that make a conversation."""


@dataclass(frozen=True, kw_only=True)
class Tokenize(PerPartStage):
    """One task a part. Output: `PART.arrow`, uncompressed, one row a kept document:

    `row` int64 (in the part), `doc_id`, `license`, `parent_id`, `bytes` int64, `indivisible` bool,
    `loss_tokens` int64, `ids` large_list of uint16 or int32 with the end token, `mask` large_list<uint8> or
    null (all tokens train), `resume` large_list<bool> or null (where a conversation that is too long may go
    on after what it leaves out; see `EncodedChat`), and what the verdict says of the document: `held_out`,
    `domain`, `language`, classifiers.
    The file's metadata names version, encoder and part, so that a later run knows what it may copy.
    """

    name: ClassVar[str] = "tokenize"
    version: ClassVar[int] = 5
    select: Select
    tokenizer: Tokenizer

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.parts, self.select, self.tokenizer)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        # The tokenizer once more by what it is, so that `plan` can tell whether earlier ids fit.
        return {"tokenizer": self.tokenizer.identity, "encoding": encoding_versions()}

    @property
    def domains(self) -> set[str]:
        """The domains that its documents may have."""
        relabelled = (
            label
            for verdicts in self.select.classifiers
            if any(score.parts.scope == self.scope for score in verdicts.stages)
            for label, _ in verdicts.relabels
        )
        return {self.parts.domain, *relabelled}

    @override
    def expected_entries(self, workdir: Path) -> dict[str, int]:
        verdicts = self.select.verdicts(workdir, self.scope)
        return {"documents": sum(pc.sum(table.column("keep")).as_py() or 0 for _, table in verdicts)}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        part = task["part"]
        name = part.replace(".parquet", ".arrow")
        encoders = encoders_of(self.tokenizer.whole_folder(workdir))
        verdict = self.select.verdict(workdir, self.scope, part, ["keep", *self.select.described])
        rows = np.flatnonzero(verdict.column("keep").to_numpy())
        identity = {
            b"version": str(self.version).encode(),
            b"encoder": encoders.fingerprint.encode(),
            b"part": self.parts.manifest(workdir).by_name[part].hash.encode(),
        }
        earlier = [
            t.select(encoders.schema.names) for t in self._encoded_earlier(workdir, name, identity, rows)
        ]
        known = np.concatenate(
            [np.empty(0, np.int64), *(table.column("row").to_numpy() for table in earlier)]
        )
        missing = np.setdiff1d(rows, known)
        fresh, failures = self._encode(workdir, part, missing, encoders, output)
        table = pa.concat_tables([*earlier, fresh]).sort_by("row").combine_chunks()
        for column in self.select.described:
            table = table.append_column(column, pc.take(verdict.column(column), table.column("row")))
        table = table.replace_schema_metadata(identity)
        with output.file(name, table.num_rows) as path, pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
        output.counts.flow("documents", entered=len(rows), left=table.num_rows, dropped=failures)
        output.counts.add("documents_encoded", len(missing))
        output.counts.add("documents_reused", len(known))
        output.counts.add("tokens", pc.sum(pc.list_value_length(table.column("ids"))).as_py() or 0)

    def _encoded_earlier(
        self, workdir: Path, name: str, identity: dict[bytes, bytes], rows: Rows
    ) -> list[pa.Table]:
        """Rows of other finished or unfinished tokenizations of the same part by the same encoder."""
        found: list[pa.Table] = []
        for folder in sorted((workdir / "stages").glob(f"{self.slug}-*")):
            record = None if folder == self.folder(workdir) else whole_files(folder).get(name)
            if record is None or damage_of(folder, record):
                continue
            table = read_arrow(folder / name)
            if table.schema.metadata != identity:
                continue
            available = table.column("row").to_numpy()
            use = np.isin(available, rows)
            for other in found:
                use &= ~np.isin(available, other.column("row").to_numpy())
            found.append(table.filter(pa.array(use)).replace_schema_metadata(None))
        return found

    def _encode(
        self, workdir: Path, part: str, rows: Rows, encoders: Encoders, output: TaskOutput
    ) -> tuple[pa.Table, Counter[Count]]:
        if len(rows) == 0:
            return encoders.schema.empty_table(), Counter()
        columns = [*DESCRIPTION, "text", *CONVERSATION]
        documents = pq.read_table(self.parts.path(workdir, part), columns=columns)
        output.counts.add("text_bytes_read", text_size(documents.column("text")))
        documents = documents.take(pa.array(rows)).append_column("row", pa.array(rows))
        chat = pc.is_valid(documents.column("messages"))
        text, empty = encoders.encode_texts(documents.filter(pc.invert(chat)))
        chats, failures, left_out = encoders.encode_chats(documents.filter(chat))
        for field, number in left_out.items():
            output.counts.add(LEFT_OUT, number, reason=field)
        return pa.concat_tables([text, chats]), empty + failures

    def files(self, workdir: Path) -> Iterator[pa.Table]:
        """The tables of all parts, memory-mapped, in document order."""
        for name in self.manifest(workdir).part_names(".arrow"):
            yield read_arrow(self.path(workdir, name))


@dataclass(frozen=True)
class Encoders:
    """The encoder of texts and, made when first needed, that of conversations."""

    files: TokenizerFiles
    text: Encoder

    @property
    def fingerprint(self) -> str:
        """What decides the ids, those of conversations included."""
        return fingerprint([self.text.fingerprint, self.files.chat_template, encoding_versions()])

    @cached_property
    def chat(self) -> ChatEncoder:
        """The encoder of conversations."""
        try:
            return ChatEncoder.build(self.files)
        except TokenizerError as error:
            raise UserError(str(error), place="tokenizer") from error

    @property
    def ids_type(self) -> pa.DataType:
        """uint16 where every id fits, else int32."""
        return pa.uint16() if self.text.max_id < 1 << 16 else pa.int32()

    @property
    def schema(self) -> pa.Schema:
        """The columns of encoded documents."""
        return pa.schema(
            [
                ("row", pa.int64()),
                *((name, pa.string()) for name in DESCRIPTION),
                ("bytes", pa.int64()),
                ("indivisible", pa.bool_()),
                ("loss_tokens", pa.int64()),
                ("ids", pa.large_list(self.ids_type)),
                ("mask", pa.large_list(pa.uint8())),
                ("resume", pa.large_list(pa.bool_())),
            ]
        )

    def encode_texts(self, documents: pa.Table) -> tuple[pa.Table, Counter[Count]]:
        """Documents that are plain text; those that the tokenizer cannot take are dropped and counted."""
        encoded = self.text.encode(documents.column("text"))
        lengths = np.diff(encoded.offsets)
        masks, resume = (pa.nulls(len(lengths), self.schema.field(name).type) for name in ("mask", "resume"))
        table = self._table(
            documents, encoded.ids, encoded.offsets, masks, resume, lengths - 1, indivisible=False
        )
        sound = lengths > self.text.added_tokens
        refused = Counter({Count("refused", reason=NO_TOKENS): int((~sound).sum())})
        return table.filter(pa.array(sound)), refused

    def encode_chats(self, documents: pa.Table) -> tuple[pa.Table, Counter[Count], Counter[str]]:
        """Conversations; those that the template refuses are dropped and counted by the reason.

        The last are the fields that the template leaves out, each with the number of its conversations.
        """
        if documents.num_rows == 0:
            return self.schema.empty_table(), Counter(), Counter()
        encoded = self.chat.encode(*conversations_of(documents))
        offsets = pa.array(encoded.offsets)
        masks = pa.LargeListArray.from_arrays(offsets, pa.array(encoded.assistant_mask))
        resume = pa.LargeListArray.from_arrays(offsets, pa.array(encoded.resume))
        trained = np.concatenate([[0], np.cumsum(encoded.assistant_mask, dtype=np.int64)])
        first = trained[np.minimum(encoded.offsets[:-1] + 1, encoded.offsets[1:])]
        loss = trained[encoded.offsets[1:]] - first  # nothing comes before the first token to predict it
        table = self._table(documents, encoded.ids, encoded.offsets, masks, resume, loss, indivisible=True)
        sound = np.ones(documents.num_rows, bool)
        sound[list(encoded.failures)] = False
        reasons = Counter(Count("refused", reason=reason) for reason in encoded.failures.values())
        return table.filter(pa.array(sound)), reasons, encoded.left_out

    def _table(
        self,
        documents: pa.Table,
        ids: npt.NDArray[np.uint32],
        offsets: Rows,
        masks: pa.Array,
        resume: pa.Array,
        loss_tokens: Rows,
        *,
        indivisible: bool,
    ) -> pa.Table:
        rows = documents.num_rows
        return pa.table(
            [
                documents.column("row"),
                *(documents.column(name) for name in DESCRIPTION),
                pc.binary_length(documents.column("text")).cast(pa.int64()),
                pa.array(np.full(rows, indivisible)),
                pa.array(np.asarray(loss_tokens, np.int64)),
                pa.LargeListArray.from_arrays(
                    pa.array(offsets), pa.array(ids.astype(self.ids_type.to_pandas_dtype()))
                ),
                masks,
                resume,
            ],
            schema=self.schema,
        )


def conversations_of(documents: pa.Table) -> tuple[pa.ListArray, pa.StringArray]:
    """What a chat encoder takes of documents."""
    messages, template_fields = (documents.column(name).combine_chunks() for name in CONVERSATION)
    return messages, template_fields


@lru_cache(maxsize=1)
def encoders_of(folder: Path) -> Encoders:
    """The encoders of a finished tokenizer stage, built once a process."""
    files = load_tokenizer(folder / FOLDER)
    backend = orjson.loads((folder / ENCODER).read_bytes())["backend"]
    return Encoders(files, Encoder.checked(files, backend))
