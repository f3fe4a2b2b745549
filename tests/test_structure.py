"""The house: imports run downwards, without a cycle; few rooms, each of which says what it is for."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {
    "coupage": {"pipelines", "filters", "mixers", "tokenizer_tools", "trainers", "recipes"},
    "pipelines": {"filters", "mixers", "tokenizer_tools", "trainers", "recipes"},
    "trainers": {"mixers", "tokenizer_tools"},
    "mixers": {"tokenizer_tools"},
    "filters": set(),
    "tokenizer_tools": set(),
    "recipes": set(),
}
PLAN = {
    "pipelines": (
        "__main__",
        "cli",
        "commands",
        "report",
        "graph",
        "stages evaluation",
        "recipe",
        "synthesis",
        "sources",
        "execution",
        "errors plain settings",
    ),
    "filters": ("edits quality language", "pii dedup classify contamination", "text"),
}
"""The floors of a package from the top down, and the rooms on each: its files and folders.

A room imports only from floors below its own.
"""


@cache
def imports(path: Path) -> set[str]:
    """The modules of the project that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] in BELOW}


def modules() -> dict[str, Path]:
    paths = [path for package in BELOW for path in sorted((ROOT / package).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def test_imports_run_downwards():
    for name, path in modules().items():
        package = name.split(".")[0]
        above = {other for other in imports(path) if other.split(".")[0] not in BELOW[package] | {package}}
        assert not above, f"{path} imports {above}"


def test_no_module_imports_itself_in_a_circle():
    known = modules()
    graph = {name: imports(path) & known.keys() for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in known:
        visit(name, ())


@pytest.mark.parametrize("package", PLAN)
def test_every_room_stands_on_its_floor(package):
    height = {room: -floor for floor, rooms in enumerate(PLAN[package]) for room in rooms.split()}
    there = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__", "__pycache__"} == height.keys()
    own = {name: path for name, path in modules().items() if name.startswith(f"{package}.")}
    for name, path in own.items():
        room = name.split(".")[1]
        others = {other.split(".")[1] for other in imports(path) if other.startswith(f"{package}.")}
        above = {other for other in others - {room} if height[other] >= height[room]}
        assert not above, f"{path} imports {above}, not from a floor below"


def test_every_folder_says_what_it_is_for():
    for package in sorted({path.parent for path in modules().values()}):
        assert ast.get_docstring(ast.parse((package / "__init__.py").read_text())), package


def test_tests_mirror_the_rooms():
    folders = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    for folder in {path.parent for path in folders} - {Path("."), Path("versions")}:
        assert (ROOT / folder).is_dir(), f"tests/{folder} has no counterpart"


PRINTERS = {"pipelines/plain.py", "trainers/progress.py"}
"""The files that write on standard output and error, all of it fit to be printed."""
LOOKS_AT = {"isatty", "reconfigure", "fileno"}


def writes_to_a_terminal(tree: ast.AST) -> bool:
    """Whether code prints, makes a console, or writes to a standard stream."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in {"print", "Console", "echo", "secho"} and not on_a_console(node.func):
                return True
        if (
            isinstance(node, ast.Attribute)
            and node.attr not in LOOKS_AT
            and ast.unparse(node.value) in STREAMS
        ):
            return True
    return False


STREAMS = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}


def on_a_console(called: ast.expr) -> bool:
    """Whether it is the `print` of a console that was given or made plain."""
    return isinstance(called, ast.Attribute) and "onsole" in ast.unparse(called.value)


def test_what_is_printed_goes_through_one_place():
    found = {
        path.relative_to(ROOT).as_posix()
        for name, path in modules().items()
        if writes_to_a_terminal(ast.parse(path.read_text()))
    }
    assert found == PRINTERS


@pytest.mark.parametrize(
    "code",
    [
        "print(1)",
        "rich.print(1)",
        "Console().print(1)",
        "typer.echo(1)",
        "sys.stderr.write('')",
        "sys.stdout.buffer.write(b'')",
    ],
)
def test_other_ways_to_print_are_seen(code):
    assert writes_to_a_terminal(ast.parse(code))
