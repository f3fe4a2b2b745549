"""Numbers as the report's page shows them; nothing where there is none."""

from __future__ import annotations

STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
STEPS_OF_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def count(number: float | None) -> str:
    """A number with its thousands apart."""
    return "" if number is None else f"{number:,}"


def short(number: float | None) -> str:
    """About three digits: 1.23 M."""
    if number is None:
        return ""
    for step, letter in STEPS:
        if abs(number) >= step:
            return f"{number / step:.3g} {letter}"
    return f"{number:,.3g}" if isinstance(number, float) else f"{number:,}"


def size(number: float | None) -> str:
    """Bytes: 1.23 MB, by thousands."""
    if number is None:
        return ""
    for step, letter in STEPS_OF_BYTES:
        if number >= step:
            return f"{number / step:.3g} {letter}"
    return f"{number:,} B"


def share(part: float | None, whole: float | None = 1) -> str:
    """A share in percent; nothing of nothing."""
    return "" if part is None or not whole else f"{part / whole:.1%}"


def decimals(number: float | None, digits: int = 3, sign: str = "") -> str:
    """A number with so many digits after the point."""
    return "" if number is None else f"{number:{sign},.{digits}f}"


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours."""
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
