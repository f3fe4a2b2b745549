"""The ids of the same texts in another tokenizer, so that a base with another one can be scored."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizer_tools.encode import begin_id
from tokenizer_tools.load import TokenizerFiles
from trainers.evaluate import Recode

Ids = Sequence[Sequence[int]]


def recoder(made: TokenizerFiles, wanted: TokenizerFiles) -> Recode:
    """From ids of the tokenizer `made` to ids of `wanted`.

    The token that ends a document stays its end. What `made` puts before a text is left out, and what
    `wanted` puts there is put before each piece, wherever in its document it begins: without it, some models
    predict nothing.
    """
    from tokenizers import Tokenizer

    decoder, encoder = (Tokenizer.from_str(files.tokenizer_json.decode()) for files in (made, wanted))
    begins = begin_id(made), begin_id(wanted)
    ends = made.token_id(made.end_token), wanted.token_id(wanted.end_token)
    before = [] if begins[1] is None else [begins[1]]

    def encode(pieces: Ids) -> Ids:
        begun = [begins[0] is not None and piece[:1] == [begins[0]] for piece in pieces]
        ended = [
            len(piece) > begin and piece[-1] == ends[0] for piece, begin in zip(pieces, begun, strict=True)
        ]
        texts = decoder.decode_batch(
            [
                list(piece[begin : len(piece) - end])
                for piece, begin, end in zip(pieces, begun, ended, strict=True)
            ],
            skip_special_tokens=False,
        )
        found = encoder.encode_batch(texts, add_special_tokens=False)
        return [
            [*before, *encoded.ids, *([ends[1]] * end)] if piece else []
            for piece, encoded, end in zip(pieces, found, ended, strict=True)
        ]

    return Recode(encode, begins[1])
