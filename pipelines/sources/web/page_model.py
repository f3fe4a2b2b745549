"""Asks a model behind an endpoint for the text of pages that are cut down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pipelines.sources.base import Reason
from pipelines.sources.endpoint import ChatSession, EndpointClient, Reply
from pipelines.sources.endpoint_session import NoAnswerError, RefusedError
from pipelines.sources.web.options import PageModel

TOKEN_BYTES = 4
"""Bytes of HTML that make about a token."""


def ask_model(model: PageModel, pages: Sequence[str | Reason]) -> list[str | Reason]:
    """The text of each page, or why there is none. Raises WorkError where the server is down."""
    client = EndpointClient(model)

    async def ask_all() -> list[str | Reason]:
        async with client.session() as session:
            return list(await asyncio.gather(*(_ask(session, model, page) for page in pages)))

    return asyncio.run(ask_all())


async def _ask(session: ChatSession, model: PageModel, page: str | Reason) -> str | Reason:
    if isinstance(page, Reason) or not page:
        return page
    if len(page.encode()) > model.input_tokens * TOKEN_BYTES:
        return Reason.TOO_LARGE
    question = {"role": "user", "content": model.prompt.replace("{html}", page)}
    try:
        reply = await session.chat([question], temperature=0, max_tokens=model.output_tokens)
    except (RefusedError, NoAnswerError):
        return Reason.NO_ANSWER
    return _text(reply)


def _text(reply: Reply) -> str | Reason:
    text = reply.text.strip()
    if not text or reply.finish_reason == "length":
        return Reason.NO_ANSWER
    return text
