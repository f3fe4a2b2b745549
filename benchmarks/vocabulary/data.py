"""Texts of five kinds, from any files, as one folder that the other programs here read.

    python -m benchmarks.vocabulary.data FOLDER --russian PATH... --english PATH... --technical PATH...
        --code PATH... --other PATH... [--megabytes N] [--bytes N]

A path is a file or a folder. Read are plain text (.txt, .md, .rst, man pages), records (.jsonl, .json,
.csv, .tsv: their strings that are prose), sentences of treebanks (.conllu), and Python files: as they are for
`--code`, their docstrings for the other kinds; each also with .gz. For `--russian` only strings of mostly
Cyrillic letters count, for `--english` of Latin ones. Of each kind at most `--megabytes` are taken, files in
an order that does not depend on their folders.

Where two folders hold a file of the same name below them, only that of the first is read.

FOLDER gets a Parquet file for each kind, with the columns `work` and `text`. A work is what is never divided
between learning and held-out text: a file, a record, or, of files above 2 MB, which are collections, each
stretch of 16 kB. A text is a stretch of a work, of whole lines and at most `--bytes` long.
"""

import argparse
import ast
import csv
import gzip
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

KINDS = ("russian", "english", "technical", "code", "other")
SCRIPTS = {"russian": "[а-яёА-ЯЁ]", "english": "[a-zA-Z]"}
COLLECTION = 2_000_000
STRETCH = 16_000
RECORDS = {".jsonl", ".json", ".csv", ".tsv", ".conllu"}
PLAIN = {"", ".txt", ".md", ".rst", *(f".{section}" for section in range(1, 9))}


def texts(folder: Path, *kinds: str) -> dict[str, list[str]]:
    """The works of these kinds in a prepared folder: name to texts."""
    works: dict[str, list[str]] = {}
    for kind in kinds:
        table = pq.read_table(folder / f"{kind}.parquet")
        for work, text in zip(table["work"].to_pylist(), table["text"].to_pylist(), strict=True):
            works.setdefault(f"{kind} {work}", []).append(text)
    return works


def dealt(works: dict[str, list[str]], shares: dict[str, float]) -> dict[str, list[str]]:
    """The texts of whole works dealt to names by their shares of all bytes: large works first, each to the
    name that lacks most."""
    size = {work: sum(len(text.encode()) for text in found) for work, found in works.items()}
    lacking = {name: share * sum(size.values()) for name, share in shares.items()}
    found: dict[str, list[str]] = {name: [] for name in shares}
    for work in sorted(works, key=lambda work: (-size[work], _digest(work))):
        name = max(lacking, key=lambda name: lacking[name])
        lacking[name] -= size[work]
        found[name] += works[work]
    return found


def works_of(path: Path, kind: str) -> Iterator[str]:
    """The texts of a file that are never divided; none of one that is not what its name says."""
    try:
        contents = list(_contents(path, kind))
    except (ValueError, SyntaxError, RecursionError, csv.Error, OSError):
        return
    for text in contents:
        if not _in_script(text, kind):
            continue
        yield from stretches(text, STRETCH) if len(text.encode()) > COLLECTION else [text]


def stretches(text: str, most: int) -> Iterator[str]:
    """Whole lines together, up to so many bytes; a longer line is cut."""
    held: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        for part in (line[at : at + most // 4] for at in range(0, len(line), most // 4)):
            length = len(part.encode())
            if size + length > most:
                yield "".join(held)
                held, size = [], 0
            held.append(part)
            size += length
    yield "".join(held)


def _contents(path: Path, kind: str) -> Iterator[str]:
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix
    if suffix not in ({".py"} if kind == "code" else {".py", *RECORDS, *PLAIN}):
        return
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = content.decode().replace("\r\n", "\n")
    if suffix == ".py" and kind == "code":
        yield text
    elif suffix == ".py":
        yield "\n\n".join(_docstrings(text))
    elif suffix in (".jsonl", ".json"):
        yield from ("\n".join(_strings(json.loads(line), kind)) for line in text.splitlines() if line.strip())
    elif suffix in (".csv", ".tsv"):
        separator, quoting = ("\t", csv.QUOTE_NONE) if suffix == ".tsv" else (",", csv.QUOTE_MINIMAL)
        csv.field_size_limit(1 << 30)
        rows = csv.reader(text.splitlines(), delimiter=separator, quoting=quoting)
        records = ["\n".join(_strings(row, kind)) for row in rows]
        yield from stretches("\n".join(records), STRETCH)
    elif suffix == ".conllu":
        yield from stretches("\n".join(re.findall(r"(?m)^# text = (.*)$", text)), STRETCH)
    else:
        yield text


def _docstrings(source: str) -> Iterator[str]:
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node)
            if found and len(found) > 100:
                yield found


def _strings(record: Any, kind: str) -> list[str]:
    """The strings in a record that are prose: several words in the script of their kind."""
    if isinstance(record, str):
        return [record] if len(record) > 20 and " " in record and _in_script(record, kind) else []
    inner = record.values() if isinstance(record, dict) else record if isinstance(record, list) else ()
    return [text for value in inner for text in _strings(value, kind)]


def _in_script(text: str, kind: str) -> bool:
    """Whether most letters are of the script of this kind."""
    return kind not in SCRIPTS or 2 * len(re.findall(SCRIPTS[kind], text)) > len(
        re.findall(r"[^\W\d_]", text)
    )


def _files(paths: list[Path]) -> list[Path]:
    """All files, in an order that neither names nor folders decide; of several of one name, as of two
    environments with one library, the first."""
    found: dict[str, Path] = {}
    for path in paths:
        for file in [path] if path.is_file() else path.rglob("*"):
            if file.is_file() and not file.is_symlink() and file.name != "README":
                found.setdefault(str(file.relative_to(path.parent)), file)
    return [found[name] for name in sorted(found, key=lambda name: (_digest(name), name))]


def _digest(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def prepare(folder: Path, kind: str, paths: list[Path], megabytes: float, most: int) -> None:
    """Write the Parquet file of a kind, without works that are equal to an earlier one."""
    columns: dict[str, list[str]] = {"work": [], "text": []}
    seen: set[int] = set()
    size = 0
    for file in _files(paths):
        if size >= 1e6 * megabytes:
            break
        for number, work in enumerate(works_of(file, kind)):
            digest = _digest(work)
            if digest in seen or len(work) < 100:
                continue
            seen.add(digest)
            size += len(work.encode())
            found = [text for text in stretches(work, most) if text.strip()]
            columns["text"] += found
            columns["work"] += [f"{file} {number}"] * len(found)
    pq.write_table(pa.table(columns), folder / f"{kind}.parquet", compression="zstd")
    print(
        f"{kind}: {len(seen):,} works, {len(columns['text']):,} texts, {size / 1e6:.1f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", nargs="+", type=Path, default=[])
    parser.add_argument("--megabytes", type=float, default=20, help="of each kind at most")
    parser.add_argument("--bytes", type=int, default=2000, help="longest text")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        prepare(options.folder, kind, getattr(options, kind), options.megabytes, options.bytes)


if __name__ == "__main__":
    main()
