"""Pages in Markdown, from templates: what comes from outside is text in them and nothing else."""

from __future__ import annotations

from typing import Any

from pipelines.report.escape import plain_markdown
from pipelines.report.templating import template_environment


def render_markdown(template: str, *contents: dict[str, Any], **more: Any) -> str:
    """The template of this name, filled."""
    environment = template_environment("pipelines.report.publishing", finalize=plain_markdown)
    environment.filters["count"] = _count
    environment.filters["percent"] = _percent
    values = {key: value for content in contents for key, value in content.items()}
    return environment.get_template(template).render(values | more)


def _count(number: float | None) -> str:
    """A number with its thousands apart; nothing where there is none yet."""
    return "" if number is None else f"{number:,}"


def _percent(share: float | None) -> str:
    """A share in percent; nothing where there is none."""
    return "" if share is None else f"{share:.1%}"
