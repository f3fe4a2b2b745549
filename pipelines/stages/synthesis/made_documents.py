"""Synthesize: what a model makes of the documents that are asked about, each with its parent's id."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from pipelines.execution.fingerprint import fingerprint
from pipelines.execution.output import Output, Task, TaskOutput
from pipelines.execution.run_stages import LOGS
from pipelines.execution.stage import Stage
from pipelines.sources.endpoint import EndpointClient
from pipelines.sources.endpoint_session import Patience
from pipelines.sources.language_model import load_identifier
from pipelines.sources.models import ModelInput
from pipelines.stages.parts import PartStage, write_parts
from pipelines.stages.synthesis.account import (
    FOLDER,
    REJECTIONS,
    UNANSWERED,
    Account,
    Pace,
    drafts_of,
    rejections_table,
)
from pipelines.stages.synthesis.asked_documents import AskedDocuments
from pipelines.stages.synthesis.document_table import document_table, plain_text
from pipelines.stages.synthesis.passages import DocumentReader
from pipelines.stages.tokenize import encoders_of
from pipelines.stages.tokenizer import Tokenizer, encoding_versions
from pipelines.synthesis import chunks
from pipelines.synthesis.asking.answers import Answers
from pipelines.synthesis.asking.outcomes import Outcome, outcomes, stored_outcomes
from pipelines.synthesis.augmentation import topics
from pipelines.synthesis.checks import checks
from pipelines.synthesis.checks.checked import checked
from pipelines.synthesis.checks.meaning import embedded
from pipelines.synthesis.checks.near_duplicates import SeenQuestions
from pipelines.synthesis.diversity import embedding_spread
from pipelines.synthesis.draft import Draft, Rejection, Result
from pipelines.synthesis.method import Method
from pipelines.synthesis.model import ModelEndpoint
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompts
from pipelines.synthesis.serving.server import Serve, patience, served, stop_server

ANSWERS = "answers"
"""In the folder of a run: what a model answered stays, whatever becomes of the stages."""
DECIDED_ELSEWHERE = {"about", "domains", "weights", "groups", "domain", "glossary"}
"""Settings of a method that decide other stages, or are paths."""
REPEATED = "repeated_question"
SPREAD, SPREAD_SAMPLE = "spread.json", 500
OUTCOMES_A_TABLE = 256


@dataclass(frozen=True, kw_only=True)
class MadeDocuments(PartStage):
    """Output: parts of PART_SCHEMA, and `rejected/TASK.parquet` (REJECTIONS): what became no document.

    Passages are asked about in the order of `asked` until the tokens that are wanted are there. Every answer
    is kept in the run's folder as it comes: work that is done again asks for none of them twice.
    """

    name: ClassVar[str] = "synthesize"
    version: ClassVar[int] = 1
    asked: AskedDocuments
    parts: tuple[PartStage, ...]
    tokenizer: Tokenizer
    language_model: ModelInput
    method: Method
    model: ModelEndpoint | Serve
    prompts: Prompts
    group: str
    part_bytes: int

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.asked, *self.parts, self.tokenizer)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """Where the model is decides nothing that it said."""
        method = self.method.model_dump(mode="json", exclude=DECIDED_ELSEWHERE)
        for name in self.method.checks.models:
            del method["checks"][name]["model"]
        return {
            "method": method,
            "files": self.method.files,
            "model": self.model.model,
            "prompts": {name: self.prompts.hashes(name) for name in self.method.prompted},
            "tasks": self._tasks,
            "group": self.group,
            "part_size": self.part_bytes,
            "language_model": self.language_model.identity,
            "versions": {
                "method": self.method.VERSION,
                "checks": checks.VERSION,
                "chunks": chunks.VERSION,
                "encoding": encoding_versions(),
                **({"topics": topics.VERSION} if self.method.related else {}),
            },
        }

    @property
    @override
    def domain(self) -> str:
        return self.group

    @property
    @override
    def serves(self) -> bool:
        return isinstance(self.model, Serve)

    @property
    @override
    def alone(self) -> str:
        """One stage at a time asks a model, as many requests at once as were allowed."""
        return "a model that writes"

    @property
    def _tasks(self) -> int:
        return self.model.nodes if isinstance(self.model, Serve) else 1

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [{"first": number, "every": self._tasks} for number in range(self._tasks)]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        wanted = None if self.method.tokens is None else -(-self.method.tokens // task["every"])
        passages = self.passages(workdir, task["first"], task["every"])
        account = Account()
        with (
            closing(self.outcomes(workdir, passages, f"{self.scope}-{output.task:05d}")) as found,
            output.growing_table(f"{FOLDER}/{output.task:05d}.parquet", REJECTIONS) as reject,
        ):
            pace = Pace(account, wanted, output.tell)
            taken = self._until_enough(workdir, found, wanted, account, pace)
            write_parts(self._tables(taken, reject), output, self.part_bytes)
        account.count(output, wanted)

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        """Free the accelerators of this machine for what comes next; measure how far documents lie apart."""
        if isinstance(self.model, Serve):
            stop_server(self.model)
        if (check := self.method.checks.embedding) is not None:
            texts = list(islice(self._texts(output.folder), SPREAD_SAMPLE))
            output.write_json(SPREAD, {"embedding_spread": embedding_spread(embedded(texts, check))})

    def _texts(self, folder: Path) -> Iterator[str]:
        for path in sorted(folder.glob("*.parquet")):
            yield from pq.read_table(path, columns=["text"]).column("text").to_pylist()

    def spread(self, workdir: Path) -> float | None:
        """The mean distance of the first documents by the checks' embedding model, where there is one."""
        if SPREAD not in self.manifest(workdir).by_name:
            return None
        found: float | None = orjson.loads(self.path(workdir, SPREAD).read_bytes())["embedding_spread"]
        return found

    @override
    def lacking(self, workdir: Path) -> str:
        unanswered = self.manifest(workdir).counts.number(UNANSWERED)
        if not unanswered:
            return ""
        return f"{unanswered:,} requests of {self.scope} were not answered; the next run asks again"

    @property
    def asking(self) -> str:
        """Names what decides its questions, in the names of files of answers: those of others are no use."""
        settings, prompts = self.settings, self.prompts.hashes(self.method.method)
        method = {**settings["method"], "checks": None, "tokens": None}
        return fingerprint([method, settings["files"], settings["model"], prompts])[:8]

    def answer_files(self, workdir: Path) -> list[Path]:
        """The files of answers that runs were given, by these or earlier settings."""
        return sorted((workdir / ANSWERS).glob(f"{self.scope}-[0-9]*.jsonl"))

    def answers_before(self, workdir: Path) -> tuple[list[Path], list[Path]]:
        """The files of answers to its questions, also of trials, and those to questions of other settings."""
        trials = (workdir / ANSWERS).glob(f"trial-{self.scope}-*.jsonl")
        files = [*self.answer_files(workdir), *trials]
        own = [path for path in files if path.stem.endswith(f"-{self.asking}")]
        return own, [path for path in files if path not in own]

    def passages(self, workdir: Path, first: int = 0, every: int = 1) -> Iterator[Passage]:
        """What is asked about, in order; of the documents those from `first` on, one of every so many."""
        order = self.asked.order(workdir)
        places = pa.array(range(first, order.num_rows, every), pa.int64())
        return self._reader(workdir).passages(order.take(places))

    def passages_of(self, workdir: Path, doc_ids: Iterable[str]) -> list[Passage]:
        """The passages of a few documents that are asked about, without related ones."""
        return self._reader(workdir).alone(self.asked.places_of(workdir, doc_ids))

    def _reader(self, workdir: Path) -> DocumentReader:
        stages = {stage.scope: stage for stage in self.parts}
        files = [(stages[source], part) for source, part in self.asked.files(workdir)]
        return DocumentReader(workdir, files, self.method)

    def outcomes(
        self, workdir: Path, passages: Iterable[Passage], name: str
    ) -> Generator[Outcome, None, None]:
        """What the model makes of passages, checked, in their order; answers are kept under `name`.

        The model is asked, and served, only from the first passage on of which not all was answered before.
        """
        identifier = load_identifier(self.language_model.location)
        make = checked(self.method.build(self.prompts), self.method.checks, self.prompts, identifier)
        sampling, rest = self.method.sampling, iter(passages)
        with Answers(workdir / ANSWERS, f"{name}-{self.asking}") as answers:
            first = yield from stored_outcomes(rest, make, self.model.model, answers, sampling)
            if first is not None:
                with self._endpoint(workdir) as endpoint:
                    client = EndpointClient(endpoint, self._patience)
                    yield from outcomes(chain([first], rest), make, client, answers, sampling)

    @property
    def _patience(self) -> Patience | None:
        """A server of our own that dies is started again, which takes its time."""
        return patience(self.model) if isinstance(self.model, Serve) else None

    def _endpoint(self, workdir: Path) -> AbstractContextManager[ModelEndpoint]:
        if isinstance(self.model, Serve):
            return served(self.model, workdir / LOGS)
        return nullcontext(self.model)

    def _until_enough(
        self,
        workdir: Path,
        found: Iterator[Outcome],
        wanted: int | None,
        account: Account,
        pace: Pace,
    ) -> Iterator[Outcome]:
        """The outcomes up to the one that brings the tokens wanted; no question is in them twice."""
        encoder = encoders_of(self.tokenizer.whole_folder(workdir)).text
        seen = SeenQuestions(self.method.checks.alike_questions)

        def tokens_of(texts: Iterable[str]) -> int:
            return len(encoder.encode(pa.chunked_array([pa.array(texts, pa.large_string())])).ids)

        while wanted is None or account.tokens < wanted:
            outcome = next(found, None)
            if outcome is None:
                return
            outcome = without_repeated(outcome, seen)
            made = tokens_of(map(plain_text, drafts_of(outcome.results)))
            account.add(outcome, made, tokens_of([outcome.passage.text]))
            pace.tell()
            yield outcome

    def _tables(self, found: Iterator[Outcome], reject: Callable[[pa.Table], None]) -> Iterator[pa.Table]:
        while some := list(islice(found, OUTCOMES_A_TABLE)):
            if (rejected := rejections_table(some)).num_rows:
                reject(rejected)
            if drafts := [
                (each.passage, number, draft)
                for each in some
                for number, draft in enumerate(drafts_of(each.results), 1)
            ]:
                yield document_table(drafts, self.scope, self.group, self.made_by)

    @property
    def made_by(self) -> dict[str, str]:
        """What the metadata of every document says of the way it was made."""
        return {"method": self.method.method, "model": self.model.model}

    def rejected(self, workdir: Path) -> Iterator[pa.RecordBatch]:
        """What became no document (REJECTIONS), some at a time, in the order in which it came."""
        for name in self.manifest(workdir).part_names(".parquet"):
            if name.startswith(f"{FOLDER}/"):
                with pq.ParquetFile(self.path(workdir, name)) as file:
                    yield from file.iter_batches()


def without_repeated(outcome: Outcome, seen: SeenQuestions) -> Outcome:
    """The outcome with a rejection in place of each draft whose question was asked before."""
    parent = outcome.passage.parent_id

    def once(result: Result) -> Result:
        if isinstance(result, Draft) and result.question and not seen.is_new(result.question, parent):
            return Rejection.of(REPEATED, result.question)
        return result

    return replace(outcome, results=tuple(map(once, outcome.results)))
