"""The tasks of lm-evaluation-harness (Gao et al. 2024, `lm_eval`) by name: those it ships, and one's own."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class HarnessTasks:
    """The tasks that the library ships, and those of your own."""

    def __init__(self, include: Sequence[Path] = ()) -> None:
        """Find the tasks; the library's own only when they are needed, for reading them takes seconds.

        Args:
            include: Folders with YAML files of your own; they win over shipped tasks of the same name.

        Raises:
            ImportError: `lm_eval` is not installed.
            ValueError: A folder is not there.
        """
        from lm_eval.tasks import TaskManager

        if missing := [folder for folder in include if not folder.is_dir()]:
            raise ValueError(f"{missing[0]} is not a folder with task files.")
        self._include = [str(folder) for folder in include]
        self._tasks = TaskManager(include_path=self._include, include_defaults=False)
        self.own_settings = [entry.cfg or {} for entry in self._tasks.task_index.values()]
        """What the YAML files of the included folders say."""

    def load(self, name: str) -> Any:
        """What the harness loads for a task, group or tag: a dictionary, with the tasks in `tasks`.

        Raises:
            ValueError: There is no such task.
            OSError: Its data cannot be had.
        """
        self.require(name)
        return self._tasks.load([name])

    def require(self, name: str) -> None:
        """Raise ValueError where no task, group or tag has this name, here or in the library."""
        from lm_eval.tasks import TaskManager

        if name not in self._tasks.all_tasks:
            self._tasks = TaskManager(include_path=self._include)
        if name not in self._tasks.all_tasks:
            near = difflib.get_close_matches(name, self._tasks.all_tasks, n=3)
            raise ValueError(
                f"The harness has no task `{name}`."
                + (f" Did you mean {', '.join(near)}?" if near else "")
                + " Tasks of your own need a YAML file in an included folder."
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Leave only the harness's errors: it warns of each setting that it takes over."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
