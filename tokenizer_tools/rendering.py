"""One conversation's rendering: where in it the assistant speaks, and what of it may be left out."""

from dataclasses import dataclass

from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.context import removable_context
from tokenizer_tools.conversation import Conversation
from tokenizer_tools.span_masks import Span
from tokenizer_tools.template_habits import TemplateHabits
from tokenizer_tools.turns import TurnFinder

NOTHING = "The rendering holds nothing that the assistant wrote."


@dataclass(frozen=True)
class Rendering:
    """A rendering; spans are of its characters."""

    text: str
    learnt: list[Span]
    context: list[Span]
    """The text of which the beginning may be left out."""
    left_out: tuple[str, ...] = ()
    """The conversation's fields that it does not show."""


def place(
    template: ChatTemplate, habits: TemplateHabits, conversation: Conversation, marked: tuple[str, list[Span]], learnt: list[int]
) -> tuple[list[Span], list[Span]]:
    """The spans of the messages that are learnt, and those of the removable context.

    Args:
        template: The conversation's template.
        habits: Those of the template.
        conversation: In the form that the template takes.
        marked: Its rendering with the spans between marks.
        learnt: The numbers of the messages.

    Raises:
        ValueError: A message cannot be found, or none says anything.
    """
    text, _ = marked
    spans = _learnt_spans(TurnFinder(template, habits), conversation, *marked, learnt)
    if all(start == stop for start, stop in spans):
        raise ValueError(NOTHING)
    learnt_from = min(start for start, stop in spans if start < stop)
    return spans, removable_context(template, conversation, text, learnt_from)


def _learnt_spans(
    turns: TurnFinder, conversation: Conversation, text: str, marked: list[Span], learnt: list[int]
) -> list[Span]:
    """The marked spans of learnt turns, found by rendering where marks do not tell."""
    assistant = conversation.assistant
    if marked and learnt == assistant:
        return marked
    if len(marked) == len(assistant):
        return [span for number, span in zip(assistant, marked, strict=True) if number in learnt]
    return turns.find(conversation, text, learnt)
