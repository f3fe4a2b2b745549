"""Which tokens are new to a model, and what its own tokenizer has for them."""

from pathlib import Path

from tokenizer_tools.encode import control_tokens
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.vocabulary.added import added_tokens
from trainers.config import SmallModel

Pieces = tuple[int, ...]
"""The ids that the model's own tokenizer has for the text of a new token."""


def own_tokenizer(model: str | Path | SmallModel) -> TokenizerFiles | None:
    """The tokenizer that a model brings; None for a new model, and where the model does not say it."""
    if isinstance(model, SmallModel):
        return None
    try:
        return load_tokenizer(model)
    except TokenizerError:
        return None


def new_tokens(own: TokenizerFiles | None, tokenizer_folder: Path | None) -> dict[int, Pieces]:
    """The ids that mean something new under the run's tokenizer, each with its pieces.

    They may be any ids: after the old ones, in places that a padded matrix left free, or those of old tokens
    that were replaced. None where one of the two tokenizers is not known.

    Raises:
        TokenizerError: The run's tokenizer is no change of the model's own.
    """
    if own is None or tokenizer_folder is None:
        return {}
    try:
        used = load_tokenizer(tokenizer_folder)
    except TokenizerError:
        return {}
    return added_tokens(own, used)


def written_tokens(tokenizer: TokenizerFiles) -> int:
    """The largest id that text may be cut into, and one: the embeddings that a model must have for it.

    Control tokens are left out. Gemma 3 1B has a tokenizer with a token for images, and no embedding for it.
    """
    control = control_tokens(tokenizer)
    return 1 + max(number for token, number in tokenizer.vocabulary.items() if token not in control)
