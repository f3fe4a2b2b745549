"""What is learnt of a shape by rendering it once: how to write any conversation of it."""

from __future__ import annotations

from dataclasses import dataclass

from tokenizer_tools.chat_shapes.symbolic import (
    Condition,
    Trace,
    Undecided,
    content_of,
    contents_in,
    number_of,
)
from tokenizer_tools.chat_shapes.traced_template import TracedTemplate
from tokenizer_tools.conversation import Conversation
from tokenizer_tools.rendering import place
from tokenizer_tools.span_masks import Span
from tokenizer_tools.template_habits import TemplateHabits

Shape = tuple[tuple[str, bool], ...]
"""The role of each message and whether it says anything. None has other fields."""

LITERAL = -1


@dataclass(frozen=True)
class Piece:
    """Something that is written in one go."""

    content: int
    """The number of a message's content, or `LITERAL`."""
    literal: bytes


@dataclass(frozen=True)
class Plan:
    """How conversations of one shape are written."""

    pieces: tuple[Piece, ...]
    learnt: tuple[Span, ...]
    """Spans of pieces, none empty, in which the assistant speaks."""
    context: tuple[Span, ...]
    """Spans of pieces of which the beginning may be left out."""
    conditions: tuple[Condition, ...]
    """What must hold of the contents of a conversation that is written so."""
    untrimmed: frozenset[int]
    """The contents that must have no white space at their edges. The others are written without it."""

    @property
    def literals(self) -> bytes:
        """All literal text."""
        return b"".join(piece.literal for piece in self.pieces)


def conversation_of(shape: Shape) -> Conversation:
    """A conversation of the shape, with symbolic contents."""
    return Conversation(
        [
            {"role": role, "content": content_of(number) if speaks else ""}
            for number, (role, speaks) in enumerate(shape)
        ]
    )


def learn(template: TracedTemplate, habits: TemplateHabits, shape: Shape) -> Plan | None:
    """The plan; None where there is none for all conversations of the shape, or the template refuses them."""
    conversation = conversation_of(shape)
    if not conversation.learnt:
        return None
    template.trace = trace = Trace()
    try:
        marked = template.marked(conversation)
        learnt, context = place(template, habits, conversation, marked, conversation.learnt)
    except (ValueError, Undecided):
        return None
    if trace.refused:
        return None
    conditions, untrimmed = tuple(sorted(trace.conditions)), frozenset(trace.untrimmed)
    return _plan(str.__str__(marked[0]), learnt, context, conditions, untrimmed)


def _plan(
    text: str, learnt: list[Span], context: list[Span], conditions: tuple[Condition, ...], untrimmed: frozenset[int]
) -> Plan:
    """The rendering cut at its contents and at the edges of its spans."""
    edges = {edge for span in [*learnt, *context] for edge in span}
    contents = {at for at, character in enumerate(text) if number_of(character) is not None}
    cuts = sorted({0, len(text)} | edges | contents | {at + 1 for at in contents})
    pieces = tuple(
        Piece(
            next(contents_in(text[start:stop]), LITERAL),
            b"" if start in contents else text[start:stop].encode(),
        )
        for start, stop in zip(cuts, cuts[1:], strict=False)
    )
    number = {cut: number for number, cut in enumerate(cuts)}
    of_pieces = (
        tuple((number[start], number[stop]) for start, stop in spans if start < stop)
        for spans in (learnt, context)
    )
    return Plan(pieces, *of_pieces, conditions, untrimmed)
