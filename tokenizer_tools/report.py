"""How well a tokenizer fits a corpus: bytes per token, fertility, unknown tokens, vocabulary used."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer_tools.encode import Encoder

WORD = r"[^\s\p{Z}]+"
"""A word is a run of characters between white space: it says little for scripts that write none."""


def coverage(
    encoder: Encoder, texts: pa.LargeStringArray | pa.ChunkedArray, groups: pa.Array | None = None
) -> pa.Table:
    """Measure how texts are encoded, one row per group, sorted by group; without `groups` one group, `all`.

    Columns: group, documents, bytes (UTF-8), words, tokens (the text's own, without begin and end token),
    unknown_tokens, used_tokens (distinct ids), bytes_per_token, fertility (tokens per word). The last two are
    not finite where there is nothing to divide by.
    """
    names, group = np.unique(
        groups.to_pylist() if groups is not None else ["all"] * len(texts), return_inverse=True
    )
    encoded = encoder.encode(texts)
    group_of_id = np.repeat(group, np.diff(encoded.offsets))
    own = (encoded.ids != encoder.end_id) & (encoded.ids != encoder.begin_id)
    group_of_id, ids = group_of_id[own], encoded.ids[own]
    vocabulary = encoder.max_id + 1
    used = np.unique(group_of_id * vocabulary + ids) // vocabulary

    def total(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        return np.bincount(group, weights=values, minlength=len(names)).astype(np.int64)

    def count(of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.bincount(of, minlength=len(names))

    columns = {
        "group": pa.array(names.tolist(), pa.string()),
        "documents": count(group),
        "bytes": total(pc.binary_length(texts)),
        "words": total(pc.count_substring_regex(texts, WORD)),
        "tokens": count(group_of_id),
        "unknown_tokens": count(group_of_id[ids == encoder.unknown_id]),
        "used_tokens": count(used),
    }
    with np.errstate(invalid="ignore", divide="ignore"):
        columns["bytes_per_token"] = columns["bytes"] / columns["tokens"]
        columns["fertility"] = columns["tokens"] / columns["words"]
    return pa.table(columns)
