"""Chat templates: rendered in a sandbox as transformers does, with what the assistant generates marked."""

import json
import re
from itertools import accumulate
from typing import Any

from tokenizer_tools.conversation import Conversation
from tokenizer_tools.load import TokenizerError
from tokenizer_tools.span_masks import Span

# Unicode keeps U+FDD0 to U+FDEF for a program's own use; no conversation holds them.
_GENERATED, _END_GENERATED = "\ufdd2", "\ufdd3"


class ChatTemplate:
    """A compiled chat template, rendered in the sandbox and with the helpers that transformers gives it.

    `strftime_now` is left out: a rendering that depends on today's date would not be the same tomorrow.
    Templates that ask whether it exists fall back to a fixed date.
    """

    def __init__(self, text: str, variables: dict[str, str]) -> None:
        import jinja2

        environment = self._kind_of_environment()(
            trim_blocks=True, lstrip_blocks=True, extensions=[_generation_tag(), "jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        self._prepare(environment)
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise TokenizerError(
                f"The chat template is not valid: line {error.lineno}: {error.message}."
            ) from error
        except RecursionError as error:
            raise TokenizerError("The chat template is not valid: it is nested too deeply.") from error
        self._variables = variables

    def _kind_of_environment(self) -> Any:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        return ImmutableSandboxedEnvironment

    def _prepare(self, environment: Any) -> None:
        """Change the environment before the template is compiled in it."""

    def marked(self, conversation: Conversation, *, prompt: bool = False) -> tuple[str, list[Span]]:
        """The rendering, and the spans between marks of generation.

        Args:
            conversation: What to render.
            prompt: Whether the beginning of an answer follows (`add_generation_prompt`).

        Raises:
            ValueError: The template refuses the conversation.
        """
        values = {
            **self._variables,
            **conversation.variables,
            "messages": conversation.messages,
            "tools": conversation.tools,
            "documents": conversation.documents,
            "add_generation_prompt": prompt,
        }
        try:
            return _without_marks(self._rendered(values))
        except Exception as error:  # a template may raise anything on messages it was not written for
            raise ValueError(f"The chat template refuses the conversation: {error}.") from error

    def _rendered(self, values: dict[str, Any]) -> str:
        return self._template.render(values)

    def render(self, conversation: Conversation, *, prompt: bool = False) -> str:
        """The rendering alone."""
        return self.marked(conversation, prompt=prompt)[0]


def _generation_tag() -> type[Any]:
    """The `{% generation %}` block: its text, between marks."""
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

        def _marked(self, caller: Any) -> str:
            return f"{_GENERATED}{caller()}{_END_GENERATED}"

    return Generation


def _without_marks(marked: str) -> tuple[str, list[Span]]:
    """The text without the marks of generation, and the spans they enclosed."""
    if _GENERATED not in marked:
        return marked, []
    pieces = re.split(f"[{_GENERATED}{_END_GENERATED}]", marked)
    ends = list(accumulate(map(len, pieces)))
    return "".join(pieces), list(zip(ends[0::2], ends[1::2], strict=False))


def _to_json(value: Any, ensure_ascii: bool = False, **layout: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **layout)


def _raise_exception(message: str) -> None:
    raise ValueError(message)
