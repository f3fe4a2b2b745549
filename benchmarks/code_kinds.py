"""What we decide of source files beside what github-linguist's own tests expect.

`python benchmarks/code_kinds.py FOLDER_OF_LINGUIST`, a checkout of https://github.com/github-linguist/linguist.
Its tests are read, not run: every assertion of a file's kind that stands on one line.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.sources.code.content import is_binary
from pipelines.sources.code.generated import generated_kind
from pipelines.sources.code.languages import language_of
from pipelines.sources.code.table import linguist
from pipelines.sources.code.vendored import is_documentation, is_vendored

_BLOB = re.compile(
    r'(assert|refute)(?:_predicate)? (!?)(sample|fixture)_blob\(["\']([^"\']+)["\']\)(?:\.|, :)(\w+)\?'
)
_GENERATED = re.compile(r'^ +generated_(sample|fixture)_\w+_data\("([^"]+)"(, true)?\)', re.MULTILINE)
_OTHER_FOLDERS = ("Binary", "Data", "Generated")


class Expectation(NamedTuple):
    """One assertion of linguist's tests."""

    kind: str
    path: str
    """Within the folder of samples or fixtures."""
    file: Path
    """May not be there, where the path alone counts."""
    wanted: bool


def expectations(checkout: Path) -> Iterator[Expectation]:
    """What linguist's tests of files say."""
    roots = {"sample": checkout / "samples", "fixture": checkout / "test" / "fixtures"}
    for name in ("test_file_blob.rb", "test_blob.rb"):
        for verb, negated, root, path, kind in _BLOB.findall((checkout / "test" / name).read_text()):
            yield Expectation(kind, path, roots[root] / path, (verb == "assert") is not bool(negated))
    for root, path, negated in _GENERATED.findall((checkout / "test" / "test_generated.rb").read_text()):
        yield Expectation("generated", path, roots[root] / path, not negated)


def decisions() -> dict[str, Callable[[str, bytes], bool]]:
    """How we decide each kind."""
    return {
        "generated": lambda path, content: generated_kind(path, content) is not None,
        "vendored": lambda path, content: is_vendored(path),
        "documentation": lambda path, content: is_documentation(path),
        "binary": lambda path, content: is_binary(content),
        "text": lambda path, content: not is_binary(content),
    }


def compare_kinds(checkout: Path) -> None:
    """Print for each kind how often we agree, and where we do not."""
    agreed, asked = Counter[str](), Counter[str]()
    decide = decisions()
    for kind, path, file, wanted in expectations(checkout):
        if kind in decide:
            content = file.read_bytes() if file.is_file() else b""
            asked[kind] += 1
            agreed[kind] += decide[kind](path, content) is wanted
            if decide[kind](path, content) is not wanted:
                print(f"{'not ' * (not wanted)}{kind} for linguist: {path}")
    for kind, number in asked.items():
        print(f"{kind}: {agreed[kind]} of {number}")


def compare_languages(folder: Path) -> None:
    """Print for how many of the files in folders named after languages we tell that language."""
    names = {said.get("folder", name): name for name, said in linguist()["languages"].items()}
    wrong: Counter[tuple[str, str]] = Counter()
    files = marked = 0
    for file in sorted(path for path in folder.glob("*/**/*") if path.is_file()):
        parts = file.relative_to(folder).parts
        if parts[0] in _OTHER_FOLDERS:
            continue
        wanted = parts[-2] if parts[0] == "Generic" else parts[0]
        content = file.read_bytes()
        found = language_of(str(file), content)
        expected = None if wanted == "nil" else names.get(wanted, wanted)
        files += 1
        marked += generated_kind(str(file.relative_to(folder)), content) is not None
        if (found and found.name) != expected:
            wrong[(str(expected), found.name if found else "none")] += 1
    print(
        f"{folder.name}: languages of {files - wrong.total()} of {files} files; {marked} count as generated"
    )
    for (expected, found_name), number in wrong.most_common():
        print(f"  {number} {expected}, taken for {found_name}")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    compare_kinds(root)
    compare_languages(root / "samples")
    compare_languages(root / "test" / "fixtures")
