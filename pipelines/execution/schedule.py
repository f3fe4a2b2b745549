"""Which tasks of a run are ready, given out and done: what executors take their work from.

A stage is ready when all its inputs are finished. Of the ready stages, that one gives out its tasks first
behind which the longest path of work lies, so that the end of a run does not wait for a chain of stages that
began late (critical-path list scheduling: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969;
with any order the wall time is below twice the best). When the last task of a stage is done, the stage is
concluded, and others become ready.
"""

from __future__ import annotations

import heapq
import shutil
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import WorkError
from pipelines.execution.output import read_receipt
from pipelines.execution.progress import Progress
from pipelines.execution.shared_pass import SharedPass, as_one, passes
from pipelines.execution.stage import Stage
from pipelines.execution.stage_folder import conclude, is_cached, prepare
from pipelines.execution.told import Told

ATTEMPTS = 3
"""How often a task may die without a word before the run ends."""
STAGES_AT_ONCE = 16
"""Begun and not finished: each keeps its files open to changes, and a line of the progress display."""


class Work(NamedTuple):
    """A task that is given out: number `task` of `stage`."""

    stage: Stage
    task: int


@dataclass(eq=False)
class _Node:
    """A stage of the run, or several that share a pass, with what is known of its tasks."""

    place: int
    stages: list[Stage]
    awaits: int = 0
    """Nodes before it that are not finished."""
    before: list[_Node] = field(default_factory=list)
    after: list[_Node] = field(default_factory=list)
    path: int = 0
    """The weight of the longest way from its begin to the end of the run."""
    tasks: int = 0
    whole: Stage | None = None
    """The stage, or the pass; None before its tasks are listed."""
    waiting: deque[int] = field(default_factory=deque)
    given: set[int] = field(default_factory=set)
    is_begun: bool = False
    seconds: float = 0.0
    """Its share of the time that workers had work: parted among stages by the tasks that they had running."""

    @property
    def alone(self) -> set[str]:
        return {stage.alone for stage in self.stages} - {""}

    @property
    def has_work(self) -> bool:
        return bool(self.waiting) or not self.is_begun


class Schedule:
    """The stages of one run. It is used by one thread: that of the executor."""

    def __init__(self, stages: Sequence[Stage], workdir: Path, progress: Progress) -> None:
        """`stages` are each after its inputs; an input that is not among them is finished already."""
        self.workdir = workdir
        self._progress = progress
        self._nodes = _nodes(stages)
        self._ready: list[_Node] = []
        self._by_name: dict[str, _Node] = {}
        self._deaths: Counter[tuple[str, int]] = Counter()
        self._unfinished = len(self._nodes)
        self._clock = time.monotonic()
        for left_over in (workdir / "stages").glob(f"{SharedPass.name}-*"):
            shutil.rmtree(left_over)
        self._look_at(node for node in self._nodes if not node.awaits)
        self._find_paths()

    @property
    def is_done(self) -> bool:
        """Whether all stages are finished."""
        return not self._unfinished

    def take(self, most: int = 1) -> list[Work]:
        """Up to `most` tasks of the most urgent stage; none while all that is ready is given out."""
        while (node := self._most_urgent()) is not None:
            whole = self._begin(node)
            if not node.waiting:
                self._conclude(node)
                continue
            self._count_time()
            numbers = [node.waiting.popleft() for _ in range(min(most, len(node.waiting)))]
            node.given.update(numbers)
            return [Work(whole, number) for number in numbers]
        assert self.is_done or any(node.given for node in self._ready), "nothing runs, and nothing is ready"
        return []

    def look_ahead(self) -> bool:
        """List the tasks of one more ready stage while workers are busy; False when all are listed."""
        node = next((node for node in self._ready if node.whole is None), None)
        if node is not None:
            self._list_tasks(node)
        return node is not None

    def done(self, work: Work) -> None:
        """A task has left its receipt. Raises what concluding its stage raises, if it was the last."""
        node = self._taken_back(work)
        receipt = read_receipt(work.stage.folder(self.workdir), work.task)
        assert receipt is not None, "a task that ended without an error has left its receipt"
        self._progress.advance(work.stage, receipt, node.seconds)
        if not node.waiting and not node.given:
            self._conclude(node)

    def died(self, work: Work) -> int:
        """Take back a task that ended without a word, to be given out again; how often it has died."""
        self._taken_back(work).waiting.appendleft(work.task)
        key = (work.stage.folder_name, work.task)
        self._deaths[key] += 1
        return self._deaths[key]

    def worker_died(self, work: Work, how: str, hint: str) -> None:
        """`died`, with a warning that begins with `how`; WorkError where it may not be tried again."""
        attempt = self.died(work)
        if attempt >= ATTEMPTS:
            raise WorkError(f"{how}, {attempt} times", hint=hint)
        self.warn(f"{how}; the task is tried again ({attempt} of {ATTEMPTS - 1})")

    def hear(self, work: Work, told: Told) -> None:
        """A task says how far it has come."""
        self._progress.hear(work.stage, told)

    def warn(self, message: str) -> None:
        """Say something that should not be missed."""
        self._progress.warn(message)

    def _look_at(self, nodes: Iterable[_Node]) -> None:
        """Find out which of these, whose inputs are finished, are finished too; and so on after them."""
        looked = [(node.place, node) for node in nodes]
        heapq.heapify(looked)
        while looked:
            _, node = heapq.heappop(looked)
            node.stages = [stage for stage in node.stages if not self._is_cached(stage)]
            if node.stages:
                self._ready.append(node)
            else:
                for freed in self._freed_by(node):
                    heapq.heappush(looked, (freed.place, freed))

    def _is_cached(self, stage: Stage) -> bool:
        cached, warning = is_cached(stage, self.workdir)
        if warning:
            self._progress.warn(warning)
        if cached:
            self._progress.cached(stage)
        return cached

    def _freed_by(self, finished: _Node) -> list[_Node]:
        self._unfinished -= 1
        for node in finished.after:
            node.awaits -= 1
        return [node for node in finished.after if not node.awaits]

    def _most_urgent(self) -> _Node | None:
        begun = [node for node in self._ready if node.is_begun]
        taken = {name for node in begun for name in node.alone}
        full = len(begun) >= STAGES_AT_ONCE
        able = [
            node
            for node in self._ready
            if node.has_work and (node.is_begun or not (full or taken & node.alone))
        ]
        return min(able, key=lambda node: (-node.path, node.place), default=None)

    def _list_tasks(self, node: _Node) -> Stage:
        """Make the folders ready for what is left to do."""
        if node.whole is None:
            node.whole = as_one(node.stages)
            if isinstance(node.whole, SharedPass):
                for stage in node.stages:
                    prepare(stage, self.workdir)
            node.tasks = prepare(node.whole, self.workdir)
            folder = node.whole.folder(self.workdir)
            node.waiting.extend(n for n in range(node.tasks) if read_receipt(folder, n) is None)
            self._by_name[node.whole.folder_name] = node
            self._find_paths()
        return node.whole

    def _begin(self, node: _Node) -> Stage:
        whole = self._list_tasks(node)
        if not node.is_begun:
            node.is_begun = True
            self._progress.start(whole, node.tasks, node.tasks - len(node.waiting))
        return whole

    def _taken_back(self, work: Work) -> _Node:
        self._count_time()
        node = self._by_name[work.stage.folder_name]
        node.given.remove(work.task)
        return node

    def _conclude(self, node: _Node) -> None:
        assert node.whole is not None
        started = time.monotonic()
        for stage in node.stages:
            seconds = (node.seconds + time.monotonic() - started) / len(node.stages)
            conclude(stage, self.workdir, node.tasks, seconds)
            if lacking := stage.lacking(self.workdir):
                self._progress.warn(lacking)
        if isinstance(node.whole, SharedPass):
            shutil.rmtree(node.whole.folder(self.workdir))
        self._ready.remove(node)
        self._progress.end(node.whole, node.seconds + time.monotonic() - started)
        self._look_at(self._freed_by(node))

    def _count_time(self) -> None:
        """Part the time since the last change among the stages, by the tasks that each had running."""
        now = time.monotonic()
        running = sum(len(node.given) for node in self._ready)
        for node in self._ready:
            node.seconds += (now - self._clock) * len(node.given) / max(running, 1)
        self._clock = now

    def _find_paths(self) -> None:
        """A stage weighs as many tasks as it has, or, having fewer, as much as the heaviest that it reads."""
        weights: dict[_Node, int] = {}
        for node in self._nodes:
            weights[node] = max(node.tasks, 1, *(weights[before] for before in node.before))
        for node in reversed(self._nodes):
            node.path = weights[node] + max((after.path for after in node.after), default=0)


def _nodes(stages: Sequence[Stage]) -> list[_Node]:
    """The stages in order; those that follow one another and read the same share a node."""
    nodes = [_Node(place, group) for place, group in enumerate(passes(stages))]
    makers = {stage.folder_name: node for node in nodes for stage in node.stages}
    for node in nodes:
        inputs = {stage.folder_name for made in node.stages for stage in made.inputs} & makers.keys()
        before = {makers[name] for name in inputs} - {node}
        node.before = sorted(before, key=lambda maker: maker.place)
        node.awaits = len(before)
        for maker in node.before:
            maker.after.append(node)
    return nodes
