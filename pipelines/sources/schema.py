"""The schema of a corpus part: the one shape in which documents travel between stages."""

import pyarrow as pa

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

PART_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("license", pa.string()),
        pa.field("url", pa.string()),
        pa.field("parent_id", pa.string()),
        pa.field("messages", MESSAGES),
        pa.field("metadata", pa.string(), nullable=False),
    ]
)
