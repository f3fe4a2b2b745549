"""About how long a run will still take.

Of the time in which workers have work each stage has a share (`Schedule`), and all shares together are the
time of the run. So what is left is the sum of what is left of every stage:

- of one that runs, by the tasks that it has done;
- of one that comes, what was expected of it before the run (`graph/expected_seconds.py`), times how much
  longer than expected stages of its kind took, or where there was none yet, all stages.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

BASIS_SECONDS = 5.0
"""Less work than this says nothing: most of it is loading and compiling."""


@dataclass
class _Work:
    """A stage: the seconds that were expected (None: nobody knew) and those that it has taken."""

    kind: str
    expected: float | None
    spent: float = 0.0
    share: float = 0.0
    """Of its tasks that this run had to do, how many are done."""
    looked: float = field(default_factory=time.monotonic)
    """When it was seen last, if it has begun."""
    is_begun: bool = False
    compiled: bool = False
    """Whether kernels were compiled in that time, which takes the same for any amount of text."""


class TimeLeft:
    """Of the stages of one run, each under a name."""

    def __init__(self) -> None:
        self._works: dict[str, _Work] = {}

    def expect(self, kinds: Mapping[str, str], seconds: Mapping[str, float]) -> None:
        """Stages to come: their kinds, and how long each is expected to take, where that is known."""
        self._works |= {name: _Work(kind, seconds.get(name)) for name, kind in kinds.items()}

    def cached(self, name: str) -> None:
        """Nothing is left to do of this stage."""
        self._works.pop(name, None)

    def begin(self, name: str, members: Collection[str], kind: str, share: float) -> None:
        """A stage begins that stands for its members; `share` of its tasks are still to be done."""
        expected = [work.expected for each in members if (work := self._works.pop(each, None))]
        known = [seconds for seconds in expected if seconds is not None]
        whole = sum(known) if len(known) == len(expected) else None
        self._works[name] = _Work(kind, None if whole is None else whole * share, is_begun=True)

    def advance(self, name: str, seconds: float, share: float, compiled: bool = False) -> None:
        """A stage has taken so many seconds of the run for so much of its tasks."""
        work = self._works[name]
        work.spent, work.share, work.looked, work.compiled = seconds, share, time.monotonic(), compiled

    def seconds(self) -> float | None:
        """What is left; None while there is too little to base it on."""
        works = self._works.values()
        if sum(work.spent for work in works if work.share) < BASIS_SECONDS:
            return None
        running, coming = 0.0, 0.0
        for work in works:
            left = _left(work, _slowness(works, work.kind))
            if left is None:
                return None
            if work.is_begun:
                running += left
            else:
                coming += left
        since = time.monotonic() - max((work.looked for work in works if work.is_begun), default=0.0)
        return coming + max(running - since, 0.0)


def _left(work: _Work, slowness: float) -> float | None:
    if work.share:
        return work.spent / work.share * (1 - work.share)
    return None if work.expected is None else work.expected * slowness


def _slowness(works: Iterable[_Work], kind: str) -> float:
    """How much longer than expected work took: of this kind, else all; what compiled is no measure."""
    measures = [work for work in works if not work.compiled]
    for seen in ([work for work in measures if work.kind == kind], measures):
        expected = sum(work.expected * work.share for work in seen if work.expected)
        if expected:
            return sum(work.spent for work in seen if work.expected and work.share) / expected
    return 1.0
