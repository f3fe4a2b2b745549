"""What models think before they answer, between `<think>` and `</think>`: no part of the answer."""

import re

_BEGIN, _END = "<think>", "</think>"
_THOUGHT = re.compile(f"{_BEGIN}.*?(?:{_END}|\\Z)", re.DOTALL)


def without_thoughts(text: str) -> str:
    """The answer itself; nothing where it was cut short while thinking.

    Chat templates may write the first mark themselves: then the text begins with a thought that only ends.
    """
    thought, end, rest = text.partition(_END)
    if not end and _BEGIN not in text:
        return text
    answer = rest if end and _BEGIN not in thought else text
    return _THOUGHT.sub("", answer).strip()
