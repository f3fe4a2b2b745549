"""What a token is: loading, encoding behind a parity check, chat templates, training, extension.

`load` reads a tokenizer, `train` makes one, `vocabulary` changes one for a domain; `encode` turns documents
and `chat` conversations into ids, with the `backends` that `parity` has found to agree; `fit` measures
how well a tokenizer fits a corpus, and whether it is worth changing.
"""

__all__ = [
    "backends",
    "chat",
    "encode",
    "fit",
    "load",
    "parity",
    "train",
    "vocabulary",
]
