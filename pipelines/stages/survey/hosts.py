"""Hosts: where the documents of a part come from."""

from __future__ import annotations

import polars as pl

HOST = r"^(?:[^?#]*@)?(\[[0-9a-fA-F:.]+\]|[^?#:@\s\[\]\\]+)"
"""The host of an authority (RFC 3986, section 3.2), without user and port."""
HOST_NUMBERS = {
    "host": pl.String,
    "documents": pl.Int64,
    "bytes": pl.Int64,
    "kept_documents": pl.Int64,
    "kept_bytes": pl.Int64,
}


def hosts(documents: pl.DataFrame) -> pl.DataFrame:
    """The documents of each host (HOST_NUMBERS), of those that have a URL.

    Args:
        documents: `url`, `bytes` and `keep`.
    """
    pieces = pl.col("url").str.splitn("/", 4).struct
    is_address = pieces.field("field_0").str.ends_with(":") & (pieces.field("field_1") == "")
    addressed = documents.filter(is_address).select("bytes", "keep", authority=pieces.field("field_2"))
    host = pl.col("authority").str.extract(HOST, 1).str.to_lowercase().str.strip_chars_end(".")
    by_host = _sums(_numbers(addressed), "authority").with_columns(host=host.str.strip_prefix("www."))
    return _sums(by_host.filter(pl.col("host") != ""), "host").sort("host")


def _numbers(documents: pl.DataFrame) -> pl.DataFrame:
    """What each document adds to the numbers of its host."""
    kept = pl.col("keep").cast(pl.Int64)
    return documents.with_columns(
        documents=pl.lit(1, pl.Int64), kept_documents=kept, kept_bytes=kept * pl.col("bytes")
    )


def _sums(numbers: pl.DataFrame, by: str) -> pl.DataFrame:
    return numbers.group_by(by).agg(pl.sum(*list(HOST_NUMBERS)[1:]))
