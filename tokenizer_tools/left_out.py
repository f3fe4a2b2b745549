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
        """The fields that do not change the rendering `text`."""
        names = conversation.fields()
        shape = _shape(conversation) if names else None
        for name in names:
            if (name, shape) not in self._known:
                without = attempt(self._template, conversation.without(name))
                self._known[name, shape] = without == text
            if self._known[name, shape]:
                yield name


def _shape(conversation: Conversation) -> Any:
    """Who speaks with which fields, before and after the last question, and who last: templates ask this."""
    messages = conversation.messages
    asked = [number for number, message in enumerate(messages) if message["role"] == "user"]
    last = asked[-1] if asked else -1
    kinds = {
        (message["role"], number > last, *(key for key, value in message.items() if value))
        for number, message in enumerate(messages)
    }
    return frozenset(kinds), messages[-1]["role"], bool(conversation.tools), bool(conversation.documents)
