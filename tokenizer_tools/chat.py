"""Encoding conversations with a chat template: the assistant's words marked, look-alikes kept as text."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from unicodedata import is_normalized, normalize

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.backends import Ids, Offsets, Reference
from tokenizer_tools.encode import control_tokens, encoding_definition
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS, choose_backend, look_alikes
from tokenizer_tools.span_masks import (
    ByteSpanEncoder,
    MaskedIds,
    ReferenceSpanEncoder,
    Span,
    SpanEncoder,
    normal_form,
    token_bytes,
)

CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
CHATML_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}{{- message['content'] + '<|im_end|>' }}{%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- message['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
"""ChatML, with the assistant's words and its end of turn marked as generated."""

VERSION = 2
"""Part of the fingerprint; raised when the same conversation gets other ids or another mask."""

LIBRARIES = ("jinja2",)
"""Those whose versions decide what a template says, too."""

# Unicode keeps U+FDD0 to U+FDEF for a program's own use and out of interchanged text.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # around the id that stands for a control token
_GENERATED, _END_GENERATED = "\ufdd2", "\ufdd3"  # around what the assistant generates
_PLACEHOLDER = "\ufdd4"  # in the place of one assistant message
_RESERVED = re.compile("[\ufdd0-\ufdef]")
_SYSTEM_ROLES = frozenset({"system", "developer"})
_CONTROL_TOKEN = re.compile(rf"\s*{_OPEN}\d+{_CLOSE}")

Messages = list[dict[str, str]]
"""A conversation: role and content of each message."""

_NAME_ONE = "Name a Jinja file with a template in the recipe: `tokenizer: {chat_template: FILE}`."
_UNALIGNED = "The rendering is empty, or the tokenizer does not keep all of its bytes."


@dataclass(frozen=True)
class EncodedChat:
    """Ids of many conversations: conversation i is ids[offsets[i]:offsets[i + 1]]."""

    ids: Ids
    offsets: Offsets
    assistant_mask: npt.NDArray[np.uint8]
    """One per id: 1 where the model learns to write the token."""
    resume: npt.NDArray[np.bool_]
    """One per id: whether a shortened conversation may go on with it. What goes is from the first such id to
    another: the conversation begins as before, up to the text of its first turn after the system prompt, and
    nothing that is learnt is missing. A conversation without any cannot be shortened."""
    failures: dict[int, str]
    """Row to reason. Such a row has no ids."""


class ChatEncoder:
    """Renders conversations with a chat template and encodes them, with a mask of the assistant's tokens.

    **Hostile contents.** The template's control tokens become control tokens; the same characters inside a
    message are ordinary text. For this the template and the tokenizer are given other names for the control
    tokens, made of Unicode noncharacters, which no message may contain. So the template's tokens and a
    message's look-alikes differ before anything is encoded. Where no message holds a look-alike the ids are
    those of the plain rendering.

    **Mask.** A template with `{% generation %}` marks says itself what the assistant generates. Without them
    each assistant message is found by rendering once more with a placeholder in its place: where both
    renderings begin and end alike, what lies between is the message. The control token right after it, which
    ends the turn, is learnt too. Where this does not hold, because the template rewrites earlier turns, the
    conversation fails with a reason instead of being marked wrongly.

    **End.** A conversation ends with the end token like any document; one whose rendering already ends with
    it gets no second one. It is learnt only if it comes directly after the assistant's text.
    """

    def __init__(self, files: TokenizerFiles, template: str) -> None:
        control = control_tokens(files)
        self._control = re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True))))
        self._names = {token: f"{_OPEN}{number}{_CLOSE}" for token, number in control.items()}
        roles = {
            "bos_token": files.begin_token,
            "eos_token": files.end_token,
            "pad_token": files.pad_token,
        }
        variables = {name: token for name, token in roles.items() if token is not None}
        self._plain = _Template(template, variables)
        self._renamed = _Template(
            self._rename(template), {name: self._rename(token) for name, token in variables.items()}
        )
        self._span_encoder, self.refusal = _span_encoder(
            _renamed_definition(files, self._names), self._names.values()
        )
        """`refusal` says why the slower backend is used, None where the fast one is."""
        self.backend = self._span_encoder.backend.name
        self._normal_form = normal_form(files.definition)
        self.end_id = files.token_id(files.end_token)
        self.max_id = max(files.vocabulary.values())
        identity = json.dumps([VERSION, files.hash, template, variables])
        self.fingerprint = hashlib.sha256(identity.encode()).hexdigest()
        """Changes when the same conversation could get other ids or another mask."""

    @classmethod
    def build(cls, files: TokenizerFiles, template: str | None = None) -> "ChatEncoder":
        """Make the encoder with `template`, else with the tokenizer's own chat template.

        Raises:
            TokenizerError: There is no template, or it cannot render a question and its answer.
        """
        template = template or files.chat_template
        if template is None:
            raise TokenizerError(
                f"{files.source} has no chat template, so conversations cannot be encoded. " + _NAME_ONE
            )
        encoder = cls(files, template)
        probe = [{"role": "user", "content": "Question"}, {"role": "assistant", "content": "Answer"}]
        try:
            encoder._spans(probe)
        except ValueError as error:
            raise TokenizerError(
                f"The chat template of {files.source} cannot be used: {error} {_NAME_ONE}"
            ) from error
        return encoder

    def render(self, messages: Messages) -> str:
        """The plain rendering of one conversation; ValueError says why it cannot be rendered."""
        _check(messages)
        return _without_marks(self._plain.render(messages))[0]

    def encode(self, messages: pa.ListArray) -> EncodedChat:
        """Encode conversations: lists of structs of role and content."""
        rows, texts, spans, contexts, failures = [], [], [], [], {}
        for row, conversation in enumerate(messages.to_pylist()):
            try:
                text, found, context = self._spans(conversation or [])
            except ValueError as error:
                failures[row] = str(error)
                continue
            rows.append(row)
            texts.append(text)
            spans.append(found)
            contexts.append(context)
        masked = self._span_encoder.encode(texts, spans, contexts)
        empty = np.diff(masked.offsets) == 0
        failures |= {rows[number]: _UNALIGNED for number in np.flatnonzero(empty)}
        ended = self._ended(masked)
        lengths = np.zeros(len(messages), np.int64)
        lengths[rows] = np.diff(ended.offsets)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return EncodedChat(ended.ids, offsets, ended.mask, ended.begins, dict(sorted(failures.items())))

    def _spans(self, messages: Messages) -> tuple[str, list[Span], list[Span]]:
        """The rendering with renamed control tokens, where in it the assistant speaks, and its `_context`."""
        _check(messages)
        if not any(message["role"] == "assistant" for message in messages):
            raise ValueError(
                "The conversation has no assistant message, so there is nothing to learn from it."
            )
        if self._normal_form == "NFC":
            messages = [message | {"content": normalize("NFC", message["content"])} for message in messages]
        text, marked = _without_marks(self._renamed.render(messages))
        if self._normal_form == "NFC" and not is_normalized("NFC", text):
            raise ValueError("A message begins with a mark that changes the character before it.")
        forged = self._control.search(text)
        if forged and not any(forged.group() in part for message in messages for part in message.values()):
            raise ValueError(
                f"The chat template builds the control token {forged.group()!r} from pieces. "
                "It must write control tokens out, so that they can be told from the words of a message."
            )
        spans = marked or self._spans_by_difference(messages, text)
        if all(start == stop for start, stop in spans):
            raise ValueError("The rendering holds nothing that the assistant wrote.")
        learnt = min(start for start, stop in spans if start < stop)
        return text, spans, self._context(messages, text, learnt)

    def _context(self, messages: Messages, text: str, learnt: int) -> list[Span]:
        """The text before character `learnt` of which the beginning may be left out.

        That is the text of the first turn after the system prompt, if it is found without doubt, and of
        later turns of its role, where the rendering without the turns between says the same.
        """
        first = next(n for n, message in enumerate(messages) if message["role"] not in _SYSTEM_ROLES)
        other = [*messages[:first], messages[first] | {"content": _PLACEHOLDER}, *messages[first + 1 :]]
        before, found, after = self._rendered_if_possible(other).partition(_PLACEHOLDER)
        start, stop = len(before), len(text) - len(after)
        alike = text.startswith(before) and text.endswith(after) and start <= stop <= learnt
        if not found or _PLACEHOLDER in after or not alike:
            return []
        spans = [(start, start + len(text[start:stop].rstrip()))]  # white space alone is not worth keeping
        for number, message in enumerate(messages[first + 1 :], first + 1):
            if message["role"] in _SYSTEM_ROLES:
                break
            if message["role"] != messages[first]["role"]:
                continue
            content = message["content"].strip()
            if content not in text[spans[-1][1] : learnt]:
                break
            shorter = self._rendered_if_possible([*messages[:first], *messages[number:]])
            again = len(text) - (len(shorter) - start)
            end = again + len(content)
            if shorter != text[:start] + text[again:] or not text.startswith(content, again) or end > learnt:
                break
            spans.append((again, end))
        return spans

    def _rendered_if_possible(self, messages: Messages) -> str:
        """The rendering with renamed control tokens; nothing where the template refuses."""
        try:
            return _without_marks(self._renamed.render(messages))[0]
        except ValueError:
            return ""

    def _spans_by_difference(self, messages: Messages, text: str) -> list[Span]:
        spans = []
        for number, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            other = [*messages[:number], message | {"content": _PLACEHOLDER}, *messages[number + 1 :]]
            before, found, after = self._renamed.render(other).partition(_PLACEHOLDER)
            end = len(text) - len(after)
            alike = text.startswith(before) and text.endswith(after) and len(before) <= end
            if not found or _PLACEHOLDER in after or not alike:
                raise ValueError(
                    "The chat template does not mark what the assistant generates, and it changes or omits "
                    f"message {number}, which therefore cannot be found in the rendering without doubt. "
                    "Mark it with {% generation %} and {% endgeneration %} in a template of your own "
                    "(`tokenizer.chat_template` in the recipe)."
                )
            end_of_turn = _CONTROL_TOKEN.match(after)
            spans.append((len(before), end + (end_of_turn.end() if end_of_turn else 0)))
        return spans

    def _ended(self, masked: MaskedIds) -> MaskedIds:
        """Each text that has ids ended by the end token, which is learnt if the token before it is."""
        starts, stops = masked.offsets[:-1], masked.offsets[1:]
        last = stops[stops > starts] - 1
        open_ends = last[masked.ids[last] != self.end_id]
        added = np.isin(stops - 1, open_ends) & (stops > starts)
        return MaskedIds(
            np.insert(masked.ids, open_ends + 1, self.end_id),
            masked.offsets + np.concatenate([[0], np.cumsum(added)]),
            np.insert(masked.mask, open_ends + 1, masked.mask[open_ends]),
            np.insert(masked.begins, open_ends + 1, False),
        )

    def _rename(self, text: str) -> str:
        return self._control.sub(lambda found: self._names[found.group()], text)


class _Template:
    """A compiled chat template, rendered in the sandbox and with the helpers that transformers gives it.

    `strftime_now` is left out: a rendering that depends on today's date would not be the same tomorrow.
    Templates that ask whether it exists fall back to a fixed date.
    """

    def __init__(self, text: str, variables: dict[str, str]) -> None:
        import jinja2
        import jinja2.sandbox

        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_generation_tag(), "jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise TokenizerError(
                f"The chat template is not valid: line {error.lineno}: {error.message}."
            ) from error
        except RecursionError as error:
            raise TokenizerError("The chat template is not valid: it is nested too deeply.") from error
        self._variables = variables

    def render(self, messages: Messages) -> str:
        try:
            return self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=False, **self._variables
            )
        except Exception as error:  # a template may raise anything on messages it was not written for
            raise ValueError(f"The chat template refuses the conversation: {error}.") from error


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
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    return "".join(pieces), list(zip(ends[0::2], ends[1::2], strict=False))


def _check(messages: Messages) -> None:
    for number, message in enumerate(messages):
        if message is None or message["role"] is None or message["content"] is None:
            raise ValueError(f"Message {number} has no role or no content.")
        if found := _RESERVED.search(message["role"] + message["content"]):
            raise ValueError(
                f"Message {number} holds the noncharacter U+{ord(found.group()):04X}, which Unicode reserves "
                "for programs and excludes from text."
            )


def _renamed_definition(files: TokenizerFiles, names: dict[str, str]) -> dict[str, Any]:
    """tokenizer.json with the control tokens under their other names."""
    definition = encoding_definition(files)
    model = definition["model"]
    definition["added_tokens"] = [
        added | {"content": names.get(added["content"], added["content"])}
        for added in definition["added_tokens"]
    ]
    if isinstance(model["vocab"], dict):
        vocab = {names.get(token, token): number for token, number in model["vocab"].items()}
        definition["model"] = model | {"vocab": vocab}
    return definition


def _span_encoder(definition: dict[str, Any], controls: Iterable[str]) -> tuple[SpanEncoder, str | None]:
    """The encoder for a tokenizer, and why it is the slower one if it is."""
    tokenizer_json, lengths = json.dumps(definition), token_bytes(definition)
    if lengths is None:
        reason = "spans are masked without the tokenizers library only for byte-level tokenizers"
        return ReferenceSpanEncoder(Reference(tokenizer_json, control_tokens=True)), reason
    texts = [*HOSTILE_TEXTS, *look_alikes(controls)]
    backend, refusal = choose_backend(tokenizer_json, texts, control_tokens=True)
    return ByteSpanEncoder(backend, lengths), refusal


def _to_json(value: Any, ensure_ascii: bool = False, **layout: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **layout)


def _raise_exception(message: str) -> None:
    raise ValueError(message)
