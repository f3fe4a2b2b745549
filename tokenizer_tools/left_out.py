"""Which fields of a conversation its chat template does not use."""

from collections.abc import Iterator
from typing import Any

from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.conversation import Conversation
from tokenizer_tools.template_habits import attempt


class LeftOut:
    """Renders without a field and compares; conversations of one shape are compared once."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template
        self._known: dict[tuple[str, Any], bool] = {}

    def of(self, conversation: Conversation, text: str) -> Iterator[str]:
        """The fields that the rendering `text` leaves out, or those of some messages."""
        names = conversation.fields()
        shape = _shape(conversation) if names else None
        for name in names:
            if (name, shape) not in self._known:
                self._known[name, shape] = self._is_left_out(conversation, name, text)
            if self._known[name, shape]:
                yield name

    def _is_left_out(self, conversation: Conversation, name: str, text: str) -> bool:
        """Whether the field changes nothing, before the last question or from there on."""
        question = _last_question(conversation)
        count = len(conversation.messages)
        for numbers in (range(count), range(question), range(question, count)):
            without = conversation.without(name, numbers)
            if without != conversation and attempt(self._template, without) == text:
                return True
        return False


def _shape(conversation: Conversation) -> Any:
    """Who speaks with which fields, before and after the last question, and who last: templates ask this."""
    messages = conversation.messages
    last = _last_question(conversation)
    kinds = {
        (message["role"], number > last, *(key for key, value in message.items() if value))
        for number, message in enumerate(messages)
    }
    return frozenset(kinds), messages[-1]["role"], bool(conversation.tools), bool(conversation.documents)


def _last_question(conversation: Conversation) -> int:
    """The number of the user's last message, 0 where there is none."""
    asked = [number for number, message in enumerate(conversation.messages) if message["role"] == "user"]
    return asked[-1] if asked else 0
