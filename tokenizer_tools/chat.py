"""Encoding conversations with a chat template: the assistant's words marked, look-alikes kept as text."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unicodedata import is_normalized, normalize

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.backends import Ids, Offsets, Reference
from tokenizer_tools.chat_shapes.learnt import conversation_of
from tokenizer_tools.chat_shapes.rows import RenderedRows, ShapeRenderer
from tokenizer_tools.chat_shapes.traced_template import TracedTemplate
from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.conversation import Conversation, Message
from tokenizer_tools.encode import control_tokens, encoding_definition
from tokenizer_tools.left_out import LeftOut
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS, choose_backend, look_alikes
from tokenizer_tools.rendering import NOTHING, Rendering, place
from tokenizer_tools.span_masks import (
    ByteSpanEncoder,
    MaskedIds,
    ReferenceSpanEncoder,
    Span,
    SpanEncoder,
    joined,
    normal_form,
    token_bytes,
)
from tokenizer_tools.template_habits import CLOSE, OPEN, TemplateHabits, answer, call

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
    left_out: Counter[str]
    """Field to the number of conversations that have it and whose rendering does not show it."""


class ChatEncoder:
    """Renders conversations with a chat template and encodes them, with a mask of the assistant's tokens.

    **Hostile contents.** The template's control tokens become control tokens; the same characters anywhere
    in a conversation are ordinary text. For this the template and the tokenizer are given other names for
    the control tokens, made of Unicode noncharacters, which no conversation may contain. So the template's
    tokens and look-alikes differ before anything is encoded. Where a conversation holds no look-alike the
    ids are those of the plain rendering.

    **Mask.** A template with `{% generation %}` marks says itself what the assistant generates. Without them
    `TurnFinder` finds each turn: words, reasoning and tool calls with the control token that ends it. A
    conversation of which a turn cannot be found fails with a reason instead of being marked wrongly. Turns
    of weight 0 are encoded and not learnt, nor is one that says nothing because the template leaves out its
    tool calls.

    **End.** A conversation ends with the end token like any document; one whose rendering already ends with
    it gets no second one. It is learnt only if it comes directly after the assistant's text.
    """

    def __init__(self, files: TokenizerFiles, template: str) -> None:
        control = control_tokens(files)
        self._control = re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True))))
        self._names = {token: f"{OPEN}{number}{CLOSE}" for token, number in control.items()}
        roles = {
            "bos_token": files.begin_token,
            "eos_token": files.end_token,
            "pad_token": files.pad_token,
        }
        variables = {name: token for name, token in roles.items() if token is not None}
        self._plain = ChatTemplate(template, variables)
        renamed = self._rename(template), {name: self._rename(token) for name, token in variables.items()}
        self._renamed = ChatTemplate(*renamed)
        self._habits = TemplateHabits.of(self._renamed)
        self._left_out = LeftOut(self._renamed)
        self._span_encoder, self.refusal = _span_encoder(
            _renamed_definition(files, self._names), self._names.values()
        )
        """`refusal` says why the slower backend is used, None where the fast one is."""
        self.backend = self._span_encoder.backend.name
        self._normal_form = normal_form(files.definition)
        self._shapes = ShapeRenderer(
            TracedTemplate(*renamed), self._habits, control, composed=self._normal_form == "NFC"
        )
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
        try:
            rendering = encoder._spans(answer("Answer"))
            if not any("Answer" in rendering.text[slice(*span)] for span in rendering.learnt):
                raise ValueError(NOTHING)
        except ValueError as error:
            raise TokenizerError(
                f"The chat template of {files.source} cannot be used: {error} {_NAME_ONE}"
            ) from error
        return encoder

    @cached_property
    def turn_ends(self) -> tuple[int, ...]:
        """Ids of the control tokens with which learnt turns end: words and tool calls."""
        ends: set[int | None] = set()
        for probe in (answer("Answer"), call({"key": "value"})):
            try:
                rendering = self._spans(self._habits.fitted(probe))
            except ValueError:  # not every template takes tool calls
                continue
            ends |= {self._turn_end(rendering.text, span) for span in rendering.learnt}
        return tuple(sorted(end for end in ends if end is not None))

    def _turn_end(self, text: str, span: Span) -> int | None:
        """The token after the last learnt word: the template's, or the end token if nothing follows."""
        turn = text[slice(*span)].rstrip()
        if turn.endswith(CLOSE):
            return int(turn[turn.rindex(OPEN) + 1 : -1])
        return self.end_id if span[1] == len(text) else None

    def render(self, messages: list[Message], template_fields: str | None = None) -> str:
        """The plain rendering of one conversation; ValueError says why it cannot be rendered."""
        return self._plain.render(self._conversation(messages, template_fields))

    def encode(self, messages: pa.ListArray, template_fields: pa.StringArray | None = None) -> EncodedChat:
        """Encode conversations.

        Args:
            messages: Lists of structs of role and content.
            template_fields: What a template gets besides, as JSON; null where there is nothing.
        """
        common = self._shapes.render(messages, template_fields)
        alone = np.ones(len(messages), bool)
        alone[common.rows] = False
        alone[list(common.samples)] = True
        renderings, failures = self._render_each(messages, template_fields, np.flatnonzero(alone))
        if not self._confirm(common, renderings):
            return self.encode(messages, template_fields)
        left_out: Counter[str] = Counter()
        for shape, number in common.shapes:
            left_out.update(dict.fromkeys(self._left_out.of(conversation_of(shape), ""), number))
        renderings = {row: each for row, each in renderings.items() if row not in common.samples}
        for rendering in renderings.values():
            left_out.update(rendering.left_out)
        rows = np.concatenate([np.fromiter(renderings, np.int64), common.rows])
        masked = joined([self._encode_each(renderings), self._encode_common(common)], np.argsort(rows))
        rows = np.sort(rows)
        empty = np.diff(masked.offsets) == 0
        failures |= dict.fromkeys(rows[empty].tolist(), _UNALIGNED)
        ended = self._ended(masked)
        lengths = np.zeros(len(messages), np.int64)
        lengths[rows] = np.diff(ended.offsets)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return EncodedChat(
            ended.ids, offsets, ended.mask, ended.begins, dict(sorted(failures.items())), left_out
        )

    def _render_each(
        self, messages: pa.ListArray, template_fields: pa.StringArray | None, rows: npt.NDArray[np.int64]
    ) -> tuple[dict[int, Rendering], dict[int, str]]:
        """The rendering of each of the rows, or why it has none."""
        chosen = messages.take(pa.array(rows)).to_pylist()
        further = [None] * len(rows)
        if template_fields is not None:
            further = template_fields.take(pa.array(rows)).to_pylist()
        renderings, failures = {}, {}
        for row, *columns in zip(rows.tolist(), chosen, further, strict=True):
            try:
                renderings[row] = self._spans(self._conversation(*columns))
            except ValueError as error:
                failures[row] = str(error)
        return renderings, failures

    def _confirm(self, common: RenderedRows, renderings: dict[int, Rendering]) -> bool:
        """Whether the samples of newly learnt shapes are rendered as they are one by one."""
        disagree = {
            shape
            for row, shape in common.samples.items()
            if row not in renderings or not common.agrees(row, renderings[row])
        }
        self._shapes.confirm(set(common.samples.values()) - disagree, disagree)
        return not disagree

    def _encode_each(self, renderings: dict[int, Rendering]) -> MaskedIds:
        return self._span_encoder.encode(
            [rendering.text for rendering in renderings.values()],
            [rendering.learnt for rendering in renderings.values()],
            [rendering.context for rendering in renderings.values()],
        )

    def _encode_common(self, common: RenderedRows) -> MaskedIds:
        return self._span_encoder.encode_arrays(common.texts, common.learnt, common.context)

    def _conversation(self, messages: list[Message] | None, template_fields: str | None) -> Conversation:
        """What the template gets of one row."""
        try:
            return self._habits.fitted(Conversation.of(messages, template_fields))
        except RecursionError as error:
            raise ValueError("The conversation holds lists or objects nested too deeply.") from error

    def _spans(self, conversation: Conversation) -> Rendering:
        """The rendering with renamed control tokens, and where in it the assistant speaks."""
        if not conversation.assistant:
            raise ValueError(
                "The conversation has no assistant message, so there is nothing to learn from it."
            )
        if not conversation.learnt:
            raise ValueError(
                "All of the assistant's messages have weight 0, so there is nothing to learn from it."
            )
        if self._normal_form == "NFC":
            conversation = conversation.with_strings(lambda text: normalize("NFC", text))
        text, marked = self._renamed.marked(conversation)
        self._check(conversation, text)
        left_out = tuple(self._left_out.of(conversation, text))
        learnt = [
            number
            for number in conversation.learnt
            if "tool_calls" not in left_out or _has_words(conversation.messages[number])
        ]
        if not learnt:
            raise ValueError("The chat template leaves out tool calls, and the assistant says nothing else.")
        spans, context = place(self._renamed, self._habits, conversation, (text, marked), learnt)
        return Rendering(text, spans, context, left_out)

    def _check(self, conversation: Conversation, text: str) -> None:
        if self._normal_form == "NFC" and not is_normalized("NFC", text):
            raise ValueError("A message begins with a mark that changes the character before it.")
        forged = self._control.search(text)
        if forged and not any(forged.group() in part for part in conversation.strings()):
            raise ValueError(
                f"The chat template builds the control token {forged.group()!r} from pieces. "
                "It must write control tokens out, so that they can be told from the words of a message."
            )

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


def _has_words(message: Message) -> bool:
    return bool(message["content"] or message.get("reasoning_content"))


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
