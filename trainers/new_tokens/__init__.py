"""Tokens that the run's tokenizer has and the model's own lacks: which they are, their first embeddings.

`find` says which they are, and into which old tokens, its *pieces*, the model's own tokenizer cuts the text
of each. `add` gives the model rows for them, of input and output embeddings. The other files are the ways to
begin: `pieces` (weighted means), `pursuit` (sparse combinations of old tokens), `distillation`.
"""
