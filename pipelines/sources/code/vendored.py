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


@cache
def _pattern(table: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in linguist()[table]), re.MULTILINE)
