"""Pages as HTML. Documents are hostile: all text is escaped, and no page can run or load anything."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report.escape import plain_text
from pipelines.report.templating import template_environment

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE = (Path(__file__).parent / "templates" / "style.css").read_text()
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def render(template: str, **content: Any) -> str:
    """A page of that name."""
    return _environment().get_template(f"{template}.html.jinja").render(content)


@cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from markupsafe import Markup

    environment = template_environment(
        "pipelines.report.browse", finalize=plain_text, undefined=StrictUndefined
    )
    environment.globals["style"] = Markup(STYLE)
    environment.filters["count"] = lambda number: "" if number is None else f"{number:,}"
    environment.filters["short"] = lambda value: f"{value:.4g}" if isinstance(value, float) else str(value)
    return environment
