"""The text of a conversation of which the beginning may be left out when it is too long for a row."""

from tokenizer_tools.chat_template import ChatTemplate
from tokenizer_tools.conversation import SYSTEM_ROLES, Conversation
from tokenizer_tools.span_masks import Span
from tokenizer_tools.template_habits import PLACEHOLDER, attempt


def removable_context(
    template: ChatTemplate, conversation: Conversation, text: str, learnt: int
) -> list[Span]:
    """The text before character `learnt` of which the beginning may be left out.

    That is the text of the first turn after the system prompt, if it is found without doubt, and of later
    turns of its role, where the rendering without the turns between says the same.

    Args:
        template: The conversation's template.
        conversation: In the form that the template takes.
        text: Its rendering.
        learnt: The first character that is learnt.
    """
    messages = conversation.messages
    first = next(n for n, message in enumerate(messages) if message["role"] not in SYSTEM_ROLES)
    other = conversation.with_message(first, messages[first] | {"content": PLACEHOLDER})
    before, found, after = (attempt(template, other) or "").partition(PLACEHOLDER)
    start, stop = len(before), len(text) - len(after)
    alike = text.startswith(before) and text.endswith(after) and start <= stop <= learnt
    if not found or PLACEHOLDER in after or not alike:
        return []
    spans = [(start, start + len(text[start:stop].rstrip()))]  # white space alone is not worth keeping
    for number, message in enumerate(messages[first + 1 :], first + 1):
        if message["role"] in SYSTEM_ROLES:
            break
        if message["role"] != messages[first]["role"]:
            continue
        content = (message["content"] or "").strip()
        if content not in text[spans[-1][1] : learnt]:
            break
        shorter = attempt(template, conversation.without_messages(first, number)) or ""
        if not (shorter.startswith(text[:start]) and text.endswith(shorter[start:])):
            break
        again = len(text) - (len(shorter) - start)
        end = again + len(content)
        if not text.startswith(content, again) or end > learnt:
            break
        spans.append((again, end))
    return spans
