"""The report's page in a browser: whole, drawn, harmless, and usable by keyboard and on a phone."""

from __future__ import annotations

import json

import pytest

from pipelines.report.page.page import SECTIONS
from tests.pipelines.report.page.conftest import see_all, wait_until

DRAWN = """each => [...each.querySelectorAll('svg path, svg polygon')].map(path => path.getBBox())
    .filter(box => box.width * box.height > 20).length"""


@pytest.fixture
def page(visit):
    return visit()


def test_every_section_is_there_and_every_chart_is_drawn_without_a_complaint(page):
    assert page.title().startswith("simulated <script>")
    found = page.eval_on_selector_all("main > section", "all => all.map(each => each.id)")
    assert found == [*(section.id for section in SECTIONS), "glossary"]
    see_all(page)
    figures = page.query_selector_all("figure.chart")
    assert {figure.get_attribute("data-kind") for figure in figures} == {
        *("bars", "lines", "histogram", "heatmap", "points")
    }
    for figure in figures:
        assert figure.evaluate(DRAWN), figure.inner_text()
        assert figure.query_selector(".plot").get_attribute("aria-label")
        assert figure.query_selector_all("details.behind tbody tr")
    assert page.complaints == []


def test_pixels_of_a_chart_have_its_colours(page, tmp_path):
    image = pytest.importorskip("PIL.Image")
    plot = page.query_selector("#mixture figure.chart .plot")
    plot.scroll_into_view_if_needed()
    wait_until(page, "document.querySelector('#mixture .plot svg')")
    plot.screenshot(path=tmp_path / "plot.png")
    pixels = image.open(tmp_path / "plot.png").convert("RGB").getcolors(10**6)
    colours = {colour: number for number, colour in pixels}
    assert colours[0x7A, 0x1F, 0x3D] > 5000 and colours[0xB9, 0xB1, 0xAD] > 5000


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_without_a_sign(visit, width, scheme):
    page = visit(width, scheme)
    see_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = """all => all.filter(each => each.clientWidth && each.scrollWidth > each.clientWidth + 1)
        .map(each => each.classList.contains('overflows') && !each.previousElementSibling.hidden)"""
    signs = page.eval_on_selector_all(".scroll", wide)
    assert all(signs) and (width == 1280 or len(signs) > 5)
    outside = f"""all => all.filter(each => each.checkVisibility()
        && !each.closest('.scroll, [popover], .skip, svg')
        && each.getBoundingClientRect().right > {width} + 1).map(each => each.outerHTML.slice(0, 80))"""
    assert page.eval_on_selector_all("body *", outside) == []
    assert page.complaints == []


def test_documents_and_names_are_inert(page):
    see_all(page)
    page.locator("select[name=source]").select_option("1")
    for section in ("funnel", "duplicates", "classifiers"):  # their names are hostile
        plot = page.locator(f"#{section} figure.chart .plot").last
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 48)
        wait_until(
            page,
            f"[...document.querySelectorAll('#{section} .tip')].some(e => e.textContent.includes('<img'))",
        )
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('img, iframe, object, embed, link, form').length") == 0
    assert page.complaints == []


def test_scripts_that_are_not_ours_do_not_run(page):
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.hacked = 6';
            document.body.append(script);
            document.body.insertAdjacentHTML('beforeend', '<p onclick="window.hacked = 7" id="p">.</p>');
            document.getElementById('p').click();
        }"""
    )
    assert page.evaluate("window.hacked") is None


def recomputed(signal: dict, least: float) -> int:
    points, intervals = signal["points"], signal["intervals"]
    return sum(
        kept for value, kept in zip(points["value"], points["otherwise_kept"], strict=True) if value >= least
    ) + sum(
        kept
        for low, kept in zip(intervals["low"], intervals["otherwise_kept"], strict=True)
        if low is not None and low >= least
    )


def test_another_threshold_keeps_what_the_report_counts(page, page_report):
    answer = page.locator(".answer")
    for number, source in enumerate(page_report["signals"]):
        page.locator("select[name=source]").select_option(str(number))
        for index, signal in enumerate(source["signals"]):
            page.locator("select[name=signal]").select_option(str(index))
            wait_until(
                page,
                f"document.querySelector('.thresholds .plot').ariaLabel.includes('{signal['signal']} in')",
            )
            today = signal["rules"][0]["min"]
            assert float(page.locator("input[name=min-value]").input_value()) == today
            assert int(answer.get_attribute("data-kept")) == recomputed(signal, today) == source["kept"]
            grid = signal["points"]["value"]
            for threshold in (grid[0], grid[len(grid) // 2], grid[-1]):
                page.locator("input[name=min-value]").fill(repr(threshold))
                kept = recomputed(signal, threshold)
                assert int(answer.get_attribute("data-kept")) == kept
                about = "about" if source["about"] else "exact"
                assert answer.inner_text() == (
                    f"would keep {kept:,} of {source['documents']:,} documents ({about}), "
                    f"today {source['kept']:,}"
                )


def test_between_two_counted_values_the_answer_is_a_range(page, page_report):
    signal = page_report["signals"][0]["signals"][1]
    page.locator("select[name=source]").select_option("0")
    page.locator("select[name=signal]").select_option("1")
    ends = [signal["intervals"][end] for end in ("low", "high", "otherwise_kept")]
    low, high, kept = max(zip(*ends, strict=True), key=lambda each: each[2])
    page.locator("input[name=min-value]").fill(repr((low + high) / 2))
    fewest, most = recomputed(signal, high), recomputed(signal, low)
    assert most - fewest == kept > 0
    assert page.locator(".answer").inner_text().startswith(f"would keep {fewest:,} to {most:,} of ")


def test_the_keyboard_reaches_and_moves_the_controls(page):
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.name || document.activeElement.className")
        reached.add(name)
        if name == "min":
            break
    assert {"skip", "term", "source", "signal", "min", "scroll"} - reached <= {"scroll"} and name == "min"
    before = page.locator(".answer").inner_text()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    assert page.locator(".answer").inner_text() != before
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "min-value"


def test_terms_open_their_definition(page):
    term = page.locator("#mixture .term", has_text="epochs").first
    term.focus()
    page.keyboard.press("Enter")
    assert "How often the distinct tokens" in page.locator("[popover]:popover-open").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("[popover]:popover-open").count() == 0


CONTRASTS = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const luminance = colour => {
        canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(document.documentElement);
    const of = name => luminance(style.getPropertyValue('--' + name).trim());
    const names = ['text', 'dim', 'accent', 'good', 'caution', 'bad'];
    return names.flatMap(name => ['ground', 'raised'].map(ground => {
        const [low, high] = [of(name), of(ground)].sort((a, b) => a - b);
        return [name, ground, (high + 0.05) / (low + 0.05)];
    }));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(visit, scheme):
    page = visit(scheme=scheme)
    assert [each for each in page.evaluate(CONTRASTS) if each[2] < 4.5] == []


def test_charts_follow_light_and_dark(page):
    page.locator("#mixture figure.chart").first.scroll_into_view_if_needed()
    wait_until(page, "document.querySelector('#mixture .plot svg')")
    fills = "document.querySelector('#mixture .plot svg').innerHTML.toLowerCase().includes('#d8718f')"
    assert not page.evaluate(fills)
    page.emulate_media(color_scheme="dark")
    wait_until(page, fills)


def test_in_print_sections_are_open_and_charts_drawn(page):
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('.plot')].every(each => each.querySelector('svg'))")
    assert page.locator("#stages table").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("#stages table").is_visible()
    assert page.complaints == []


def test_without_script_the_tables_are_there(visit, page_report):
    page = visit(java_script_enabled=False)
    ledger = page_report["mixtures"]["stage1"]
    page.locator("#mixture details.behind summary").first.click()
    shown = page.locator("#mixture details.behind table").first.inner_text()
    assert f"{ledger['groups'][0]['quota']['built']:,}" in shown
    assert page.locator(".thresholds").is_hidden()


def test_figures_are_those_of_the_report(page, page_report):
    data = json.loads(page.locator("#mixture figure.chart script").first.text_content())
    groups = page_report["mixtures"]["stage1"]["groups"]
    assert data["categories"] == [group["group"] for group in groups]
    assert data["series"][1]["values"] == [group["quota"]["built"] for group in groups]
    table = page.locator("#funnel table").last.inner_text()
    for source in page_report["sources"]:
        assert f"{source['kept']:,}" in table and f"{sum(source['dropped'].values()):,}" in table


def test_warnings_of_one_kind_stand_together_and_lead_to_sections_that_are_there(page, page_report):
    kinds = {(each["level"], each["section"], each["kind"]) for each in page_report["warnings"]}
    assert page.locator(".warnings li").count() == len(kinds)
    text = page.locator(".warnings").evaluate("each => each.textContent")
    for warning in page_report["warnings"]:
        assert warning["in_words"].replace("`", "") in text
    for target in page.locator(".warnings a").evaluate_all("all => all.map(each => each.hash)"):
        assert page.locator(target).count() == 1


def test_what_the_recipe_asks_is_drawn_and_not_what_a_shortage_left_of_it(page, page_report):
    ledger = page_report["mixtures"]["stage1"]
    data = json.loads(page.locator("#mixture figure.chart script").first.text_content())
    asked = [group["quota"]["asked_share"] * ledger["total"] for group in ledger["groups"]]
    assert data["series"][0]["values"] == pytest.approx(asked)


def test_rows_are_counted_by_the_documents_in_them(page, page_report):
    script = page.locator("#lengths figure.chart script").first
    data = json.loads(script.text_content())
    packing = page_report["lengths"]["packing"]["stage1"]["documents_per_row"]
    assert data["series"][0]["values"] == packing["rows"]
    assert data["categories"] == ["1", "2", "3", "4 to 7"]


def test_a_link_to_samples_unfolds_them(page, page_report):
    source = page_report["samples"][-1]["source"]
    folded = page.locator("details.samples").last
    assert not folded.evaluate("each => each.open")
    page.evaluate("id => { location.hash = id; }", folded.get_attribute("id"))
    wait_until(page, "[...document.querySelectorAll('details.samples')].at(-1).open")
    assert source and page.complaints == []
