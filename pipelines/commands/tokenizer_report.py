"""`coupage tokenizer report`: how well tokenizers fit documents, what they cost, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from filters.language.identify import LanguageRule
from pipelines.commands.console import PlainConsole
from pipelines.commands.files import given_files
from pipelines.commands.tokenizer import user_errors
from pipelines.commands.tokenizer_tables import print_report
from pipelines.errors import UserError
from pipelines.plain import print_json
from pipelines.sources.base import Quarantine
from pipelines.sources.formats import plan_files
from pipelines.sources.given_files import GivenFiles
from pipelines.sources.language_model import bundled_model, load_identifier
from pipelines.sources.limit import Limit
from pipelines.sources.listing import InputFile
from pipelines.sources.quarantine import count_quarantine
from pipelines.stages.parts import slices_by_text, text_size
from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.cost import Workload, new_parameters
from tokenizer_tools.fit.coverage import Fit
from tokenizer_tools.fit.recommendation import recommend
from tokenizer_tools.fit.trial import Trial, try_extension
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer

SAMPLE_BYTES = 32 << 20
UNIT_BYTES = 1 << 20
"""A large file is read in units of this size, spread evenly over it."""


@dataclass(frozen=True)
class Sample:
    """Documents of all files, and where each belongs."""

    texts: pa.ChunkedArray
    files: pa.Array
    places: list[tuple[str, str]]
    """Domains with languages, sorted."""
    place: pa.Array
    """For each document the number of its place."""
    in_part: list[str]
    """Files of which not all was read."""
    bad_records: dict[str, int]


def show_report(
    tokenizers: list[str],
    paths: list[str],
    *,
    train: tuple[str, float | None],
    serve: tuple[str, float | None],
    hidden_size: int,
    trial: bool,
    messages: str | None,
    json: bool,
) -> None:
    """`coupage tokenizer report`; `train` and `serve` are an amount of text and the price of its tokens."""
    workloads = {"train": _workload("--train-text", *train), "serve": _workload("--serve-text", *serve)}
    with user_errors():
        encoders = {name: Encoder.build(load_tokenizer(name)) for name in dict.fromkeys(tokenizers)}
    sample = _sample(given_files(paths, messages, PlainConsole(stderr=True)))
    with user_errors():
        first, *others = [_measures(name, each, sample, workloads) for name, each in encoders.items()]
    report: dict[str, Any] = first | {
        "beside": others,
        "text": {kind: asdict(load) for kind, load in workloads.items()},
        "measured_in_part": sample.in_part,
        "bad_records": sample.bad_records,
        "recommendation": None,
    }
    if trial:
        base = encoders[tokenizers[0]].files
        found = _recommendation(base, first["unneeded_scripts"], sample, hidden_size)
        if found["verdict"]:
            rate = first["all"]["bytes_per_token"] / (1 - found["expected"]["saved"])
            found["expected_cost"] = {kind: load.cost(rate) for kind, load in workloads.items()}
        report["recommendation"] = found
    if json:
        print_json(report)
    else:
        print_report(report, PlainConsole())


def _workload(option: str, text: str, price: float | None) -> Workload:
    try:
        size = Limit.parse(text).bytes
    except ValueError:
        size = None
    if size is None:
        raise UserError(f"{option} {text}: this is no amount of text", hint="Write it as 500MB, 10GB or 2TB.")
    return Workload(size, price)


def _measures(name: str, encoder: Encoder, sample: Sample, workloads: dict[str, Workload]) -> dict[str, Any]:
    """What is said of each tokenizer."""
    fit = Fit(encoder, sample.texts)
    (everything,) = fit.by().drop_columns("group").to_pylist()
    groups = fit.by(sample.place).to_pylist()
    return {
        "tokenizer": name,
        "vocabulary": fit.vocabulary,
        "backend": encoder.backend,
        "refusal": encoder.refusal,
        "files": fit.by(sample.files).rename_columns({"group": "file"}).to_pylist(),
        "groups": [_at(sample.places[group.pop("group")]) | group for group in groups],
        "all": everything,
        "terms": [asdict(term) for term in fit.worst_terms()],
        "unneeded_scripts": fit.unneeded_scripts(),
        "cost": {kind: load.cost(everything["bytes_per_token"]) for kind, load in workloads.items()},
    }


def _at(place: tuple[str, str]) -> dict[str, str]:
    return {"domain": place[0], "language": place[1]}


def _recommendation(
    base: TokenizerFiles, unneeded: dict[str, int], sample: Sample, hidden_size: int
) -> dict[str, Any]:
    """What to do with a tokenizer; without a verdict where no trial can be made."""
    try:
        trial = try_extension(base, sample.texts)
    except TokenizerError as error:
        return {"verdict": None, "reason": str(error)}
    found = recommend(trial, unneeded)
    return asdict(found) | {
        "curve": [
            asdict(each) | {"parameters": new_parameters(each.tokens, hidden_size)} for each in trial.savings
        ],
        "groups": _savings_by_place(trial, found.expected.tokens, sample),
        "hidden_size": hidden_size,
        "learnt_bytes": trial.learnt_bytes,
        "measured_bytes": trial.measured_bytes,
        "measured_documents": len(trial.documents),
    }


def _savings_by_place(trial: Trial, tokens: int, sample: Sample) -> list[dict[str, Any]]:
    place = sample.place.to_numpy()[trial.documents]
    number = trial.sizes.index(tokens)
    return [
        _at(sample.places[each]) | asdict(trial.saving(number, place == each)) for each in np.unique(place)
    ]


def _sample(given: GivenFiles) -> Sample:
    """About SAMPLE_BYTES of text, an equal share of each file, spread over it."""
    quarantine = Quarantine()
    limit = SAMPLE_BYTES // len(given.files)
    read = {file.path: _spread(given, file, limit, quarantine) for file in given.files}
    tables = {name: table for name, (table, _) in read.items() if table.num_rows}
    bad_records = count_quarantine(quarantine, sum(table.num_rows for table in tables.values()))
    if not tables:
        raise UserError("there is no document in the files", hint="Give files with text in them.")
    documents = pa.concat_tables(tables.values())
    files = [name for name, table in tables.items() for _ in range(table.num_rows)]
    place_of = list(zip(*_labels(documents, files), strict=True))
    places = sorted(set(place_of))
    number = {place: at for at, place in enumerate(places)}
    return Sample(
        texts=documents.column("text"),
        files=pa.array(files, pa.string()),
        places=places,
        place=pa.array([number[place] for place in place_of], pa.int64()),
        in_part=[name for name, (_, whole) in read.items() if not whole],
        bad_records=bad_records,
    )


def _spread(given: GivenFiles, file: InputFile, limit: int, quarantine: Quarantine) -> tuple[pa.Table, bool]:
    """Documents of a file, about `limit` bytes from units spread over it, and whether they are all.

    A file that is one unit, such as a compressed one, is read from its beginning.
    """
    units = list(plan_files([file], UNIT_BYTES))
    step = max(1, -(-sum(unit.bytes for unit in units) // limit))
    chosen = units[::step]
    whole = step == 1
    tables = []
    left = limit
    for number, unit in enumerate(chosen):
        share = left if whole else left // (len(chosen) - number)
        for table in given.read(unit, quarantine):
            first = next(slices_by_text(table, max(share, 0)))
            tables.append(first)
            size = text_size(first.column("text"))
            share, left = share - size, left - size
            if first.num_rows < table.num_rows:
                whole = False
                break
    return pa.concat_tables(tables) if tables else pa.table({}), whole


def _labels(documents: pa.Table, files: list[str]) -> tuple[list[str], list[str]]:
    """Domains and languages of documents: their own fields of these names, else the file, and what it is."""
    metadata = [orjson.loads(each) for each in documents.column("metadata").to_pylist()]
    domains = [_label(fields, "domain") or name for fields, name in zip(metadata, files, strict=True)]
    languages = [_label(fields, "language") for fields in metadata]
    if None in languages:
        identified = load_identifier(str(bundled_model())).identify(documents.column("text").combine_chunks())
        believed = LanguageRule().believed(identified).to_pylist()
        languages = [own or found for own, found in zip(languages, believed, strict=True)]
    return domains, [language or "" for language in languages]


def _label(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None
