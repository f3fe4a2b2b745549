"""datatrove's filters by name: documents go in as its `Document`s, verdicts come back.

Only classes of datatrove's own package of filters are taken, so a recipe cannot name arbitrary code.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pyarrow as pa

if TYPE_CHECKING:
    from datatrove.data import Document
    from datatrove.pipeline.filters.base_filter import BaseFilter

PACKAGE = "datatrove.pipeline.filters"
COLUMNS = ["doc_id", "text", "source", "domain", "language", "license", "url", "metadata"]
"""What a filter may ask of a document."""
ERROR = "error"
LONGEST_REASON = 100
_WRITER = "exclusion_writer"
_SEED = "seed"


class Verdicts(NamedTuple):
    """What a filter says of documents."""

    reasons: pa.StringArray
    """Null for a document that passes, else why it does not, or an empty text."""
    errors: int
    """Documents on which the filter failed; their reason is `error` and the kind of error."""


def short_name(name: str) -> str:
    """The class of a filter, without its package."""
    return name.replace(":", ".").rpartition(".")[2]


def filter_class(name: str) -> type[BaseFilter]:
    """The filter of this name: `URLFilter`, or with its package, `datatrove.pipeline.filters:URLFilter`.

    Raises:
        ValueError: There is none in datatrove's package of filters; the message names the nearest.
    """
    from datatrove.pipeline import filters
    from datatrove.pipeline.filters.base_filter import BaseFilter

    known: dict[str, type[BaseFilter]] = {
        key: value
        for key, value in vars(filters).items()
        if isinstance(value, type) and issubclass(value, BaseFilter) and value is not BaseFilter
    }
    short = short_name(name)
    package = name.removesuffix(short).replace(":", ".")
    if short in known and (not package or package.startswith(f"{PACKAGE}.")):
        return known[short]
    near = difflib.get_close_matches(short, known, n=1, cutoff=0.0)[0]
    raise ValueError(f"there is no filter `{name}` in {PACKAGE}; did you mean `{near}`?")


def check_options(name: str, options: dict[str, Any]) -> None:
    """Raise ValueError if the filter does not exist or does not take these options."""
    parameters = _parameters(filter_class(name))
    for option in options:
        if option not in parameters:
            near = difflib.get_close_matches(option, parameters, n=1, cutoff=0.0)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise ValueError(f"{name} has no option `{option}`{hint}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise ValueError(f"{name} needs the option `{option}`")
        if "Callable" in str(parameter.annotation) and option in options:
            raise ValueError(f"`{option}` of {name} is a Python function, which no recipe can hold")


def _parameters(kind: type[BaseFilter]) -> dict[str, inspect.Parameter]:
    """What a recipe may set."""
    parameters = inspect.signature(kind).parameters
    return {name: parameter for name, parameter in parameters.items() if name != _WRITER}


class DatatroveFilter:
    """A filter that is ready to judge.

    Where a filter draws at random it takes the option `seed`, 0 when left out, so that a part is judged alike
    whenever it is judged.

    Raises:
        ImportError: A package that the filter needs is not installed.
        ValueError: It cannot be set up, or lacks what it fetches.
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        kind = filter_class(name)
        self.name = kind.__name__
        if _SEED in _parameters(kind):
            options = {_SEED: 0, **options}
        try:
            self._filter = kind(**options)
        except Exception as error:
            raise self._failed(error) from error

    def judge(self, documents: pa.Table) -> Verdicts:
        """The verdict on each document; the table has the columns `COLUMNS` of a corpus part.

        A document on which the filter fails does not pass. An edit of its text by the filter is not kept.
        """
        size = max(1, self._filter.batch_size)
        reasons: list[str | None] = []
        errors = 0
        for batch in documents.select(COLUMNS).to_batches(max_chunksize=size):
            for found, failed in self._judge_batch(batch):
                reasons.append(found)
                errors += failed
        return Verdicts(pa.array(reasons, pa.string()), errors)

    def _judge_batch(self, batch: pa.RecordBatch) -> Iterator[tuple[str | None, bool]]:
        rows = batch.to_pylist()
        try:
            results = self._filter.filter_batch([_document(row) for row in rows])
            yield from [(_reason(result), False) for result in results]
        except (ImportError, OSError) as error:
            raise self._failed(error) from error
        except Exception as error:
            if len(rows) == 1:
                yield f"{ERROR} ({type(error).__name__})", True
                return
            for row in range(len(rows)):
                yield from self._judge_batch(batch.slice(row, 1))

    def _failed(self, error: Exception) -> ImportError | ValueError:
        """The error of a filter that cannot work at all, on any document."""
        kind = ImportError if isinstance(error, ImportError) else ValueError
        return kind(f"datatrove's {self.name}: {type(error).__name__}: {error}")


def _document(row: dict[str, Any]) -> Document:
    from datatrove.data import Document

    fields = {key: row[key] for key in COLUMNS[2:-1] if row[key] is not None}
    return Document(text=row["text"], id=row["doc_id"], metadata=orjson.loads(row["metadata"]) | fields)


def _reason(result: bool | tuple[bool, str]) -> str | None:
    from datatrove.pipeline.filters.base_filter import get_filter_result

    passes, reason = get_filter_result(result)
    return None if passes else str(reason or "")[:LONGEST_REASON]
