"""Tokenizer.

The base tokenizer, perhaps with other tokens, or one trained on the selected text, with the recipe's chat
template where it names one; then the check of the fast encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from typing_extensions import override

from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint, library_versions
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.sources.models import ChatTemplate, ModelInput
from pipelines.stages.parts import text_size
from pipelines.stages.select import Select
from pipelines.stages.selected_texts import SelectedTexts
from pipelines.stages.tokenizer_folder import FOLDER, write_tokenizer
from pipelines.stages.vocabulary import Vocabulary
from tokenizer_tools import backends, chat, encode, train
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

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
    version: ClassVar[int] = 2
    select: Select
    base: ModelInput | None
    training: TokenizerTraining
    vocabulary: Vocabulary | None = None
    """The base with other tokens, where the recipe asks for some."""
    chat_template: ChatTemplate | None = None
    """What takes the place of the tokenizer's own."""

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        changed = (self.vocabulary,) if self.vocabulary else ()
        return (self.select, *self.select.preference.parts, *changed)

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
            files = self._begin_with(workdir, output)
        except TokenizerError as error:
            raise UserError(str(error), hint="Mend `tokenizer` in the recipe.") from error
        files = self.with_template(files)
        write_tokenizer(files, output)
        sample = [chunk for texts in self._sample(workdir, PARITY_SAMPLE_BYTES) for chunk in texts.chunks]
        encoder = Encoder.build(files, pa.chunked_array(sample, pa.large_string()))
        output.write_json(
            ENCODER,
            {"backend": encoder.backend, "refusal": encoder.refusal, "fingerprint": encoder.fingerprint},
        )
        output.counts.add("vocabulary", encoder.max_id + 1)

    def _begin_with(self, workdir: Path, output: TaskOutput) -> TokenizerFiles:
        """The tokenizer but for its chat template."""
        if self.vocabulary is not None:
            return self.vocabulary.files(workdir)
        if self.base is not None:
            return load_tokenizer(self.base.location, revision=self.base.revision)
        return self._train(workdir, output)

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
        """Texts of kept documents that are not held out, `limit` bytes in all."""
        texts = SelectedTexts(self.select, self.select.preference.parts)
        return (documents.column("text") for documents in texts.sample(workdir, limit))

    @property
    def identity(self) -> str:
        """What decides the ids, as far as it is known before the run."""
        if self.base is None or self.vocabulary is not None:
            return self.fingerprint
        template = self.chat_template
        return fingerprint([self.base.identity, template.identity]) if template else self.base.identity

    def files(self, workdir: Path) -> TokenizerFiles:
        """The finished tokenizer."""
        return load_tokenizer(self.whole_folder(workdir) / FOLDER)
