"""Plain tables on the terminal."""

from collections.abc import Iterable, Sequence


def show(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; the first column to the left, figures to the right."""
    cells = [list(map(str, head)), *(list(map(str, row)) for row in rows)]
    width = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for row in cells:
        first, *others = (
            cell.rjust(size) if at else cell.ljust(size)
            for at, (cell, size) in enumerate(zip(row, width, strict=True))
        )
        print("  ".join([first, *others]).rstrip(), flush=True)


def share(found: Iterable[bool]) -> str:
    """A percentage with its number of cases, such as `98.5 % of 400`."""
    cases = list(found)
    return f"{100 * sum(cases) / len(cases):.1f} % of {len(cases)}" if cases else "-"


def excerpt(text: str, start: int, end: int, around: int = 60) -> str:
    """The span in brackets with what stands around it, on one line."""
    inside = text[start:end]
    if len(inside) > 300:
        inside = f"{inside[:150]} ... {inside[-150:]}"
    pieces = text[max(0, start - around) : start], "[[", inside, "]]", text[end : end + around]
    return " ".join("".join(pieces).split())
