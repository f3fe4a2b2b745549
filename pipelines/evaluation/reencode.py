"""The ids of the same texts in another tokenizer, so that a base with another one can be scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tokenizer_tools.load import TokenizerFiles

Ids = Sequence[Sequence[int]]


def recoder(made: TokenizerFiles, wanted: TokenizerFiles) -> Callable[[Ids], Ids]:
    """From ids of the tokenizer `made` to ids of `wanted`; the token that ends a document stays its end."""
    from tokenizers import Tokenizer

    decoder, encoder = (Tokenizer.from_str(files.tokenizer_json.decode()) for files in (made, wanted))
    ends = made.token_id(made.end_token), wanted.token_id(wanted.end_token)

    def recode(pieces: Ids) -> Ids:
        ended = [len(piece) > 0 and piece[-1] == ends[0] for piece in pieces]
        texts = decoder.decode_batch(
            [list(piece[:-1] if end else piece) for piece, end in zip(pieces, ended, strict=True)],
            skip_special_tokens=False,
        )
        found = encoder.encode_batch(texts, add_special_tokens=False)
        return [encoded.ids + [ends[1]] * end for encoded, end in zip(found, ended, strict=True)]

    return recode
