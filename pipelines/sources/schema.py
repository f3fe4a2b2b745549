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
        pa.field("template_fields", pa.string()),
        pa.field("metadata", pa.string(), nullable=False),
    ]
)
"""`template_fields`: JSON of what a chat template gets besides roles and contents. Its `messages`, where any
has more, is as long as the conversation and holds `tool_calls`, `reasoning_content` and the like, and
`weight: 0` of a turn that is seen and not learnt; beside it `tools`, `documents`, `chat_template_kwargs`.
"""
