"""MathML as LaTeX, where a page does not bring the LaTeX that it was made from. Presentation markup only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DEEPEST = 60
"""Elements nested deeper become their text."""

_LETTERS = (
    "α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu ξ xi "
    "π pi ρ rho σ sigma τ tau υ upsilon φ phi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi "
    "Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega"
)
_OPERATORS = (
    "∑ sum ∏ prod ∫ int ∮ oint ∂ partial ∇ nabla ∞ infty ± pm ∓ mp × times ÷ div · cdot ≤ leq ≥ geq ≠ neq "
    "≈ approx ≡ equiv ∼ sim ∈ in ∉ notin ⊂ subset ⊆ subseteq ∪ cup ∩ cap ∀ forall ∃ exists → to ← leftarrow "
    "↔ leftrightarrow ⇒ Rightarrow ⇔ Leftrightarrow ↦ mapsto ∧ wedge ∨ vee ⊕ oplus ⊗ otimes ∅ emptyset "
    "ℓ ell ℏ hbar ∘ circ … ldots ⋯ cdots ⟨ langle ⟩ rangle ‖ Vert ∝ propto ∣ mid"
)
_WORDS = f"{_LETTERS} {_OPERATORS}".split()
_SYMBOLS = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
_INVISIBLE = "\u2061\u2062\u2063\u2064\u200b"
_FUNCTIONS = frozenset("sin cos tan cot sec csc log ln exp lim max min sup inf det dim ker gcd arg".split())
_ACCENTS = {"¯": "bar", "‾": "overline", "^": "hat", "ˆ": "hat", "~": "tilde", "˜": "tilde", "˙": "dot"}
_OPERATORS_WITH_LIMITS = ("\\sum", "\\prod", "\\lim", "\\max", "\\min", "\\sup", "\\inf", "\\int")


def latex(element: Any) -> str:
    """The LaTeX of an element of MathML."""
    return " ".join(_latex(element, 0).split())


def _latex(element: Any, depth: int) -> str:
    name = element.tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(element.tag, str) else ""
    if name in ("annotation", "annotation-xml") or not name:
        return ""
    if depth > DEEPEST:
        return "".join(element.itertext())
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return _token(name, "".join(element.itertext()).strip())
    parts = [_latex(child, depth + 1) for child in element if isinstance(child.tag, str)]
    build = _BUILD.get(name)
    if build is not None and len(parts) >= build[0]:
        return build[1](parts)
    if name == "mfenced":
        return f"{element.get('open', '(')}{','.join(parts)}{element.get('close', ')')}"
    if name == "mspace":
        return "\\ "
    return "".join(_joined(parts)) if parts else _token("mtext", (element.text or "").strip())


def _token(name: str, text: str) -> str:
    text = "".join(character for character in text if character not in _INVISIBLE)
    if name == "mtext" and len(text) > 1:
        return f"\\text{{{text}}}"
    if text in _FUNCTIONS:
        return f"\\{text} "
    if name == "mi" and len(text) > 1 and text.isalpha() and text.isascii():
        return f"\\mathrm{{{text}}}"
    return "".join(f"\\{_SYMBOLS[character]} " if character in _SYMBOLS else character for character in text)


def _joined(parts: list[str]) -> list[str]:
    return [part for part in parts if part]


def _group(part: str) -> str:
    part = part.strip()
    return part if len(part) == 1 else f"{{{part}}}"


def _under(parts: list[str]) -> str:
    if _has_limits(parts[0]):
        return f"{parts[0]}_{_group(parts[1])}"
    return f"\\underset{{{parts[1]}}}{{{parts[0]}}}"


def _over(parts: list[str]) -> str:
    accent = _ACCENTS.get(parts[1].strip()) or ("vec" if parts[1].strip() == "\\to" else None)
    if accent:
        return f"\\{accent}{{{parts[0]}}}"
    if _has_limits(parts[0]):
        return f"{parts[0]}^{_group(parts[1])}"
    return f"\\overset{{{parts[1]}}}{{{parts[0]}}}"


def _has_limits(part: str) -> bool:
    return part.strip().startswith(_OPERATORS_WITH_LIMITS)


_BUILD: dict[str, tuple[int, Callable[[list[str]], str]]] = {
    "mfrac": (2, lambda p: f"\\frac{{{p[0]}}}{{{p[1]}}}"),
    "msup": (2, lambda p: f"{p[0]}^{_group(p[1])}"),
    "msub": (2, lambda p: f"{p[0]}_{_group(p[1])}"),
    "msubsup": (3, lambda p: f"{p[0]}_{_group(p[1])}^{_group(p[2])}"),
    "munderover": (3, lambda p: f"{p[0]}_{_group(p[1])}^{_group(p[2])}"),
    "munder": (2, _under),
    "mover": (2, _over),
    "msqrt": (1, lambda p: f"\\sqrt{{{''.join(p)}}}"),
    "mroot": (2, lambda p: f"\\sqrt[{p[1]}]{{{p[0]}}}"),
    "mtable": (1, lambda p: "\\begin{matrix}" + " \\\\ ".join(p) + "\\end{matrix}"),
    "mtr": (1, lambda p: " & ".join(p)),
    "semantics": (1, lambda p: p[0]),
}
"""How many children an element must have, and what is made of them."""
