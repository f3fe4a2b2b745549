"""The licence that the first lines of a source file name."""

import re

_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n*]+)")


def licence_of_header(head: str) -> str | None:
    """The SPDX expression of a file's first lines; None where they name none."""
    match = _SPDX.search(head)
    return (match[1].strip().removesuffix("-->").strip() or None) if match else None
