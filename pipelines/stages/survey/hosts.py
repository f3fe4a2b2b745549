"""Hosts: where the documents of a part come from."""

from __future__ import annotations

import polars as pl

HOST = r"^(?i:[a-z][a-z0-9+.-]*)://(?:[^/?#]*@)?(\[[0-9a-fA-F:.]+\]|[^/?#:@\s\[\]\\]+)"
"""The host of an address (RFC 3986, section 3.2), without user and port."""
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
    name = pl.col("url").str.extract(HOST, 1).str.to_lowercase().str.strip_chars_end(".")
    found = documents.with_columns(host=name.str.strip_prefix("www.")).filter(pl.col("host") != "")
    kept = pl.col("bytes").filter("keep")
    return (
        found.group_by("host")
        .agg(
            documents=pl.len().cast(pl.Int64),
            bytes=pl.col("bytes").sum(),
            kept_documents=kept.len().cast(pl.Int64),
            kept_bytes=kept.sum(),
        )
        .sort("host")
    )
