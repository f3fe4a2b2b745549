"""Croissant metadata: the files of a run for machines, by the specification of MLCommons, version 1.0.

Version 1.0, as every reader of 1.1 reads it too; `rai:` are the terms of its extension for responsible AI,
http://mlcommons.org/croissant/RAI/1.0.

A FileObject has to have the SHA-256 of its bytes, and data files have another hash (`coupage.json`, xxh3).
To hash hundreds of terabytes again for a page takes days, and a thousand data files would be a thousand
objects: so the data files of a mixture are one FileSet, which needs no hash, and what is small is hashed:
`coupage.json`, through which every data file can be checked, and `segments.parquet`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mixers.shard_index import INDEX_FILE, SEGMENTS_FILE
from pipelines.report.publishing.card import known_limits, masked
from pipelines.report.publishing.card_metadata import language_codes
from pipelines.report.publishing.origins import origin_in_words, own_sources
from pipelines.sources.licences.spdx import UNKNOWN, listed_ids, operands

CROISSANT, RAI = "http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"
ARROW_STREAM, PARQUET, JSON = (
    "application/vnd.apache.arrow.stream",
    "application/x-parquet",
    "application/json",
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives."""
_IDS = {"uint16": "cr:UInt16", "int32": "cr:Int32"}
_ROWS = (
    ("seq_lengths", "cr:Int32", True, "Tokens of each document in the row, in order."),
    ("group", "sc:Text", False, "The group of its documents."),
    ("assistant_masks", "cr:UInt8", True, "1 where a token bears loss; null: all do."),
)
_SEGMENTS = (
    ("row", "cr:Int64", "The row that the segment lies in."),
    ("position", "cr:Int32", "Which document of the row it belongs to."),
    ("doc_id", "sc:Text", "The document."),
    ("first_token", "cr:Int64", "Its first token among those of the document."),
    ("tokens", "cr:Int32", "Its number of tokens."),
    ("epoch", "cr:Int32", "How often the document was used before."),
    ("bytes", "cr:Int64", "Bytes of UTF-8 that it stands for."),
)


def croissant(content: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a report, as JSON-LD. Its paths begin at the run's folder."""
    shards = {} if content["unfinished"] else content["shards"]
    lineage = content.get("lineage") or {}
    found = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": content["name"],
        "description": _description(content),
        "conformsTo": [CROISSANT, RAI],
        "version": "1.0.0",
        "citeAs": _citation(content["name"], lineage),
        "datePublished": lineage.get("written"),
        "dateCreated": lineage.get("ended"),
        "license": _licences(content),
        "inLanguage": language_codes(own_sources(content)),
        "keywords": ["language model", "pretraining", "tokenized text"],
        **_responsible(content),
        "distribution": [each for name, facts in shards.items() for each in _files(name, facts)],
        "recordSet": [each for name, facts in shards.items() for each in _records(name, facts)],
    }
    return {key: value for key, value in found.items() if value}


def _citation(name: str, lineage: dict[str, Any]) -> str:
    """How the dataset is cited: who made it is for its makers to add."""
    made = f"built by Coupage, recipe {lineage['recipe_fingerprint']}" if lineage else "built by Coupage"
    year = f", year = {{{lineage['ended'][:4]}}}" if lineage.get("ended") else ""
    return f"@misc{{{name}, title = {{{name}}}, howpublished = {{{made}}}{year}}}"


def _description(content: dict[str, Any]) -> str:
    said = " ".join(content["description"].split())
    what = "Token ids for language models, packed into rows in the order of training, built by Coupage."
    return f"{said} {what}".strip()


def _licences(content: dict[str, Any]) -> list[str]:
    """The licences of what was kept, as addresses of SPDX's list where they are on it."""
    kept = [row["licence"] for row in content["licences"] if row["kept"]]
    names = sorted({name for each in kept for name in (operands(each) if each != UNKNOWN else [each])})
    listed = set(listed_ids().values())
    return [f"https://spdx.org/licenses/{name}.html" if name in listed else name for name in names]


def _responsible(content: dict[str, Any]) -> dict[str, Any]:
    """What the extension for responsible AI asks: where the data come from, what was done, what is wrong."""
    made = sorted({each["model"] for each in content["synthesis"]})
    return {
        "rai:dataCollection": " ".join(
            f"{each['source']}: {origin_in_words(each)}." for each in content["origins"]
        ),
        "rai:dataPreprocessingProtocol": list(_preprocessing(content)),
        "rai:personalSensitiveInformation": [
            f"{each['source']}: "
            + (
                ", ".join(f"{number:,} {kind}" for kind, number in each["counts"].items() if number)
                or "nothing"
            )
            + " masked."
            for each in masked(content)
        ]
        or ["No personal data was masked."],
        "rai:dataLimitations": known_limits(content),
        "rai:machineAnnotationTools": made,
        "rai:dataUseCases": ["Training of language models."],
    }


def _preprocessing(content: dict[str, Any]) -> Iterator[str]:
    for source in own_sources(content):
        if source["kept"] is not None:
            dropped = sorted(source["dropped"].items(), key=lambda row: (-row[1], row[0]))
            reasons = ", ".join(f"{reason}: {number:,}" for reason, number in dropped)
            yield (
                f"{source['source']}: of {source['documents']:,} documents {source['kept']:,} kept"
                f"{f' (dropped for {reasons})' if reasons else ''}."
            )
    if content["contamination"]:
        yield content["contamination"]["in_words"]


def _files(name: str, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    folder = f"shards/{name}"
    yield {
        "@type": "cr:FileSet",
        "@id": f"{name}-data",
        "name": f"{name}-data",
        "description": f"Rows of {name} in {facts['files']:,} Arrow IPC streams, {facts['bytes']:,} bytes; "
        f"their sizes and hashes are in {folder}/{INDEX_FILE}.",
        "encodingFormat": ARROW_STREAM,
        "includes": f"{folder}/data-*.arrow",
    }
    for what, file, encoding in (("segments", SEGMENTS_FILE, PARQUET), ("index", INDEX_FILE, JSON)):
        yield _file(f"{name}-{what}", f"{folder}/{file}", encoding, facts[what])


def _file(name: str, path: str, encoding: str, facts: dict[str, Any]) -> dict[str, Any]:
    """A single file; one that is too large to be hashed as a set of one."""
    described = {"@id": name, "name": name, "encodingFormat": encoding}
    if facts["sha256"] is None:
        return {"@type": "cr:FileSet", **described, "includes": path}
    hashed = {"contentUrl": path, "contentSize": f"{facts['bytes']} B", "sha256": facts["sha256"]}
    return {"@type": "cr:FileObject", **described, **hashed}


def _records(name: str, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    ids = ("input_ids", _IDS[facts["dtype"]], True, "The token ids of the row.")
    rows = [_field(f"{name}-rows", f"{name}-data", "fileSet", *field) for field in (ids, *_ROWS)]
    yield _record_set(f"{name}-rows", f"{facts['rows']:,} packed rows, in the order of training.", rows)
    kind = "fileSet" if facts["segments"]["sha256"] is None else "fileObject"
    segments = [
        _field(f"{name}-segment-rows", f"{name}-segments", kind, field, data_type, False, said)
        for field, data_type, said in _SEGMENTS
    ]
    said = f"{facts['segments']['rows']:,} segments: which part of which document lies where."
    yield _record_set(f"{name}-segment-rows", said, segments)


def _record_set(name: str, description: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "field": fields}


def _field(
    record_set: str, file: str, kind: str, column: str, data_type: str, repeated: bool, description: str
) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column}",
        "name": column,
        "description": description,
        "dataType": data_type,
        **({"repeated": True} if repeated else {}),
        "source": {kind: {"@id": file}, "extract": {"column": column}},
    }
