"""What a path says of a file in a repository, as linguist has it: brought in, or documentation."""

import re
from functools import cache

from pipelines.sources.code.table import linguist


def is_vendored(path: str) -> bool:
    """Whether a path within a repository is that of other people's code or of a tool's settings."""
    return _pattern("vendored").search(path) is not None


def is_documentation(path: str) -> bool:
    """Whether a path within a repository is that of documentation, examples or a licence."""
    return _pattern("documentation").search(path) is not None


_BEGINS_A_NAME = "(^|/)"


@cache
def _pattern(table: str) -> re.Pattern[str]:
    """All patterns of a table as one; most begin a name, and are only tried where a name begins."""
    named = [pattern for pattern in linguist()[table] if pattern.startswith(_BEGINS_A_NAME)]
    others = [pattern for pattern in linguist()[table] if pattern not in named]
    after = "|".join(f"(?:{pattern.removeprefix(_BEGINS_A_NAME)})" for pattern in named)
    anywhere = "|".join(f"(?:{pattern})" for pattern in others)
    return re.compile(f"(?:^|/)(?:{after})|{anywhere}", re.MULTILINE)
