"""Finding the assistant's turns in the rendering of a template that does not mark them."""

import re
from dataclasses import dataclass, replace
from functools import reduce

from tokenizer_tools.chat_shapes.symbolic import SymbolicText
from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.conversation import Conversation, map_call_names
from tokenizer_tools.span_masks import Span
from tokenizer_tools.template_habits import (
    CLOSE,
    CONTROL_TOKEN,
    PLACEHOLDER,
    TemplateHabits,
    attempt,
    common_length,
    common_start,
)

_ANSWER_KEYS = ("tool_calls", "reasoning_content", "thinking", "reasoning")
_END_OF_TURN = re.compile(rf"\s*{CONTROL_TOKEN.pattern}")
_LAST_BOUNDARY = re.compile(rf".*[\s{CLOSE}]", re.DOTALL)


@dataclass(frozen=True)
class TurnFinder:
    """Finds turns by rendering parts and variants of a conversation. What it cannot be sure of, it refuses.

    A turn is what the rendering up to and with it has beyond the rendering of what comes before it with the
    beginning of an answer. A template may write earlier turns otherwise once there are later ones. Then a
    placeholder in the turn shows the place at which it stands in the whole.
    """

    template: ChatTemplate
    habits: TemplateHabits

    def find(self, conversation: Conversation, text: str, turns: list[int]) -> list[Span]:
        """The spans of messages in the rendering `text`, from the first word to the end-of-turn token.

        Raises:
            ValueError: One cannot be found without doubt.
        """
        spans = [self._span(conversation, text, turn) for turn in turns]
        for (_, stop), (start, _), turn in zip(spans, spans[1:], turns[1:], strict=False):
            if start < stop:
                raise _lost(turn)
        return spans

    def _span(self, conversation: Conversation, text: str, turn: int) -> Span:
        through, span = self._by_itself(conversation, text, turn)
        if span and text.startswith(through[: span[1]]):
            return span
        moved = self._moved(conversation, text, turn, through[slice(*span)]) if span else None
        if found := moved or self._replaced(conversation, text, turn):
            return found
        raise _lost(turn)

    def _by_itself(self, conversation: Conversation, text: str, turn: int) -> tuple[str, Span | None]:
        """The rendering up to the turn, and the turn in it."""
        before = self._before(conversation.first(turn))
        is_last = turn + 1 == len(conversation.messages)
        through = text if is_last else attempt(self.template, conversation.first(turn + 1))
        if before is None or through is None:
            return "", None
        through = through.removesuffix(self.habits.tail)
        start = self._start(before, through)
        return through, None if start is None else (start, max(start, len(through.rstrip())))

    def _before(self, conversation: Conversation) -> str | None:
        """The rendering up to where an answer begins."""
        if self.habits.prompt and conversation.messages:
            return attempt(self.template, conversation, prompt=True)
        answered = (
            attempt(self.template, replace(conversation, messages=[*conversation.messages, message]))
            for message in self.habits.answers
        )
        taken = [rendering for rendering in answered if rendering is not None]
        return reduce(lambda one, other: one[: common_start(one, other)], taken) if taken else None

    def _start(self, before: str, through: str) -> int | None:
        """Where the answer starts after its header."""
        if through.startswith(before):
            return len(before)
        if not self.habits.prompt or not before.endswith(self.habits.prompt):
            return None
        # The prompt begins the answer with something (`<think>`) that the template does not write here.
        header_start = len(before) - len(self.habits.prompt)
        stop = common_start(before, through)
        agreed = _LAST_BOUNDARY.match(through, 0, stop)
        if isinstance(through, SymbolicText):
            through[agreed.end() if agreed else 0 : stop].require_literal()
        return agreed.end() if agreed and agreed.end() > header_start else None

    def _moved(self, conversation: Conversation, text: str, turn: int, own: str) -> Span | None:
        """The turn's own rendering, where it covers the place at which placeholders for its words show."""
        message = map_call_names(conversation.messages[turn], lambda _: PLACEHOLDER)
        if message["content"] is not None:
            message = message | {"content": PLACEHOLDER}
        other = attempt(self.template, conversation.with_message(turn, message))
        if other is None or PLACEHOLDER not in other:
            return None
        first = common_start(text, other)
        last = len(text) - common_length(text[::-1], other[::-1])
        first, last = min(first, last), max(first, last)
        places = _places_around(text, own, first, last)
        return (places[0], places[0] + len(own)) if len(places) == 1 else None

    def _replaced(self, conversation: Conversation, text: str, turn: int) -> Span | None:
        """What stands where a placeholder for all that the turn says would stand, and the end of the turn."""
        message = {k: v for k, v in conversation.messages[turn].items() if k not in _ANSWER_KEYS}
        other = attempt(self.template, conversation.with_message(turn, message | {"content": PLACEHOLDER}))
        if other is None or other.count(PLACEHOLDER) != 1:
            return None
        before, _, after = other.partition(PLACEHOLDER)
        end = len(text) - len(after)
        if not (text.startswith(before) and text.endswith(after) and len(before) <= end):
            return None
        end_of_turn = _END_OF_TURN.match(after)
        return len(before), end + (end_of_turn.end() if end_of_turn else 0)


def _places_around(text: str, part: str, first: int, last: int) -> list[int]:
    """The first places, at most two, where `part` stands in the text and covers all from `first` to `last`."""
    if isinstance(text, SymbolicText):
        return text.places_around(part, first, last)
    place = text.find(part, max(0, last - len(part)), first + len(part))
    if place < 0:
        return []
    following = text.find(part, place + 1, first + len(part))
    return [place] if following < 0 else [place, following]


def _lost(turn: int) -> ValueError:
    return ValueError(
        "The chat template does not mark what the assistant generates, and it changes or omits "
        f"message {turn}, which therefore cannot be found in the rendering without doubt. "
        "Mark it with {% generation %} and {% endgeneration %} in a template of your own "
        "(`tokenizer.chat_template` in the recipe)."
    )
