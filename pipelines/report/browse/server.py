"""The pages over HTTP, on this machine alone: made in threads, no longer than they are waited for."""

from __future__ import annotations

import asyncio
import signal
import socket
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from pipelines.errors import CoupageError, UserError
from pipelines.plain import complain
from pipelines.report.browse.access import TOKEN, Access
from pipelines.report.browse.corpus import Corpus
from pipelines.report.browse.document import document
from pipelines.report.browse.listing import listing
from pipelines.report.browse.overview import overview
from pipelines.report.browse.pages import CONTENT_SECURITY_POLICY, render
from pipelines.report.browse.scan import Budget

AT_ONCE = 4
"""Pages that are made at the same time; further ones wait."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Browser:
    """The answers to requests for pages of a run."""

    def __init__(self, corpus: Corpus, access: Access) -> None:
        self._corpus = corpus
        self._access = access
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="page")

    def app(self) -> web.Application:
        """What answers to each address."""
        app = web.Application(middlewares=[self._let_in, _answer_errors])
        app.router.add_get("/", self._page("overview", lambda query, budget: overview(self._corpus)))
        app.router.add_get("/documents", self._page("documents", self._documents))
        app.router.add_get(
            "/document", self._page("document", lambda query, budget: document(self._corpus, query))
        )
        app.router.add_get("/report", self._report)
        app.on_response_prepare.append(_with_headers)
        return app

    def close(self) -> None:
        """Wait for no page any more."""
        self._threads.shutdown(cancel_futures=True)

    def _documents(self, query: str, budget: Budget) -> dict[str, Any]:
        return listing(self._corpus, query, budget)

    def _page(self, template: str, content: Callable[[str, Budget], dict[str, Any]]) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            budget = Budget()
            query = "" if template == "overview" else _query(request)

            def page() -> web.Response:
                return _html(render(template, **content(query, budget)))

            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, page)
            except asyncio.CancelledError:
                budget.given_up.set()
                raise

        return answer

    async def _report(self, request: web.Request) -> web.StreamResponse:
        """The report as it is, under the policy that it names itself."""
        path = self._corpus.workdir / "report.html"
        if not path.is_file():
            raise UserError("there is no report yet", hint="`coupage report` writes it.")
        return web.FileResponse(path)

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        access = self._access
        if not access.is_own_host(request.headers.get("Host", "")):
            return _message("This server has another name.", "", 421)
        given = parse_qs(_query(request)).get(TOKEN, [None])[-1] if request.path == "/" else None
        if access.has(given):
            response = await handler(request)
            response.set_cookie(access.cookie, access.token, httponly=True, samesite="Strict")
            return response
        if not access.has(request.cookies.get(access.cookie)):
            return _message("Who may read this?", "Open the address that `coupage serve` printed.", 403)
        return await handler(request)


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page for each error, which says what to do."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _message(error.reason, "", error.status)
    except CoupageError as error:
        return _message(error.message, error.hint, 400 if isinstance(error, UserError) else 500)
    except OSError as error:
        return _message(
            error.strerror or "a file cannot be read", "Is the run being changed? Try again.", 500
        )
    except Exception:
        complain(f"{traceback.format_exc()}This is a defect; please report it.")
        return _message("This is a defect.", "More is said where `coupage serve` runs.", 500)


async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    if not isinstance(response, web.FileResponse):
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY


def _query(request: web.Request) -> str:
    """The query of the address as it was sent."""
    return request.raw_path.partition("?")[2]


def _html(page: str, status: int = 200) -> web.Response:
    return web.Response(text=page, content_type="text/html", status=status)


def _message(message: str, hint: str, status: int) -> web.Response:
    return _html(render("message", message=message, hint=hint), status)


async def serve(corpus: Corpus, access: Access, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until the process is interrupted; `ready` is called when the first can be sent."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    browser = Browser(corpus, access)
    runner = web.AppRunner(browser.app(), access_log=None, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        ready()
        await stopped.wait()
    finally:
        await runner.cleanup()
        browser.close()
