"""Facts hidden in long texts, by length and depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mixers.shards import Shards
from pipelines.evaluation.generation import PlainModel
from pipelines.evaluation.held_out import text_pieces
from pipelines.evaluation.outcome.held_out import ALL
from pipelines.evaluation.outcome.measure import Loaded
from pipelines.evaluation.outcome.results import Result
from pipelines.evaluation.outcome.table import References, Table, Values, row_of_values
from pipelines.evaluation.retrieval import Haystack, ask_haystacks, make_haystacks
from pipelines.evaluation.variants import Variant
from pipelines.recipe.evaluate import Retrieval


@dataclass(frozen=True, kw_only=True)
class LongContext:
    """The measure of facts in held-out texts, which are cut by the tokenizer that made the shards."""

    shards: Path
    tokenizer: Path
    """The folder of a model that has it."""
    config: Retrieval
    name: str = "long_context"

    def settings(self, variant: Variant) -> Mapping[str, Any]:
        """What decides a result besides the model."""
        opened = Shards.open(self.shards)
        return {
            "shards": opened.fingerprint,
            "tokenizer": opened.tokenizer_hash,
            "config": self.config.model_dump(),
        }

    def refuses(self, variant: Variant) -> str | None:
        """What is asked about stands in the text itself."""
        return None if variant.context is None else "the text that is asked about is given already"

    def ask(self, variant: Variant, loaded: Loaded) -> Result:
        """Of each text, for each depth, whether its fact is said, and whether it is the likeliest."""
        return {"answers": ask_haystacks(loaded.plain, self._haystacks)}

    @cached_property
    def _haystacks(self) -> list[Haystack]:
        model = PlainModel.without_weights(self.tokenizer)
        texts = [model.decode(piece) for piece in text_pieces(Shards.open(self.shards))]
        return make_haystacks(texts, self.config, model)

    def tables(self, results: Mapping[str, Result], references: References) -> Iterator[tuple[str, Table]]:
        """Of all texts, of each length, and of each depth of it."""
        # [texts, depths, 2]; a text of one length stands by those of the same
        found = {name: np.array(dict(of_one)["answers"], np.float64) for name, of_one in results.items()}
        lengths = np.repeat(self.config.lengths, self.config.texts)
        for name, which, title in (
            ("long_context", 1, "Facts in long texts: found among the others in the text"),
            ("long_context_said", 0, "Facts in long texts: said"),
        ):
            answers = {variant: values[:, :, which] for variant, values in found.items()}
            yield (
                name,
                Table(
                    title=title,
                    unit="share",
                    counted="texts",
                    rows=[
                        row_of_values(of, values, references)
                        for of, values in _parts(answers, lengths, self.config.depths)
                    ],
                    notes=[f"A text hides {len(self.config.depths)} facts; texts are the sample, not facts."],
                ),
            )


def _parts(
    answers: Mapping[str, Values], lengths: Values, depths: Sequence[float]
) -> Iterator[tuple[str, dict[str, Values]]]:
    """By name the share of facts found in each text, or at one depth of it, of each variant."""
    yield ALL, {variant: values.mean(axis=1) for variant, values in answers.items()}
    for length in np.unique(lengths):
        here = lengths == length
        yield (
            f"{length:,} tokens",
            {variant: values[here].mean(axis=1) for variant, values in answers.items()},
        )
        for number, depth in enumerate(depths):
            yield (
                f"{length:,} tokens, depth {depth:.0%}",
                {variant: values[here, number] for variant, values in answers.items()},
            )
