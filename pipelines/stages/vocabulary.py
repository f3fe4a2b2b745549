"""Vocabulary: the base tokenizer with tokens for what Stage 1 is made of.

New tokens are learnt from selected documents that are not held out, each group by its weight in Stage 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
from typing_extensions import override

from mixers.budget import MixtureError
from pipelines.errors import UserError
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.sources.models import ModelInput
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select
from pipelines.stages.selected_texts import SelectedTexts, group_of, learnable
from pipelines.stages.tokenizer_folder import FOLDER, write_tokenizer
from tokenizer_tools import backends
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.vocabulary import learn
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter

CHANGES = "changes.json"
TEXT_BYTES = 256 << 20
"""Text that is learnt from, and of the reference as much."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary(SingleTaskStage):
    """Output: `tokenizer/`, a tokenizer folder, and `changes.json`:

    `tokens`, of each new one `id`, `text`, `pieces` (the base's ids for its text), `replaced` (the old
    token of that id, or null) and `gain` (the tokens that it saved when it was learnt); `groups`, by name the
    `documents` and `bytes` that it was learnt from.
    """

    name: ClassVar[str] = "vocabulary"
    version: ClassVar[int] = 1
    select: Select
    base: ModelInput
    extension: VocabularyExtension | None
    replacement: VocabularyReplacement | None
    reference: tuple[str, ...]
    """Sources that show which old tokens are used least; none: those learnt from."""
    weights: Mapping[str, float]
    """Group to its weight in Stage 1."""
    predicates: Mapping[str, str]
    """Group to the SQL predicate of its documents."""

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.select, *self.select.preference.parts)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        changes = (self.extension, self.replacement)
        extend, replace = (each.model_dump(mode="json") if each else None for each in changes)
        return {
            "identity": self.base.identity,
            "extend": extend,
            "replace": replace,
            "weights": dict(self.weights),
            "predicates": dict(self.predicates),
            "reference": list(self.reference),
            "versions": {"vocabulary": learn.VERSION, "backends": backends.VERSION},
        }

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        try:
            changed = self._change(self.base_files(), workdir, output)
        except (TokenizerError, MixtureError) as error:
            raise UserError(str(error), hint="Mend `tokenizer` in the recipe.") from error
        write_tokenizer(changed.files, output)
        output.counts.add("new_tokens", len(changed.pieces))

    def _change(self, base: TokenizerFiles, workdir: Path, output: TaskOutput) -> ChangedTokenizer:
        counter = WordCounter(base)
        learnt_from = self._count(counter, self._sources(), workdir)
        if not learnt_from:
            raise UserError(
                "no document of the groups of stage1 was selected, so there is nothing to learn tokens from",
                hint="Loosen the rules, or leave out `tokenizer.extend` and `tokenizer.replace`.",
            )
        reference = WordCounter(base) if self.reference else None
        if reference is not None:
            named = tuple(source for source in self._sources() if source.scope in self.reference)
            for documents in SelectedTexts(self.select, named).sample(workdir, TEXT_BYTES):
                reference.add(learnable(documents)[0])
        changed = change_vocabulary(
            base,
            counter.counts(self.weights),
            extension=self.extension,
            replacement=self.replacement,
            reference=reference.counts() if reference else None,
        )
        output.write_json(CHANGES, {"tokens": _tokens(changed), "groups": learnt_from})
        return changed

    def _sources(self) -> tuple[PartStage, ...]:
        return self.select.preference.parts

    def _count(
        self, counter: WordCounter, sources: tuple[PartStage, ...], workdir: Path
    ) -> dict[str, dict[str, int]]:
        """Count the words of each group; its documents and bytes."""
        documents: Counter[str] = Counter()
        size: Counter[str] = Counter()
        for table in SelectedTexts(self.select, sources).sample(workdir, TEXT_BYTES):
            groups = group_of(table, dict(self.predicates))
            texts, rows = learnable(table)
            for group in self.predicates:
                here = groups == group
                documents[group] += int(here.sum())
                of_group = texts.filter(pa.array(here[rows]))
                size[group] += int(np.sum(pa.compute.binary_length(of_group).to_numpy()))
                counter.add(of_group, group)
        return {group: {"documents": n, "bytes": size[group]} for group, n in documents.items() if n}

    def base_files(self) -> TokenizerFiles:
        """The tokenizer before the change."""
        return load_tokenizer(self.base.location, revision=self.base.revision)

    def files(self, workdir: Path) -> TokenizerFiles:
        """The finished tokenizer."""
        return load_tokenizer(self.whole_folder(workdir) / FOLDER)

    def changes(self, workdir: Path) -> dict[str, Any]:
        """What `changes.json` says."""
        content: dict[str, Any] = orjson.loads(self.path(workdir, CHANGES).read_bytes())
        return content


def _tokens(changed: ChangedTokenizer) -> list[dict[str, Any]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(changed.files.tokenizer_json.decode())
    return [
        {
            "id": number,
            "text": tokenizer.decode([number], skip_special_tokens=False),
            "pieces": list(pieces),
            "replaced": changed.replaced.get(number),
            "gain": changed.gains.get(number),
        }
        for number, pieces in changed.pieces.items()
    ]
