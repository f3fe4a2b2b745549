"""The domains that most of the crawled text comes from, as the EU's template asks for them.

It asks for the top 10 % of all domain names by the size of the content; of small and medium-sized providers
for the top 5 %, or 1,000 where that is less. Pages of datasets that others have compiled are not among them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

import polars as pl

from mixers.printable import one_line
from pipelines.report.publishing.origins import WEB

DOMAINS = "eu_training_domains.csv"
HEADER = ("domain", "bytes")
SHARE, SMALL_SHARE, SMALL_MOST = 0.10, 0.05, 1_000
SHOWN = 50
"""Domains that the summary itself names; all are in the file."""
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Domains:
    """The domains of crawled text."""

    all: int
    """How many there are."""
    top: pl.DataFrame
    """`domain` and `bytes` of the first tenth of them, the largest first."""

    @property
    def small(self) -> int:
        """How many of these a small or medium-sized provider has to list."""
        return min(ceil(self.all * SMALL_SHARE), SMALL_MOST)

    @property
    def first(self) -> list[tuple[str, int]]:
        """The largest."""
        return self.top.head(SHOWN).rows()


def crawled_sources(content: dict[str, Any]) -> list[str]:
    """The sources that are pages of the web which no dataset of others has compiled."""
    return [each["source"] for each in content["origins"] if each["kind"] == WEB]


def top_domains(hosts: Iterable[pl.DataFrame]) -> Domains | None:
    """The largest domains of tables of hosts, with columns `host` and `bytes`; None where there is none."""
    tables = [table.select(domain=pl.col("host"), bytes=pl.col("bytes").cast(pl.Int64)) for table in hosts]
    if not tables:
        return None
    sizes = pl.concat(tables).group_by("domain").agg(pl.sum("bytes"))
    sizes = sizes.sort("bytes", "domain", descending=[True, False])
    return Domains(len(sizes), sizes.head(ceil(len(sizes) * SHARE))) if len(sizes) else None


def domains_csv(domains: Domains) -> bytes:
    """The domains as a table that spreadsheets open; no cell of it is a formula there."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((_cell(domain), size) for domain, size in domains.top.iter_rows())
    return text.getvalue().encode()


def _cell(text: str) -> str:
    """A text that no spreadsheet computes."""
    plain = one_line(text)
    return f"'{plain}" if plain.lstrip().startswith(_FORMULA) else plain
