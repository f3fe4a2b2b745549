"""The tasks of lm-evaluation-harness (Gao et al. 2024, `lm_eval`) by name: those it ships, and one's own."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

SCORING = ("metric_list", "filter_list", "process_results", "fewshot_config", "num_fewshot")
"""What a task says of how answers are scored, and of the examples before a question."""


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
        self._tasks = TaskManager(include_path=[str(folder) for folder in include], include_defaults=False)
        self._index: dict[str, Any] = self._tasks.task_index
        self.own_settings = [entry.cfg or {} for entry in self._index.values()]
        """What the YAML files of the included folders say."""

    def load(self, name: str) -> Any:
        """What the harness loads for a task, group or tag: a dictionary, with the tasks in `tasks`.

        Raises:
            ValueError: There is no such task.
            OSError: Its data cannot be had.
        """
        self.require(name)
        return self._tasks.load([name])

    def load_questions(self, name: str) -> dict[str, Any]:
        """The tasks by their names, without what they need to score answers, such as metrics to download.

        Raises as `load` does.
        """
        self.require(name)
        for each, entry in self._index.items():
            self._index[each] = _without_scoring(entry)
        return dict(self._tasks.load([name])["tasks"])

    def require(self, name: str) -> None:
        """Raise ValueError where no task, group or tag has this name, here or in the library."""
        if name not in self._index or self._index[name].kind.name == "GROUP":
            for each, entry in _shipped().items():
                self._index.setdefault(each, entry)
        if name not in self._index:
            near = difflib.get_close_matches(name, self._index, n=3)
            raise ValueError(
                f"The harness has no task `{name}`."
                + (f" Did you mean {', '.join(near)}?" if near else "")
                + " Tasks of your own need a YAML file in an included folder."
            )


@cache
def _shipped() -> Mapping[str, Any]:
    from lm_eval.tasks import TaskManager

    return dict(TaskManager().task_index)


def _without_scoring(entry: Any) -> Any:
    """A task without its scoring; as it is where functions of its own make its questions."""
    if entry.kind.name != "TASK":
        return entry
    settings = {name: value for name, value in (entry.cfg or {}).items() if name not in SCORING}
    if _has_function(settings):
        return entry
    return replace(entry, yaml_path=None, cfg=settings | {"metric_list": []})


def _has_function(value: Any) -> bool:
    """Whether a setting names a function: as the index has it, the path of its module, a dot and its name."""
    if isinstance(value, dict | list):
        return any(map(_has_function, value.values() if isinstance(value, dict) else value))
    is_path = isinstance(value, str) and value.startswith("/")
    return is_path and Path(f"{value.rpartition('.')[0]}.py").is_file()


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
