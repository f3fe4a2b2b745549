"""Items of benchmarks, and the matches of documents with them, as Arrow tables."""

from __future__ import annotations

from typing import Literal, get_args

import pyarrow as pa

Kind = Literal["answer", "question", "passage", "template"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a document has of an item, by decreasing harm.

`answer`: the question with its answer, or a solution. `question`: the question alone. `passage`: what the
question is about, without the question. `template`: the same words with other numbers,
or a program of the same form with other parts, which is another item.
"""

ITEMS = pa.schema(
    [
        ("benchmark", pa.string()),
        ("item_id", pa.string()),  # unique in its benchmark
        ("split", pa.string()),  # such as "test" or "train"; null where nobody knows
        ("passage", pa.large_string()),  # a text that the question is about
        ("question", pa.large_string()),
        ("choices", pa.list_(pa.large_string())),  # of which one is right
        ("answer", pa.large_string()),  # in words or code; of a choice its text
        ("label", pa.string()),  # of the right choice: "C"; or a short final answer: "42"
        ("solution", pa.large_string()),  # a whole way to the answer, such as code or a proof
    ]
)
"""Any of the texts may be null, but not passage, question and solution at once."""

MATCHES = pa.schema(
    [
        ("row", pa.int64()),  # the document
        ("item", pa.int64()),  # the row of the item
        ("kind", pa.string()),  # one of KINDS
        ("start", pa.int64()),  # first character of the span in the document
        ("end", pa.int64()),  # character behind the last
        ("score", pa.float32()),  # coverage of what makes it a match, 0 to 1
        ("question", pa.float32()),  # coverage of the question; null where the item has none
        ("answer", pa.float32()),
        ("passage", pa.float32()),
        ("solution", pa.float32()),
        ("mechanism", pa.string()),  # "words", "code", "short", "semantic"
    ]
)
