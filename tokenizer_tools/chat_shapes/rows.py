"""Many conversations rendered by the plans of their shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from tokenizer_tools.chat_shapes import kernels
from tokenizer_tools.chat_shapes.columns import Columns, unusual_characters
from tokenizer_tools.chat_shapes.kernels import Bytes, Flags, Places
from tokenizer_tools.chat_shapes.learnt import Plan, Shape, learn
from tokenizer_tools.chat_shapes.symbolic import Condition, Question
from tokenizer_tools.chat_shapes.traced_template import TracedTemplate
from tokenizer_tools.rendering import Rendering
from tokenizer_tools.span_masks import Span, Spans
from tokenizer_tools.template_habits import TemplateHabits

_WORTH_LEARNING = 16
"""Conversations of a shape before it is learnt, which takes about as long as rendering so many."""
_SAMPLES = 2
"""Conversations of a newly learnt shape that are rendered both ways."""

_KERNELS = {
    Question.CONTAINS: kernels.contain,
    Question.BEGINS: kernels.begin,
    Question.ENDS: kernels.end,
    Question.EQUALS: kernels.equal,
    Question.WITHIN: kernels.are_within,
}


@dataclass(frozen=True)
class RenderedRows:
    """Renderings of some of the conversations."""

    rows: Places
    """Which, in order."""
    texts: pa.LargeStringArray
    learnt: Spans
    context: Spans
    shapes: list[tuple[Shape, int]]
    """Those that they have, with the number of conversations."""
    samples: dict[int, Shape]
    """Rows of newly learnt shapes: their renderings are to be compared."""

    def agrees(self, row: int, rendering: Rendering) -> bool:
        """Whether a row's rendering is the same, with the same spans."""
        number = int(np.searchsorted(self.rows, row))
        return self.texts[number].as_py() == rendering.text and all(
            found.of_text(number) == Spans.of([rendering.text], [right]).of_text(0)
            for found, right in ((self.learnt, rendering.learnt), (self.context, rendering.context))
        )


class ShapeRenderer:
    """Renders plain conversations, shape by shape; learns a shape when there are enough of it."""

    def __init__(
        self, template: TracedTemplate, habits: TemplateHabits, control: Iterable[str], *, composed: bool
    ) -> None:
        self._template, self._habits = template, habits
        self._control = _Parts.of(control)
        self._composed = composed
        self._plans: dict[Shape, Plan | None] = {}
        self._seen: Counter[Shape] = Counter()
        self._checked: set[Shape] = set()

    def render(self, messages: pa.Array, template_fields: pa.Array | None) -> RenderedRows:
        """The conversations that have a plan and meet its conditions."""
        columns = Columns.of(messages, template_fields, composed=self._composed)
        if columns is None:
            return _NO_ROWS
        plans = _Plans()
        chosen = [
            served
            for number, rows in _by_shape(columns)
            if len(served := self._planned(columns, number, rows, plans))
        ]
        if not chosen:
            return _NO_ROWS
        rows = np.concatenate(chosen)
        numbers = np.repeat(np.arange(len(chosen)), [len(served) for served in chosen])
        order = np.argsort(rows, kind="stable")
        rows, numbers = rows[order], numbers[order]
        texts, edges = plans.write(columns, rows, numbers)
        forged = self._control.are_in(texts)
        if forged.any():
            rows, numbers = rows[~forged], numbers[~forged]
            texts, edges = plans.write(columns, rows, numbers)
        return self._rendered(columns, plans, rows, numbers, texts, edges)

    def confirm(self, agreed: set[Shape], disagreed: set[Shape]) -> None:
        """Tell whether the samples of shapes are rendered alike; shapes of which one is not are given up."""
        self._checked |= agreed
        self._plans |= dict.fromkeys(disagreed)

    def _planned(self, columns: Columns, number: int, rows: Places, plans: _Plans) -> Places:
        """The rows of a shape that its plan serves."""
        shape = columns.shapes[number]
        plan = self._plan(shape, len(rows))
        if plan is None:
            return rows[:0]
        served = np.ones(len(rows), bool)
        for content in plan.untrimmed:
            served &= columns.is_trimmed[columns.first[rows] + content]
        for condition in plan.conditions:
            served[served] = ~_answers(condition, columns, rows[served])
        if served.any():
            plans.add(shape, plan)
        return rows[served]

    def _plan(self, shape: Shape, count: int) -> Plan | None:
        if shape not in self._plans:
            self._seen[shape] += count
            if self._seen[shape] < _WORTH_LEARNING:
                return None
            plan = learn(self._template, self._habits, shape)
            self._plans[shape] = plan if plan and self._is_composed(plan) else None
        return self._plans[shape]

    def _is_composed(self, plan: Plan) -> bool:
        """Whether the template's own words combine with nothing."""
        return not self._composed or not any(
            unusual_characters(composed=True)[ord(character)] and not "\ufdd0" <= character <= "\ufdef"
            for character in plan.literals.decode()
        )

    def _rendered(
        self, columns: Columns, plans: _Plans, rows: Places, numbers: Places, texts: pa.LargeStringArray, edges: Places
    ) -> RenderedRows:
        counts = np.bincount(numbers, minlength=len(plans.shapes)).tolist()
        samples = {
            int(row): shape
            for number, shape in enumerate(plans.shapes)
            if shape not in self._checked
            for row in rows[numbers == number][:_SAMPLES]
        }
        shapes = [(shape, count) for shape, count in zip(plans.shapes, counts, strict=True) if count]
        learnt, context = plans.learnt(numbers, edges), plans.context(numbers, edges)
        return RenderedRows(rows, texts, learnt, context, shapes, samples)


_NO_SPANS = Spans.of([], [])
_NO_ROWS = RenderedRows(
    np.empty(0, np.int64), pa.array([], pa.large_string()), _NO_SPANS, _NO_SPANS, [], {}
)


def _by_shape(columns: Columns) -> Iterator[tuple[int, Places]]:
    """The rows of each shape."""
    order = np.argsort(columns.shape, kind="stable")
    ends = np.searchsorted(columns.shape[order], np.arange(len(columns.shapes) + 1))
    for number in range(len(columns.shapes)):
        yield number, order[ends[number] : ends[number + 1]]


def _answers(condition: Condition, columns: Columns, rows: Places) -> Flags:
    messages = columns.first[rows] + condition.content
    literal = np.frombuffer(condition.literal.encode(), np.uint8)
    asked = _KERNELS[condition.question]
    return asked(columns.data, columns.starts[messages], columns.stops[messages], literal)


@dataclass
class _Plans:
    """The plans that a batch of conversations follows, as arrays."""

    shapes: list[Shape] = field(default_factory=list)
    _plans: list[Plan] = field(default_factory=list)

    def add(self, shape: Shape, plan: Plan) -> None:
        self.shapes.append(shape)
        self._plans.append(plan)

    @cached_property
    def _piece_offsets(self) -> Places:
        return np.cumsum([0, *(len(plan.pieces) for plan in self._plans)])

    @cached_property
    def _contents(self) -> Places:
        return np.array([piece.content for plan in self._plans for piece in plan.pieces], np.int64)

    @cached_property
    def _literals(self) -> Places:
        return np.cumsum([0, *(len(piece.literal) for plan in self._plans for piece in plan.pieces)])

    def write(self, columns: Columns, rows: Places, numbers: Places) -> tuple[pa.LargeStringArray, Places]:
        """The renderings, and the edges of each of their pieces."""
        firsts = columns.first[rows]
        lengths = columns.stops - columns.starts
        size = kernels.sizes(numbers, firsts, lengths, self._piece_offsets, self._contents, self._literals)
        offsets = np.concatenate([[0], np.cumsum(size)])
        out = np.empty(offsets[-1], np.uint8)
        edges = np.empty((int(np.diff(self._piece_offsets)[numbers].sum()), 2), np.int64)
        kernels.write(
            numbers,
            firsts,
            columns.data,
            columns.starts,
            columns.stops,
            self._piece_offsets,
            self._contents,
            self._literals,
            np.frombuffer(b"".join(plan.literals for plan in self._plans), np.uint8),
            out,
            offsets,
            edges,
        )
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(out)]
        return pa.Array.from_buffers(pa.large_string(), len(rows), buffers), edges

    def learnt(self, numbers: Places, edges: Places) -> Spans:
        """Where the assistant speaks."""
        return self._spans([plan.learnt for plan in self._plans], numbers, edges)

    def context(self, numbers: Places, edges: Places) -> Spans:
        """What may be left out from its beginning."""
        return self._spans([plan.context for plan in self._plans], numbers, edges)

    def _spans(self, spans: list[tuple[Span, ...]], numbers: Places, edges: Places) -> Spans:
        """Spans of pieces as spans of bytes."""
        first, stop = np.array([edge for each in spans for edge in each], np.int64).reshape(-1, 2).T
        counts = np.array([len(each) for each in spans])
        span = _expanded((np.cumsum(counts) - counts)[numbers], counts[numbers])
        pieces = np.diff(self._piece_offsets)[numbers]
        piece = np.repeat(np.cumsum(pieces) - pieces, counts[numbers])
        offsets = np.concatenate([[0], np.cumsum(counts[numbers])])
        return Spans(offsets, edges[piece + first[span], 0], edges[piece + stop[span] - 1, 1])


def _expanded(starts: Places, lengths: Places) -> Places:
    """The numbers from each start on."""
    ends = np.cumsum(lengths)
    return np.arange(int(lengths.sum())) + np.repeat(starts - (ends - lengths), lengths)


@dataclass(frozen=True)
class _Parts:
    """Texts to be looked for, sorted, in one buffer."""

    data: Bytes
    offsets: Places
    with_first: Places

    @classmethod
    def of(cls, parts: Iterable[str]) -> _Parts:
        encoded = sorted(part.encode() for part in parts)
        firsts = [part[0] for part in encoded]
        return cls(
            np.frombuffer(b"".join(encoded), np.uint8),
            np.cumsum([0, *map(len, encoded)]),
            np.searchsorted(firsts, np.arange(257)),
        )

    def are_in(self, texts: pa.LargeStringArray) -> Flags:
        """Whether each text contains one of them."""
        _, offsets, data = texts.buffers()
        held = np.frombuffer(data, np.uint8), np.frombuffer(offsets, np.int64)
        return kernels.contain_any(*held, self.data, self.offsets, self.with_first)
