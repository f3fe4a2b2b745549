"""The schedule over random graphs of tiny stages: order, completeness, limits, deaths, and the same bytes."""

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError, WorkError
from pipelines.execution.executors.base import run_task
from pipelines.execution.executors.local import WorkerPool
from pipelines.execution.run_stages import run_stages
from pipelines.execution.schedule import ATTEMPTS, STAGES_AT_ONCE, Schedule, Work
from pipelines.execution.shared_pass import SharedPass
from pipelines.execution.stage import Stage
from tests.pipelines.execution.schedules import files_of, run_in_turn
from tests.pipelines.execution.test_killed import Warnings
from tests.pipelines.execution.tiny_stages import Failing, Joined, Tiny

JOINED = 3


@pytest.fixture(autouse=True, scope="module")
def no_flushing():
    """Thousands of small files are written; none of them has to outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@st.composite
def graphs(draw: st.DrawFn) -> list[Stage]:
    """Stages, each after its inputs; some of them share a pass, some run alone."""
    stages: list[Stage] = []
    for number in range(draw(st.integers(1, 9))):
        before = tuple(stage for stage in stages if draw(st.integers(0, 2)) == 0)
        if before and draw(st.booleans()):
            stages += [
                Joined(scope=f"{number}-{member}", before=before[:1], count=before[0].count)
                for member in range(draw(st.integers(1, JOINED)))
            ]
            continue
        alone = draw(st.sampled_from(["", "", "memory"]))
        stages.append(Tiny(scope=str(number), before=before, count=draw(st.integers(0, 4)), alone=alone))
    return stages


class Workers:
    """An executor of so many workers at a time, which end in an order that is drawn; some of them die."""

    def __init__(self, workers: int, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.workers, self.draw = workers, draw
        self.deaths: Counter[tuple[str, int]] = Counter()

    def run(self, schedule: Schedule) -> None:
        running: list[Work] = []
        while not schedule.is_done:
            while room := self.workers - len(running):
                taken = schedule.take(self.draw(st.integers(1, room)))
                assert len(taken) <= room and not any(work in running for work in taken)
                if not taken:
                    break
                for work in taken:
                    assert all(stage.is_finished(schedule.workdir) for stage in work.stage.inputs)
                running += taken
                _only_one_alone(running)
            if self.draw(st.booleans()):
                schedule.look_ahead()
            if not running:
                assert schedule.is_done
                return
            work = running.pop(self.draw(st.integers(0, len(running) - 1)))
            key = (work.stage.folder_name, work.task)
            if self.deaths[key] < ATTEMPTS - 1 and self.draw(st.integers(0, 4)) == 0:
                self.deaths[key] += 1
                schedule.worker_died(work, "a worker died", "")
            else:
                run_task(work.stage, schedule.workdir, work.task)
                schedule.done(work)


def _only_one_alone(running: list[Work]) -> None:
    alone = {work.stage.folder_name for work in running if work.stage.alone}
    assert len(alone) <= 1


def tried(workdir: Path) -> Counter[str]:
    return Counter({path.name: len(path.read_text()) for path in workdir.glob("*-done")})


@given(graphs(), st.integers(1, 5), st.data())
@settings(deadline=None, max_examples=40)
def test_every_task_is_done_once_after_its_inputs_with_the_same_bytes(stages, workers, data):
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        for stage in stages:
            run_in_turn([stage], Path(one))
        run_stages(stages, Path(other), Workers(workers, data.draw), Warnings())
        assert all(stage.is_finished(Path(other)) for stage in stages)
        assert files_of(Path(one)) == files_of(Path(other))
        assert set(tried(Path(other)).values()) <= {1}
        assert not list(Path(other).glob(f"stages/{SharedPass.name}-*"))


@given(graphs(), st.data())
@settings(deadline=None, max_examples=30)
def test_no_worker_is_idle_while_a_task_could_run(stages, data):
    with TemporaryDirectory() as folder:
        workdir = Path(folder)
        schedule = Schedule(stages, workdir, Warnings())
        running: list[Work] = []
        while not schedule.is_done:
            while taken := schedule.take():
                running += taken
            given_out = {work.stage.folder_name for work in running}
            busy = {
                stage.folder_name
                for work in running
                for stage in getattr(work.stage, "members", [work.stage])
            }
            alone = any(work.stage.alone for work in running)
            for stage in stages:
                ready = all(before.is_finished(workdir) for before in stage.inputs)
                if ready and not stage.is_finished(workdir) and not (stage.alone and alone):
                    assert stage.folder_name in busy, given_out
            if running:
                work = running.pop(data.draw(st.integers(0, len(running) - 1)))
                run_task(work.stage, workdir, work.task)
                schedule.done(work)


def test_the_longest_path_goes_first_and_earlier_stages_on_ties(tmp_path):
    short, long = Tiny(scope="short"), Tiny(scope="long")
    behind = Tiny(scope="behind", before=(long,))
    schedule = Schedule([short, Tiny(scope="other"), long, behind], tmp_path, Warnings())
    order = [schedule.take()[0].stage.scope for _ in range(3)]
    assert order == ["long", "short", "other"]


def test_stages_at_a_time_are_bounded(tmp_path):
    schedule = Schedule([Tiny(scope=str(n)) for n in range(STAGES_AT_ONCE + 5)], tmp_path, Warnings())
    begun = [taken[0] for _ in range(STAGES_AT_ONCE + 5) if (taken := schedule.take())]
    assert len(begun) == STAGES_AT_ONCE
    run_task(begun[0].stage, tmp_path, 0)
    schedule.done(begun[0])
    assert len(schedule.take()) == 1


def forest(deadly: int = 0) -> list[Stage]:
    roots = [Tiny(scope=f"root-{n}", count=n + 1, dies=deadly if n == 2 else 0) for n in range(4)]
    joined = [Joined(scope=f"{root.scope}-{n}", before=(root,), count=2) for root in roots for n in range(2)]
    return [*roots, *joined, Tiny(scope="all", before=(*roots, *joined), count=3)]


def test_real_workers_take_tasks_of_all_stages_and_survive_deaths(tmp_path):
    stages, progress = forest(deadly=ATTEMPTS - 1), Warnings()
    with WorkerPool(3) as pool:
        run_stages(stages, tmp_path / "pool", pool, progress)
    run_in_turn(forest(), tmp_path / "turn")
    assert files_of(tmp_path / "pool") == files_of(tmp_path / "turn")
    assert [("SIGKILL" in line and "`tiny root-2`" in line) for line in progress.said] == [True, True]
    assert tried(tmp_path / "pool") - tried(tmp_path / "turn") == Counter({"tiny-root-2-0-done": 2})


def test_an_error_of_one_stage_ends_all_and_a_second_run_goes_on(tmp_path):
    stages = [*forest(), Failing(scope="")]
    with WorkerPool(2) as pool, pytest.raises(UserError, match="wrong"):
        run_stages(stages, tmp_path, pool, Warnings())
    before = files_of(tmp_path)
    assert files_of(tmp_path) == before, "nothing writes any more"
    run_in_turn(forest(), tmp_path)
    twice = {task_of(name) for name, times in tried(tmp_path).items() if times > 1}
    assert len(twice) <= 1, "what was done is not done again, but for the task that the error interrupted"


def task_of(done: str) -> str:
    """The task that left a file; one of a pass leaves a file for each of its members."""
    return re.sub(r"^(joined-root-\d)-\d-", r"\1-", done)


def test_a_task_that_always_dies_ends_a_run_of_many_stages(tmp_path):
    with (
        WorkerPool(2) as pool,
        pytest.raises(WorkError, match=r"SIGKILL in task 0 of `tiny root-2`, 3 times"),
    ):
        run_stages(forest(deadly=100), tmp_path, pool, Warnings())
