"""Makes `linguist.json` from a checkout of github-linguist.

`python -m benchmarks.linguist_table FOLDER`. The patterns are Ruby's, rewritten for `re`. A rule that
cannot be written so is left out and named.
"""

import re
import sys
from pathlib import Path
from typing import Any

import orjson
import yaml

from pipelines.sources.code.table import PATH

_OPTIONS = re.compile(r"\(\?([imx]*)(?:-m)?\)")
_NAMED_GROUP = re.compile(r"\(\?<([A-Za-z_]\w*)>")


_EXPONENTIAL = frozenset(["Vim Help File"])
"""Languages whose pattern takes exponential time on a hostile file; this one's modeline tells it as well."""


def make_table(checkout: Path) -> dict[str, Any]:
    """The table of languages, suffixes, heuristics and paths that a checkout of linguist defines."""
    data = checkout / "lib" / "linguist"
    languages: dict[str, Any] = _yaml(data / "languages.yml")
    return {
        "linguist": (data / "VERSION").read_text().strip(),
        "languages": {name: _language(said) for name, said in sorted(languages.items())},
        "popular": _yaml(data / "popular.yml"),
        "generic_suffixes": _yaml(data / "generic.yml")["extensions"],
        "heuristics": _heuristics(_yaml(data / "heuristics.yml")),
        "vendored": [python_pattern(pattern) for pattern in _yaml(data / "vendor.yml")],
        "documentation": [python_pattern(pattern) for pattern in _yaml(data / "documentation.yml")],
    }


def python_pattern(ruby: str) -> str:
    """A pattern of Ruby as one of Python's `re`, for use with MULTILINE; raises re.error if there is none."""
    pattern = ruby.replace(r"[\s&&[^\r\n]]", r"[^\S\r\n]").replace(r"\z", r"\Z")
    pattern = _NAMED_GROUP.sub(r"(?P<\1>", pattern)
    # An option in the middle holds for the rest of its group; here each such group is the whole pattern.
    while options := _OPTIONS.search(pattern):
        flags = options[1].replace("m", "s")
        rest = pattern[options.end() :]
        end = "\n" if "x" in flags else ""  # a comment may stand at the end
        pattern = pattern[: options.start()] + (f"(?{flags}:{rest}{end})" if flags else rest)
    re.compile(pattern.encode(), re.MULTILINE)
    return pattern


def _language(said: dict[str, Any]) -> dict[str, Any]:
    kept = {
        "type": said["type"],
        "suffixes": [suffix.lower() for suffix in said.get("extensions", [])],
        "names": said.get("filenames", []),
        "interpreters": said.get("interpreters", []),
        "aliases": said.get("aliases", []),
        "folder": said.get("fs_name"),
    }
    return {key: value for key, value in kept.items() if value}


def _heuristics(said: dict[str, Any]) -> list[dict[str, Any]]:
    named = said["named_patterns"]
    heuristics = []
    for group in said["disambiguations"]:
        rules = []
        for rule in group["rules"]:
            languages = rule["language"]
            if str(languages) in _EXPONENTIAL:
                continue
            try:
                conditions = [_condition(part, named) for part in rule.get("and", [rule])]
            except re.error as error:
                print(f"left out: {languages} of {' '.join(group['extensions'])}: {error}", file=sys.stderr)
                continue
            rules.append(
                {
                    "languages": languages if isinstance(languages, list) else [languages],
                    "conditions": [condition for condition in conditions if condition],
                }
            )
        heuristics.append({"suffixes": group["extensions"], "rules": rules})
    return heuristics


def _condition(said: dict[str, Any], named: dict[str, Any]) -> dict[str, str]:
    """What must be found (`has`) or must not (`lacks`); of a rule with both the first, as in linguist."""
    if "pattern" in said or "named_pattern" in said:
        return {"has": _union(said["pattern"] if "pattern" in said else named[said["named_pattern"]])}
    return {"lacks": _union(said["negative_pattern"])} if "negative_pattern" in said else {}


def _union(patterns: str | list[str]) -> str:
    if isinstance(patterns, str):
        return python_pattern(patterns)
    return "|".join(f"(?:{python_pattern(pattern)})" for pattern in patterns)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    table = make_table(Path(sys.argv[1]))
    PATH.write_bytes(orjson.dumps(table, option=orjson.OPT_INDENT_2) + b"\n")
