"""The house: imports run downwards, without a cycle, and each folder says what it is for."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
BELOW = {
    "pipelines": {"filters", "mixers", "tokenizer_tools", "trainers", "recipes"},
    "trainers": {"mixers", "tokenizer_tools"},
    "mixers": {"tokenizer_tools"},
    "filters": set(),
    "tokenizer_tools": set(),
    "recipes": set(),
}


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


def test_every_folder_says_what_it_is_for():
    for package in sorted({path.parent for path in modules().values()}):
        assert ast.get_docstring(ast.parse((package / "__init__.py").read_text())), package
