"""The metadata of a dataset card, by which the hub finds, filters and loads a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml

from filters.language.language_codes import UNKNOWN as UNDETERMINED
from mixers.printable import one_line
from pipelines.recipe.recipe import HELD_OUT
from pipelines.report.publishing.origins import DATASET, own_sources
from pipelines.sources.licences.spdx import UNKNOWN, listed_ids, operands

LICENCES = frozenset(
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 "
    "bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda "
    "cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 "
    "cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 "
    "cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 "
    "etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research "
    "intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql "
    "ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license fair-noncommercial-research-license "
    "llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma grok2-community".split()
)
"""The hub's identifiers, from its page on licences."""
_OF_SPDX = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl"}
OTHER = "other"
SIZES = (
    *((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")),
    *((10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B")),
    *((10**11, "10B<n<100B"), (10**12, "100B<n<1T")),
)
"""The hub's sizes: rows below the number."""
LEAST_SHARE = 0.01
"""Of the documents kept: a language with less is not named, as identification errs so often."""
LONGEST = 96
"""Characters of a name."""


def front_matter(content: dict[str, Any]) -> str:
    """The metadata as the YAML block that a card begins with."""
    return f"---\n{yaml.safe_dump(card_metadata(content), sort_keys=False, allow_unicode=True)}---\n"


def card_metadata(content: dict[str, Any]) -> dict[str, Any]:
    """The metadata; a key of which nothing is known is left out.

    What is read with `load_dataset` is only named once the run is finished: then it lies where it is said.
    """
    shards = {} if content["unfinished"] else content["shards"]
    languages = language_codes(own_sources(content))
    rows = sum(each["rows"] for each in shards.values())
    synthetic = any(source["synthetic"] for source in content["sources"])
    found = {
        "pretty_name": _short(content["name"]),
        **_licence(row["licence"] for row in content["licences"] if row["kept"]),
        "language": languages,
        "multilinguality": ["multilingual" if len(languages) > 1 else "monolingual"] if languages else [],
        "task_categories": ["text-generation"],
        "size_categories": [_size(rows)] if rows else [],
        "source_datasets": sorted(
            {_short(each["dataset"]) for each in content["origins"] if each["kind"] == DATASET}
        ),
        "annotations_creators": ["no-annotation"],
        "language_creators": ["found", *(["machine-generated"] if synthetic else [])],
        "tags": ["coupage", "pretraining", "tokenized", *(["synthetic"] if synthetic else [])],
        "configs": [_config(name) for name in shards],
        "dataset_info": [_info(name, each) for name, each in shards.items()],
    }
    return {key: value for key, value in found.items() if value}


def language_codes(sources: Iterable[dict[str, Any]]) -> list[str]:
    """The ISO 639 codes of the languages of the documents kept, the most frequent first."""
    kept: Counter[str] = Counter()
    for source in sources:
        for language, numbers in source["languages"].items():
            kept[language.partition("-")[0]] += numbers["kept"]
    least = LEAST_SHARE * kept.total()
    named = (code for code, number in kept.most_common() if number and number >= least)
    return [code for code in named if code != UNDETERMINED and code.isascii() and code.isalpha()]


def _licence(expressions: Iterable[str]) -> dict[str, Any]:
    """The licences of what was kept; of those that the hub has no identifier for, a name and a link."""
    names = sorted({name for each in expressions for name in _single(each)}, key=str.casefold)
    others = [name for name in names if _hub_id(name) is None]
    known = filter(None, map(_hub_id, names))
    ids = list(dict.fromkeys((*known, *(OTHER for _ in others))))
    found: dict[str, Any] = {"license": ids[0] if len(ids) == 1 else ids} if ids else {}
    if len(others) == 1:
        found["license_name"] = _short(others[0]).casefold()
        if others[0] in listed_ids().values():
            found["license_link"] = f"https://spdx.org/licenses/{others[0]}.html"
    elif others:
        found["license_name"] = "several-licences"
    return found


def _single(expression: str) -> list[str]:
    return [UNKNOWN] if expression == UNKNOWN else operands(expression)


def _hub_id(licence: str) -> str | None:
    """The hub's identifier of a single SPDX licence; None where it has none."""
    folded = licence.casefold().removeprefix("licenseref-")
    folded = _OF_SPDX.get(folded, folded).removesuffix("-only").removesuffix("-or-later")
    return folded if folded in LICENCES | {UNKNOWN} else None


def _size(rows: int) -> str:
    return next((name for below, name in SIZES if rows < below), "n>1T")


def split_of(name: str) -> str:
    """The split that the rows of a mixture are."""
    return "validation" if name == HELD_OUT else "train"


def _config(name: str) -> dict[str, Any]:
    return {
        "config_name": name,
        "data_files": [{"split": split_of(name), "path": f"shards/{name}/data-*.arrow"}],
    }


def _info(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    split = {"name": split_of(name), "num_bytes": facts["bytes"], "num_examples": facts["rows"]}
    return {
        "config_name": name,
        "features": [
            {"name": "input_ids", "list": facts["dtype"]},
            {"name": "seq_lengths", "list": "int32"},
            {"name": "group", "dtype": "string"},
            {"name": "assistant_masks", "list": "uint8"},
        ],
        "splits": [split],
        "download_size": facts["bytes"],
        "dataset_size": facts["bytes"],
    }


def _short(text: str) -> str:
    return one_line(text)[:LONGEST]
