"""The size of a report's page, and how soon it can be used.

python -m benchmarks.report_page [--sources N] [--documents N] [--signals N] [--content FILE]
    [--screenshots FOLDER]

Without a `report.json` as FILE the report is of simulated sources. The page is opened in a headless Chromium:
seconds until the script is through, of its renderer's processor too, and until another threshold is answered.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from pipelines.report.page import render_page
from tests.pipelines.report.browser import QUIET, draw_all
from tests.pipelines.report.page_content import page_content

SIZES = {"laptop": 1280, "phone": 390}


def main() -> None:
    given = arguments()
    content = (
        json.loads(given.content.read_text())
        if given.content
        else page_content(given.sources, given.documents, given.signals)
    )
    began = time.perf_counter()
    html = render_page(content)
    print(f"rendered in {time.perf_counter() - began:.2f} s: {len(html.encode()) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder, "report.html")
        path.write_text(html)
        browser = driver.chromium.launch(executable_path=given.chromium, args=list(QUIET))
        measure(browser, path.as_uri())
        for name, page in views(browser, path.as_uri()) if given.screenshots else ():
            draw_all(page)
            page.screenshot(path=given.screenshots / f"{name}.png", full_page=True, timeout=120_000)
        browser.close()


def measure(browser: Browser, address: str) -> None:
    """Print how long the page takes until it can be used."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")
    page.goto(address)
    interactive = page.evaluate("performance.getEntriesByName('interactive')[0].startTime") / 1000
    found = {each["name"]: each["value"] for each in metrics.send("Performance.getMetrics")["metrics"]}
    elements = page.evaluate("document.querySelectorAll('*').length")
    used = found["ProcessTime"]
    print(f"interactive after {interactive:.2f} s, {used:.2f} s of a processor; {elements:,} elements")
    if page.locator(".thresholds").count():
        began = time.perf_counter()
        page.locator(".thresholds input[type=range]").first.press("ArrowRight")
        print(f"another threshold is answered after {time.perf_counter() - began:.2f} s")
    page.close()


def views(browser: Browser, address: str) -> Iterator[tuple[str, Page]]:
    """The page on a laptop and a phone, light and dark."""
    for device, width in SIZES.items():
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto(address)
            yield f"{device}-{scheme}", page
            page.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=int, default=50)
    parser.add_argument("--documents", type=int, default=20_000, help="in each source")
    parser.add_argument("--signals", type=int, default=20, help="of each source")
    parser.add_argument("--content", type=Path, help="a report.json in place of simulated sources")
    parser.add_argument("--screenshots", type=Path, help="a folder for them")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    return parser.parse_args()


if __name__ == "__main__":
    main()
