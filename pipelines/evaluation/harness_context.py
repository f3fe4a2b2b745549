"""A model of lm-evaluation-harness that reads a context before every question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.evaluation.in_context import Placement, last_part


class ContextLM:
    """Puts a context before requests and hands them to the harness's own model; all else is the model's.

    A wrapper like the harness's `CachingLM`. Likelihoods of texts without a question, as of perplexity and of
    answers by themselves, stay as they are.

    The question of a request is the document's own text, as the task words it, where that ends the request's
    context; else what stands behind the last delimiter of examples.
    """

    def __init__(self, model: Any, tasks: Mapping[str, Any], placement: Placement) -> None:
        """Wrap a model.

        Args:
            model: An `lm_eval.models.huggingface.HFLM`.
            tasks: The tasks whose requests come, by name.
            placement: What stands before them.
        """
        self._model = model
        self._tasks = tasks
        self._placement = placement

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def loglikelihood(self, requests: Sequence[Any], **how: Any) -> list[tuple[float, bool]]:
        """The log-likelihood of each continuation, and whether it is the greedy one."""
        room = self._model.max_length
        found: list[tuple[float, bool]] = self._model.loglikelihood(
            self._placed(requests, "".join, lambda _: room), **how
        )
        return found

    def generate_until(self, requests: Sequence[Any], **how: Any) -> list[str]:
        """What is generated for each request."""
        from lm_eval.models.utils import normalize_gen_kwargs

        def room(arguments: tuple[str, dict[str, Any]]) -> int:
            settings = normalize_gen_kwargs(arguments[1], self._model.max_gen_toks)
            return int(self._model.max_length - settings["max_gen_toks"])

        found: list[str] = self._model.generate_until(
            self._placed(requests, lambda arguments: arguments[0], room), **how
        )
        return found

    def _placed(
        self, requests: Sequence[Any], read: Callable[[Any], str], room: Callable[[Any], int]
    ) -> list[Any]:
        """The requests with a context before those that have a question."""
        asked = [number for number, request in enumerate(requests) if request.args[0]]
        before = self._placement.before(
            [self._question(requests[number]) for number in asked],
            [read(requests[number].args) for number in asked],
            [room(requests[number].args) for number in asked],
        )
        placed = list(requests)
        for number, text in zip(asked, before, strict=True):
            context, *others = requests[number].args
            placed[number] = replace(requests[number], arguments=(text + context, *others))
        return placed

    def _question(self, request: Any) -> str:
        task, context = self._tasks[request.task_name], request.args[0]
        question = task.doc_to_text(request.doc)
        if isinstance(question, str) and question.strip() and context.rstrip().endswith(question.rstrip()):
            return question
        return last_part(context, task.config.fewshot_delimiter)
