"""Tokenizer.

The base tokenizer, or one trained on the selected text, with the recipe's chat template where it names one;
then the check of the fast encoder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint, library_versions
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.sources.models import ChatTemplate, ModelInput
from pipelines.stages.parts import PartStage, text_size
from pipelines.stages.select import Select
from tokenizer_tools import backends, chat, encode, train
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

FOLDER = "tokenizer"
ENCODER = "encoder.json"
TRAINING_TEXT_BYTES = 256 << 20
PARITY_SAMPLE_BYTES = 1 << 20


def encoding_versions() -> dict[str, Any]:
    """What decides the ids of a text or a conversation, besides the tokenizer."""
    versions = {"backends": backends.VERSION, "texts": encode.VERSION, "conversations": chat.VERSION}
    return versions | library_versions(*backends.LIBRARIES, *chat.LIBRARIES)


@dataclass(frozen=True, kw_only=True)
class Tokenizer(SingleTaskStage):
    """Output: `tokenizer/`, a folder that `AutoTokenizer.from_pretrained` opens, and `encoder.json`."""

    name: ClassVar[str] = "tokenizer"
    version: ClassVar[int] = 1
    select: Select
    base: ModelInput | None
    training: TokenizerTraining
    chat_template: ChatTemplate | None = None
    """What takes the place of the tokenizer's own."""

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.select, *self.select.preference.parts)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        template = {"chat_template": self.chat_template.identity} if self.chat_template else {}
        if self.base:
            return {"identity": self.base.identity, "encoding": encoding_versions(), **template}
        training = self.training.model_dump(mode="json") | {"version": train.VERSION}
        return {"training": training, "encoding": encoding_versions(), **template}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        try:
            files = (
                load_tokenizer(self.base.location, revision=self.base.revision)
                if self.base
                else self._train(workdir, output)
            )
        except TokenizerError as error:
            raise UserError(str(error), hint="Mend `tokenizer` in the recipe.") from error
        files = self.with_template(files)
        with tempfile.TemporaryDirectory() as temporary:
            files.save(temporary)
            for path in sorted(Path(temporary).iterdir()):
                with output.file(f"{FOLDER}/{path.name}") as target:
                    target.write_bytes(path.read_bytes())
        sample = [chunk for texts in self._sample(workdir, PARITY_SAMPLE_BYTES) for chunk in texts.chunks]
        encoder = Encoder.build(files, pa.chunked_array(sample, pa.large_string()))
        output.write_json(
            ENCODER,
            {"backend": encoder.backend, "refusal": encoder.refusal, "fingerprint": encoder.fingerprint},
        )
        output.counts.add("vocabulary", encoder.max_id + 1)

    def with_template(self, files: TokenizerFiles) -> TokenizerFiles:
        """The tokenizer with the recipe's chat template, where it names one."""
        return replace(files, chat_template=self.chat_template.text) if self.chat_template else files

    def _train(self, workdir: Path, output: TaskOutput) -> TokenizerFiles:
        texts = list(self._sample(workdir, TRAINING_TEXT_BYTES))
        if not texts:
            raise UserError(
                "no document was selected, so there is no text to train a tokenizer on",
                hint="Loosen the rules, or name a tokenizer with `tokenizer: {base: ...}`.",
            )
        output.counts.add("text_bytes_read", sum(text_size(text) for text in texts))
        return train_tokenizer(texts, self.training)

    def _sample(self, workdir: Path, limit: int) -> Iterator[pa.ChunkedArray]:
        """Texts of kept documents that are not held out: an equal share of `limit` bytes from each part."""
        sources = self.select.preference.parts
        parts = [(source, name) for source in sources for name in source.part_names(workdir)]
        for source, name in parts:
            texts = self._trainable(workdir, source, name)
            lengths = pa.compute.cumulative_sum(pa.compute.binary_length(texts).cast(pa.int64()))
            inside = pa.compute.sum(pa.compute.less_equal(lengths, limit // len(parts))).as_py() or 0
            if inside:
                yield texts.slice(0, inside)

    def _trainable(self, workdir: Path, source: PartStage, name: str) -> pa.ChunkedArray:
        verdict = self.select.verdict(workdir, source.scope, name, ["keep", "held_out"])
        wanted = pa.compute.and_not(verdict.column("keep"), verdict.column("held_out"))
        return pq.read_table(source.path(workdir, name), columns=["text"]).column("text").filter(wanted)

    @property
    def identity(self) -> str:
        """What decides the ids, as far as it is known before the run."""
        if self.base is None:
            return self.fingerprint
        template = self.chat_template
        return fingerprint([self.base.identity, template.identity]) if template else self.base.identity

    def files(self, workdir: Path) -> TokenizerFiles:
        """The finished tokenizer."""
        return load_tokenizer(self.whole_folder(workdir) / FOLDER)
