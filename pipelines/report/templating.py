"""Templates: what comes from outside is text in them and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def template_environment(*packages: str, finalize: Callable[[Any], Any], **options: Any) -> Environment:
    """Templates in the folders `templates` of packages, the first that has one.

    Args:
        packages: Their names.
        finalize: What is done with every value, before it is escaped.
        options: More of jinja2's.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
