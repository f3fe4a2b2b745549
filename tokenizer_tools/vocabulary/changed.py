"""What a changed vocabulary is."""

from dataclasses import dataclass

from tokenizer_tools.load import TokenizerFiles

Pieces = tuple[int, ...]


@dataclass(frozen=True)
class ChangedTokenizer:
    """A tokenizer with new tokens, and what each of them stands for."""

    files: TokenizerFiles
    pieces: dict[int, Pieces]
    """New id to the base tokenizer's ids for the same text: the rows to average for a new embedding."""
    replaced: dict[int, str]
    """Id to the token of the base that it no longer stands for."""
    gains: dict[int, float]
    """New id to the tokens that it saved in the words when it was learnt; later ones may take some over."""
