import pytest
from lxml import html

from pipelines.sources.web.extractors.registry import EXTRACTORS
from pipelines.sources.web.mathml import latex
from pipelines.sources.web.structure import KINDS

PROSE = (
    "<p>" + "This is a sentence of the article, which has quite a few of them, as articles do. " * 4 + "</p>"
)


def extracted(body: str, extractor: str = "whole_page", keep=("code", "tables", "formulas")) -> str:
    if extractor == "readability":
        pytest.importorskip("lxml_html_clean")
    article = f"<article><h1>Head</h1>{PROSE}{body}{PROSE}</article>"
    page = f"<html><head><title>T</title></head><body>{article}</body></html>"
    return EXTRACTORS[extractor].text(page, keep)


EXTRACTING = [name for name in EXTRACTORS if name != "endpoint"]
CODE = "def f(x):\n    if x &lt; 1:\n\n        return 'a'\n    return `b`"


@pytest.mark.parametrize("extractor", EXTRACTING)
def test_code_keeps_its_lines(extractor):
    text = extracted(
        f'<div class="highlight"><pre><code class="language-Python">{CODE}</code></pre></div>', extractor
    )
    assert "\n```python\ndef f(x):\n    if x < 1:\n\n        return 'a'\n    return `b`\n```\n" in text
    assert text.count("return 'a'") == 1


@pytest.mark.parametrize("extractor", EXTRACTING)
def test_tables_keep_their_cells(extractor):
    rows = "<tr><th>Name<th>Mass</tr><tr><td>Iron<td>55.8 | u</tr><tr><td colspan=2>None of it</tr>"
    text = extracted(f"<table>{rows}</table>", extractor)
    rows = [line.replace(" ", "").strip("|") for line in text.split("\n") if "|" in line]
    assert [row for row in rows if row.strip("-|")] == ["Name|Mass", rows[2], "Noneofit"]
    assert rows[2].startswith("Iron|55.8")


@pytest.mark.parametrize("extractor", EXTRACTING)
def test_formulas_keep_their_source(extractor):
    source = "<annotation encoding='application/x-tex'>\\frac{a}{b}</annotation>"
    math = f"<math><semantics><mi>x</mi>{source}</semantics></math>"
    text = extracted(
        f"<p>Here the value {math} is meant, as anyone can see who reads this sentence to its end.</p>",
        extractor,
    )
    assert "the value $\\frac{a}{b}$ is meant" in text


@pytest.mark.parametrize(
    ("markup", "formula"),
    [
        ('<script type="math/tex">x^2</script>', "$x^2$"),
        ('<script type="math/tex; mode=display">x^2</script>', "$$x^2$$"),
        (
            '<span class="MathJax_Preview">x2</span><span class="MathJax"><span>x2</span></span>'
            '<script type="math/tex">x^2</script>',
            "$x^2$",
        ),
        (
            '<span class="katex-display"><span class="katex"><span class="katex-mathml">'
            "<math><semantics><mi>x</mi>"
            '<annotation encoding="application/x-tex">x^2</annotation></semantics></math></span>'
            '<span class="katex-html">x2</span></span></span>',
            "$$x^2$$",
        ),
        (
            '<span class="mwe-math-element"><span style="display:none">'
            '<math alttext="{\\displaystyle x^2}"><mi>x</mi></math></span>'
            '<img class="mwe-math-fallback-image-inline" alt="x"></span>',
            "$x^2$",
        ),
        (
            '<mjx-container display="true"><mjx-math>x2</mjx-math>'
            "<math><msup><mi>x</mi><mn>2</mn></msup></math></mjx-container>",
            "$$x^2$$",
        ),
        ('<img class="latex" alt="\\(x^2\\)" src="x.png">', "$x^2$"),
        ('<math display="block"><msup><mi>x</mi><mn>2</mn></msup></math>', "$$x^2$$"),
    ],
)
def test_spellings_of_formulas(markup, formula):
    text = extracted(f"<p>before {markup} after</p>")
    assert f"before {formula} after" in text and "x2" not in text


@pytest.mark.parametrize(
    ("markup", "code"),
    [
        ("<pre>a<br>b</pre>", "```\na\nb\n```"),
        ('<pre><code><span class="line">a</span><span class="line">b</span></code></pre>', "```\na\nb\n```"),
        ("<pre><div>a</div><div>b</div></pre>", "```\na\nb\n```"),
        ("<code>a\n  b</code>", "```\na\n  b\n```"),
        ("<pre>a ``` b</pre>", "````\na ``` b\n````"),
        (
            '<table><tr><td><pre>1\n2</pre></td><td><pre class="brush: js">a\nb</pre></td></tr></table>',
            "```js\na\nb\n```",
        ),
    ],
)
def test_spellings_of_code(markup, code):
    text = extracted(markup)
    assert code in text and "1\n2" not in text


@pytest.mark.parametrize(
    "table",
    [
        '<table role="presentation"><tr><td>a<td>b</tr><tr><td>c<td>d</tr></table>',
        "<table><tr><td>a</tr><tr><td>b</tr></table>",
        "<table><tr><td>a<td><input></tr><tr><td>c<td>d</tr></table>",
        "<table><tr><td>a<td>" + "long " * 300 + "</tr><tr><td>c<td>d</tr></table>",
    ],
)
def test_a_table_that_lays_out_a_page_is_left_to_the_extractor(table):
    assert "---" not in extracted(table)


def test_of_nested_tables_the_inner_ones_are_of_data():
    inner = "<table><tr><td>a<td>b</tr><tr><td>c<td>d</tr></table>"
    assert "| a | b |" in extracted(f"<table><tr><td>{inner}<td>{inner}</tr></table>")


def test_what_is_not_to_be_kept_is_left_to_the_extractor():
    assert "```" not in extracted("<pre>a\nb</pre>", keep=())
    assert "$" not in extracted('<p>a <script type="math/tex">x</script></p>', keep=("code",))


def test_a_page_cannot_forge_what_was_kept():
    text = extracted("<p>\U000146440\U00014645x\U00014646 \U00014644</p><pre>secret\nline</pre>")
    assert text.count("secret") == 1 and not set(text) & set("\U00014644\U00014645\U00014646")


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mfrac><mn>1</mn><mi>n</mi></mfrac>", "\\frac{1}{n}"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "\\sqrt{x+1}"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>10</mn></msubsup>", "x_i^{10}"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><mi>α</mi>", "\\sum _i^n\\alpha"),
        ("<mi>sin</mi><mo>&ApplyFunction;</mo><mi>x</mi>", "\\sin x"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "\\bar{x}"),
        (
            "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr></mtable>",
            "\\begin{matrix}1 & 2\\end{matrix}",
        ),
        ("<mtext>if so</mtext>", "\\text{if so}"),
        ("", ""),
    ],
)
def test_mathml_becomes_latex(mathml, tex):
    assert latex(html.fragment_fromstring(f"<math>{mathml}</math>")) == tex


@pytest.mark.parametrize("extractor", list(EXTRACTORS))
@pytest.mark.parametrize(
    "markup",
    ["", " ", "<", "<html>", "plain", "\0", "<!--", "<table>" * 300, "<math>" * 500],
)
def test_an_extractor_stands_any_page(extractor, markup):
    if extractor in ("readability", "trafilatura"):
        pytest.importorskip("lxml_html_clean")
    assert isinstance(EXTRACTORS[extractor].text(markup, KINDS), str)


def test_the_same_page_has_the_same_text_whatever_was_read_before():
    pytest.importorskip("lxml_html_clean")
    assert len({extracted("", "trafilatura") for _ in range(4)}) == 1
