"""What a token is: loading, fast encoding behind a parity check, chat templates, training, extension, coverage.

`load` reads a tokenizer, `train` makes one; `encode` turns documents and `chat` conversations into ids, with
the `backends` that `parity` has found to agree; `extend` adds tokens for a domain; `report` measures how
well a tokenizer fits a corpus.
"""
