"""Running text and languages of held-out documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mixers.shards import Shards
from pipelines.evaluation.language_id import languages
from tokenizer_tools.load import TokenizerFiles

IDENTIFIED_TOKENS = 512
"""So much of a document tells its language."""
MIN_SCORE = 0.5


def text_pieces(shards: Shards) -> Iterator[Sequence[int]]:
    """The ids of each piece of running text; conversations, which have masks, are left out."""
    for pack in shards:
        if pack.assistant_masks is None:
            yield from (
                piece.tolist() for piece in np.split(pack.input_ids, np.cumsum(pack.seq_lengths)[:-1])
            )


def identified_languages(shards: Shards, tokenizer: TokenizerFiles) -> dict[str, str]:
    """The language of each document whose language is clear, for shards that belong to no run."""
    from tokenizers import Tokenizer

    decoder = Tokenizer.from_str(tokenizer.tokenizer_json.decode())
    pieces = [
        piece[:IDENTIFIED_TOKENS].tolist()
        for pack in shards
        for piece in np.split(pack.input_ids, np.cumsum(pack.seq_lengths)[:-1])
    ]
    found = languages(decoder.decode_batch(pieces), MIN_SCORE)
    names = shards.segments["doc_id"].to_pylist()
    return {name: language for name, language in zip(names, found, strict=True) if language is not None}
