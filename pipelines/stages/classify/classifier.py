"""Classifier: a model is trained on sources or labelled files, or an existing one is taken in."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from filters.classify import fasttext_text, linear_head
from filters.classify.cross_validation import measures, out_of_fold
from filters.classify.linear_head import train_head
from pipelines.errors import UserError
from pipelines.execution.counts import Count
from pipelines.execution.fingerprint import library_versions
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import Stage, distinct
from pipelines.recipe.classify import FastTextClassifier, TransformerClassifier
from pipelines.sources.base import Unit
from pipelines.sources.models import ModelInput
from pipelines.stages.classify.examples import Examples, Place, gather_examples
from pipelines.stages.classify.fasttext import LIBRARY, FastTextModel, labels_in, train
from pipelines.stages.classify.models import FASTTEXT_FILE, HEAD_FILE, Model, load_model, write_head
from pipelines.stages.classify.transformer import Body, Embedder, SequenceClassifier
from pipelines.stages.hash_sampling import example_draw, first_words
from pipelines.stages.parts import PartStage, text_size
from pipelines.stages.set_aside import ReadingStage, SetAside

ABOUT, LEARNED, REPORT = "classifier.json", "learned.parquet", "report.json"
NOT_OF_THE_MODEL = {"sources", "positive", "keep", "relabel", "file", "name"}
"""What a recipe says of a classifier that decides how it is used or where it lies, not what it is."""
FEWEST_STEPS = 20_000
MOST_EPOCHS, FEWEST_EPOCHS = 100, 5
MISTAKES_SHOWN, MISTAKE_CHARACTERS = 20, 300


@dataclass(frozen=True, kw_only=True)
class Classifier(ReadingStage):
    """Output: `classifier.json` (`labels`) and the model:

    `model.bin` (fastText) or `head.safetensors` (of an embedding model). If it was trained here also
    `learned.parquet`, `doc_id` (null for a file's records), `content_hash` and `label` of each example, and
    `report.json`, its cross-validation; and `quarantine/00000.parquet`, the bad records of labelled files.
    """

    name: ClassVar[str] = "classifier"
    version: ClassVar[int] = 2
    config: FastTextClassifier | TransformerClassifier
    places: tuple[Place, ...]
    model: ModelInput | None
    held_out_share: float
    seed: int

    @property
    @override
    def input_name(self) -> str:
        return f"the labelled files of the classifier `{self.scope}`"

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return distinct(place.of for place in self.places if isinstance(place.of, PartStage))

    @property
    @override
    def settings(self) -> dict[str, Any]:
        config = _without_places(self.config.model_dump(mode="json", exclude=NOT_OF_THE_MODEL))
        settings: dict[str, Any] = {"config": config}
        if isinstance(self.config, FastTextClassifier):
            settings |= {"texts": fasttext_text.VERSION, **library_versions(LIBRARY)}
        else:
            settings |= {"head": linear_head.VERSION, **library_versions("torch", "transformers")}
        if self.model:
            settings["model"] = self.model.identity
        if self.places:
            settings |= {
                "labels": [place.label for place in self.places],
                "files": [
                    place.of.identity() for place in self.places if not isinstance(place.of, PartStage)
                ],
                "held_out_share": self.held_out_share,
                "seed": self.seed,
            }
        return settings

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [{"units": [[asdict(unit) for unit in place.planned()] for place in self.places]}]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        labels = self._trained(workdir, task, output) if self.places else self._taken_in(output)
        output.write_json(ABOUT, {"labels": labels})

    def _taken_in(self, output: TaskOutput) -> tuple[str, ...]:
        assert self.model is not None, "what is not trained here comes from outside"
        if isinstance(self.config, TransformerClassifier):
            body = self.body
            assert body is not None, "a transformer has a body"
            return SequenceClassifier.load(body).labels
        with output.file(FASTTEXT_FILE) as path:
            shutil.copyfile(self.model.location, path)
            try:
                return labels_in(path)
            except ValueError as error:
                raise UserError(
                    str(error), file=self.model.location, hint="Name a fastText classifier, .bin or .ftz."
                ) from error

    def _trained(self, workdir: Path, task: Task, output: TaskOutput) -> tuple[str, ...]:
        places = [
            replace(place, units=tuple(Unit(**unit) for unit in units))
            for place, units in zip(self.places, task["units"], strict=True)
        ]
        whole = sum(unit.bytes for place in places for unit in place.units)
        with SetAside(self, output, whole) as set_aside:
            examples = gather_examples(
                places, workdir, self.seed, self.held_out_share, self.config.folds, set_aside
            )
        self.check_losses(workdir, output.counts)
        self._check(examples)
        trainer: _FastTextTrainer | _HeadTrainer = (
            _FastTextTrainer(self.config, examples, self.seed)
            if isinstance(self.config, FastTextClassifier)
            else _HeadTrainer(self.body, examples)
        )
        try:
            probabilities = out_of_fold(examples.fold, trainer.judge, len(examples.names))
            trainer.write(output)
        except ValueError as error:
            raise UserError(str(error), place=f"curate.classify.{self.scope}") from error
        output.write_table(LEARNED, examples.identity)
        report = measures(examples.labels, probabilities, examples.names)
        output.write_json(REPORT, report | {"mistakes": _mistakes(examples, probabilities)})
        output.counts.flow(
            "examples",
            entered=examples.seen,
            left=len(examples.labels),
            dropped={Count("left_out", reason=why): number for why, number in examples.left_out.items()},
        )
        output.counts.add("text_bytes_read", text_size(examples.texts))
        return examples.names

    def _check(self, examples: Examples) -> None:
        """Raises UserError where a label has too few examples to learn and to be validated."""
        counts = np.bincount(examples.labels, minlength=len(examples.names))
        few = [name for name, count in zip(examples.names, counts, strict=True) if count < 2]
        if few or len(examples.names) < 2:
            raise UserError(
                f"the classifier `{self.scope}` has examples of {len(examples.names)} labels"
                + (f", and fewer than two of {', '.join(few)}" if few else ""),
                place=f"curate.classify.{self.scope}.train",
                hint="Name sources or files with more examples. Left out were: "
                + (", ".join(f"{n} {why}" for why, n in sorted(examples.left_out.items()) if n) or "none")
                + ".",
            )

    @property
    def body(self) -> Body | None:
        """The transformer, if it is one."""
        if not isinstance(self.config, TransformerClassifier) or self.model is None:
            return None
        settings = self.config.max_length, self.config.batch_tokens
        return Body(self.model.location, self.model.revision, *settings)

    def labels(self, workdir: Path) -> tuple[str, ...]:
        """The labels of the finished classifier; none if it gives one number."""
        return tuple(orjson.loads(self.path(workdir, ABOUT).read_bytes())["labels"])

    def ready(self, workdir: Path) -> Model:
        """The finished classifier."""
        return load_model(self.config, self.whole_folder(workdir), self.labels(workdir), self.body)

    def report(self, workdir: Path) -> dict[str, Any] | None:
        """Its cross-validation, if it was trained here."""
        if REPORT not in self.manifest(workdir).by_name:
            return None
        return dict(orjson.loads(self.path(workdir, REPORT).read_bytes()))

    def learned(self, workdir: Path) -> pa.ChunkedArray:
        """The hashes of the texts that it learned from."""
        if not self.places:
            return pa.chunked_array([], pa.binary(16))
        return pq.read_table(self.path(workdir, LEARNED), columns=["content_hash"]).column(0)


def _without_places(config: Any) -> Any:
    """What a recipe says, without the paths of files: what they hold counts."""
    if isinstance(config, list):
        return [_without_places(item) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _without_places(value)
        for key, value in config.items()
        if key != "file" or not isinstance(value, str)
    }


class _FastTextTrainer:
    """Trains fastText on some of the examples, or all."""

    def __init__(self, config: FastTextClassifier, examples: Examples, seed: int) -> None:
        self._config = config
        self._examples = examples
        self._seed = seed
        steps = -(-FEWEST_STEPS // len(examples.labels))
        self._epochs = config.epochs or min(MOST_EPOCHS, max(FEWEST_EPOCHS, steps))
        draw = example_draw(first_words(examples.identity.column("content_hash")), seed)
        self._order = np.argsort(draw, kind="stable")

    def judge(self, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """Probabilities of the examples in the mask by a model that has learned from the others."""
        return self._train(~inside).probabilities(self._examples.texts.filter(pa.array(inside)))

    def write(self, output: TaskOutput) -> None:
        """Train on all and keep the model."""
        model = self._train(np.ones(len(self._examples.labels), bool))
        with output.file(FASTTEXT_FILE) as path:
            model.save(path)

    def _train(self, mask: npt.NDArray[np.bool_]) -> FastTextModel:
        examples, rows = self._examples, self._order[mask[self._order]]
        texts, labels = examples.texts.take(pa.array(rows)), examples.labels[rows]
        return train(texts, labels, examples.names, self._config, self._epochs, self._seed)


class _HeadTrainer:
    """Trains a linear head on the embeddings of some of the examples, or all."""

    def __init__(self, body: Body | None, examples: Examples) -> None:
        assert body is not None, "a head belongs to a transformer"
        self._embeddings = Embedder.load(body).embeddings(examples.texts)
        self._examples = examples

    def judge(self, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """Probabilities of the examples in the mask by a head that has learned from the others."""
        labels, names = self._examples.labels[~inside], self._examples.names
        head = train_head(self._embeddings[~inside], labels, len(names))
        return head.probabilities(self._embeddings[inside])

    def write(self, output: TaskOutput) -> None:
        """Train on all and keep the head."""
        head = train_head(self._embeddings, self._examples.labels, len(self._examples.names))
        with output.file(HEAD_FILE) as path:
            write_head(path, head)


def _mistakes(examples: Examples, probabilities: npt.NDArray[np.float32]) -> list[dict[str, Any]]:
    """The examples that the classifier was surest to label otherwise: often their label is wrong."""
    said = probabilities.argmax(axis=1)
    sureness = np.where(said != examples.labels, probabilities.max(axis=1), -1)
    worst = [int(i) for i in np.argsort(-sureness, kind="stable")[:MISTAKES_SHOWN] if sureness[i] >= 0]
    ids = examples.identity.column("doc_id")
    return [
        {
            "doc_id": ids[i].as_py(),
            "label": examples.names[examples.labels[i]],
            "said": examples.names[said[i]],
            "probability": round(float(sureness[i]), 4),
            "text": examples.texts[i].as_py()[:MISTAKE_CHARACTERS],
        }
        for i in worst
    ]
