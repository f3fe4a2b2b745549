"""A headless Chromium, where there is one, and the page of a simulated report in it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from pipelines.report.page.page import render_page
from tests.pipelines.report.page.page_content import page_content

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """Closed soon: while its driver runs, nothing else in this thread can run a loop of asyncio."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_report() -> dict:
    return page_content(signals=3)


@pytest.fixture(scope="module")
def page_file(page_report, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(page_report))
    return path.as_uri()


@pytest.fixture
def visit(chromium, page_file) -> Iterator[Callable]:
    """Opens the page; what is said on its console, thrown or asked for lies in `page.complaints`."""
    contexts = []

    def open_page(width: int = 1280, scheme: str = "light", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        page.on("request", lambda request: request.url == page_file or page.complaints.append(request.url))
        page.goto(page_file)
        return page

    yield open_page
    for context in contexts:
        context.close()


def see_all(page) -> None:
    """Open everything that folds, and see all charts."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    draw_all(page)
    wait_until(page, "[...document.querySelectorAll('.plot')].every(each => each.querySelector('svg'))")


def draw_all(page) -> None:
    """Scroll through the page, so that every chart is drawn that is not folded away."""
    page.evaluate(
        """async () => {
            for (const figure of document.querySelectorAll('figure.chart')) {
                figure.scrollIntoView();
                await new Promise(requestAnimationFrame);
            }
        }"""
    )


def wait_until(page, condition: str) -> None:
    """The page's policy forbids to evaluate text, as the driver's own waiting does."""
    deadline = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)
