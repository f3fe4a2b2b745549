"""What a chat template does with conversations in general, found once by rendering small ones."""

import json
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.conversation import Conversation, Message, map_arguments

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Around the id that stands for a control token in a template and its renderings."""
PLACEHOLDER = "\ufdd4"
"""In the place of what one message says."""
CONTROL_TOKEN = re.compile(f"{OPEN}\\d+{CLOSE}")

_CUT_CONTROL_TOKEN = re.compile(f"{OPEN}\\d*$")
_TOOL = {"type": "function", "function": {"name": "probe", "description": "Probes.", "parameters": {}}}
_QUESTION = {"role": "user", "content": "Question"}
_AS_OBJECT = {"key": "value"}
_AS_STRING = '{"key": "value"}'


def answer(content: str) -> Conversation:
    """A question and its answer in words."""
    return Conversation([_QUESTION, {"role": "assistant", "content": content}])


def call(arguments: Any, content: str | None = "") -> Conversation:
    """A question and its answer by a tool call."""
    function = {"name": "probe", "arguments": arguments}
    calls = [{"id": "a1b2c3d4e", "type": "function", "function": function}]
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    return Conversation([_QUESTION, message], tools=[_TOOL])


@dataclass(frozen=True)
class TemplateHabits:
    """How a template wants a tool call's arguments and no content, and what it writes around turns."""

    arguments: Callable[[Any], Any] | None
    """What to make of arguments where the template takes them in one form only, object or string."""
    takes_null: bool
    """Whether content may be null; where not, it is empty."""
    prompt: str
    """What `add_generation_prompt` puts after a question."""
    tail: str
    """What stands after a question without it."""
    answers: tuple[Message, ...]
    """Answers of several kinds that it takes. What they begin with in common is no answer."""

    @classmethod
    def of(cls, template: ChatTemplate) -> "TemplateHabits":
        """Find them by rendering."""
        arguments = _arguments_form(template)
        plain = attempt(template, answer("Answer").first(1)) or ""
        prompted = attempt(template, answer("Answer").first(1), prompt=True) or plain
        shared = common_start(plain, prompted)
        probes = (answer("Answer"), answer("Reply"), _probe_call(arguments))
        return cls(
            arguments,
            _takes_null(template, arguments),
            prompted[shared:],
            plain[shared:],
            tuple(probe.messages[1] for probe in probes if attempt(template, probe) is not None),
        )

    def fitted(self, conversation: Conversation) -> Conversation:
        """The conversation in the form that the template takes."""
        fitted = conversation.with_messages(self._fitted)
        if self.arguments and any("tool_calls" in message for message in fitted.messages):
            fitted.check()  # JSON may have spelled out what no text may hold
        return fitted

    def _fitted(self, message: Message) -> Message:
        if self.arguments and message.get("tool_calls"):
            message = map_arguments(message, self.arguments)
        if message["content"] is None and not self.takes_null:
            message = message | {"content": ""}
        return message


def attempt(template: ChatTemplate, conversation: Conversation, *, prompt: bool = False) -> str | None:
    """The rendering, None where the template refuses the conversation."""
    try:
        return template.render(conversation, prompt=prompt)
    except ValueError:
        return None


def common_start(one: str, other: str) -> int:
    """How many characters two renderings begin with in common, no control token cut."""
    return len(_CUT_CONTROL_TOKEN.sub("", one[: common_length(one, other)]))


def common_length(one: str, other: str) -> int:
    """How many characters two strings begin with in common."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, True, key=lambda length: one[:length] != other[:length])


def _arguments_form(template: ChatTemplate) -> Callable[[Any], Any] | None:
    as_object, as_string = attempt(template, call(_AS_OBJECT)), attempt(template, call(_AS_STRING))
    takes_object = as_object is not None and "value" in as_object and "'key'" not in as_object
    takes_string = as_string is not None and _AS_STRING in as_string
    if takes_object == takes_string:
        return None
    return _to_object if takes_object else _to_string


def _to_object(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except ValueError as error:
        raise ValueError(f"The arguments of a tool call are not valid JSON: {error}.") from error


def _to_string(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _probe_call(arguments: Callable[[Any], Any] | None, content: str | None = "") -> Conversation:
    return call(_AS_OBJECT if arguments is None else arguments(_AS_OBJECT), content)


def _takes_null(template: ChatTemplate, arguments: Callable[[Any], Any] | None) -> bool:
    null, empty = (attempt(template, _probe_call(arguments, content)) for content in (None, ""))
    return null is not None and (empty is None or null.count("None") <= empty.count("None"))
