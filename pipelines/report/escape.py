"""Text from outside on pages: shown as it is, it is no markup there and steers no terminal."""

from __future__ import annotations

import re
from typing import Any

from mixers.printable import printable

# What HTML gives a meaning (`<`, `>`, `&`) is escaped after this, as in every page.
_MARKS = re.compile(r"[\\`*_\[\]|#~$@]|:(?=//)|(?<=www)\.|^[-+=]|(?<=^\d)[.)](?= )")


def plain_text(value: Any) -> Any:
    """A value as a page shows it: of text, every character fit to be printed."""
    return printable(value) if _is_text(value) else value


def plain_markdown(value: Any) -> Any:
    """The same for Markdown: text on one line, in which no character is a mark."""
    return _MARKS.sub(r"\\\g<0>", " ".join(printable(value).split())) if _is_text(value) else value


def _is_text(value: Any) -> bool:
    """Whether it is text from outside; what is markup already says so."""
    return isinstance(value, str) and not hasattr(value, "__html__")
