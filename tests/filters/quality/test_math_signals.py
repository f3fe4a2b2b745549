"""Signals of mathematics."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality.rules import first_failed, preset
from filters.quality.signals import compute_signals
from tests.filters.strategies import documents

LATEX = (
    "\\", " ", "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\begin{align}", "\\end{align}", "\\begin{cases}",
    "\\frac", "\\n", "\n", "\n\n", "x", "1", "=", "∑", "я",
)  # fmt: skip
formulas = st.lists(st.sampled_from(LATEX), max_size=30).map("".join)


def signals(text: str) -> dict[str, float]:
    return compute_signals(pa.array([text], pa.large_string())).to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Let $x$ be.", ["$x$"]),
        ("$$x = 1$$ and $y$", ["$$x = 1$$", "$y$"]),
        (r"\(a\) or \[ b \\ c \]", [r"\(a\)", r"\[ b \\ c \]"]),
        (r"$\$5$ is \$5", [r"$\$5$"]),
        (r"$a \(b$", [r"$a \(b$"]),
        ("It costs $5, not $6 or US$7.", []),
        ("between $5-$10 and $x$", ["$x$"]),
        ("$ x $", []),
        ("$x\n\ny$", []),
        ("\\( x \n \n y \\) and \\( z \\)", ["\\( z \\)"]),
        ("\\begin{align*} a &= b \\end{align*}.", ["\\begin{align*} a &= b \\end{align*}"]),
        ("\\begin{itemize} a \\end{itemize}", []),
        (
            "\\begin{equation}\\begin{cases} 1 \\end{cases}\\end{equation}",
            ["\\begin{equation}\\begin{cases} 1 \\end{cases}\\end{equation}"],
        ),
        ("\\( $x$ \\( $y$", ["$x$", "$y$"]),
        ("Число $π$ не равно $3$", ["$π$", "$3$"]),
        ("$$", []),
        ("$", []),
        ("\\", []),
    ],
)
def test_formulas(text: str, found: list[str]) -> None:
    values = signals(text)
    assert values["formulas"] == len(found)
    assert values["formula_char_fraction"] == pytest.approx(sum(map(len, found)) / len(text))


@given(st.one_of(documents, formulas))
def test_what_is_counted_equals_the_reference(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    found = signals(text)
    size = max(len(text), 1)
    assert found["latex_commands"] == len([m for m in re.findall(r"\\(?:([a-z]{2,})|[\s\S])", text) if m])
    assert found["digit_fraction"] == pytest.approx(len(re.findall("[0-9]", text)) / size)
    assert found["operator_fraction"] == pytest.approx(len(re.findall(r"[+*/=<>^]", text)) / size)
    assert 0 <= found["formula_char_fraction"] <= found["math_fraction"] <= 1
    assert found["math_symbol_fraction"] <= 1


@pytest.mark.parametrize("symbol", "∑∫≤±×÷²³₁ⁿℝℕ𝑥→√∞")
def test_mathematical_symbols(symbol: str) -> None:
    assert signals(f"a {symbol} b")["math_symbol_fraction"] == 0.2


def test_letters_and_marks_of_prose_are_no_mathematical_symbols() -> None:
    assert signals("Привет — «ёлка», № 5, naïve œuvre … ™ 漢字 αβγ \U0001f600")["math_symbol_fraction"] == 0


def test_the_preset_math() -> None:
    prose = "Почтальон шёл по улице и разносил письма, газеты и журналы всем жителям. " * 5
    proof = "Пусть $x^2 + y^2 = z^2$, тогда по теореме Пифагора угол прямой. Пусть также ∠A = 90°. " * 5
    table = compute_signals(pa.array([prose, proof, "$x$"]))
    assert first_failed(table, preset("math")).to_pylist() == ["math.min_math", None, "math.min_characters"]


@pytest.mark.parametrize(
    "piece", ["$", "$$ ", "\\(", "\\[ ", "\\begin{align}", "\\", "$x", "\\alpha", "²", "$\n\n", "\\( $x$ "]
)
def test_hostile_repetition_is_survived(piece: str) -> None:
    assert 0 <= signals(piece * 200_000)["math_fraction"] <= 1
