"""A model between two others: each weight a mean of theirs (linear interpolation, WiSE-FT).

Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (arXiv 2109.01903, equation 1): of a base and a
model that was tuned from it, `(1 - share) × base + share × tuned`. It takes back part of what tuning forgot.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mixers.files import TEMPORARY
from tokenizer_tools.load import TokenizerError, load_tokenizer
from tokenizer_tools.vocabulary.added import added_tokens
from trainers.embeddings import ModelFiles
from trainers.model import TOKENIZER_FILES

if TYPE_CHECKING:
    from torch import Tensor

VERSION_OF_MERGE = 1
"""Raised when the same models give other weights."""
_BESIDE = ("config.json", "generation_config.json", "model.safetensors.index.json", *TOKENIZER_FILES)
"""What a model folder holds besides weights; all of it is the tuned model's."""


def merge_models(base: str | Path, tuned: str | Path, share: float, folder: Path) -> None:
    """Write the model between two others as an ordinary model folder, whole or not at all.

    Rows of embeddings that the base has not, and those of tokens that are new in the tuned model, stay as the
    tuned model has them: the base knows nothing of these tokens. One file of weights is in memory at a time.

    Args:
        base: Folder or hub id of the model before tuning.
        tuned: Folder of the model after it; of an adapter, the folder in which it was merged.
        share: Of the tuned model, from 0 to 1.
        folder: Is not there yet.

    Raises:
        ValueError: The two are no models of one shape, or their vocabularies do not belong together.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    first, second = ModelFiles.open(base), ModelFiles.open(tuned)
    partners = _partners(first, second)
    new = _new_rows(first, second)
    temporary = folder.parent / f"{TEMPORARY}{os.getpid()}-{folder.name}"
    temporary.mkdir(parents=True)
    try:
        for path in sorted(set(second.weights.values())):
            with safe_open(path, framework="pt") as file:
                metadata, names = file.metadata(), list(file.keys())
                weights = {name: file.get_tensor(name) for name in names}
            for name in names:
                is_embedding = name in second.matrices
                before = first.read(partners[name])
                weights[name] = _between(name, before, weights[name], share, new if is_embedding else None)
            save_file(weights, temporary / path.name, metadata=metadata)
        for beside in _BESIDE:
            if (second.folder / beside).is_file():
                shutil.copyfile(second.folder / beside, temporary / beside)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _partners(base: ModelFiles, tuned: ModelFiles) -> Mapping[str, str]:
    """For each weight of the tuned model the name of the base's."""
    found = {name: name for name in tuned.weights.keys() & base.weights.keys()}
    found[tuned.input] = base.input
    if tuned.output is not None:
        found[tuned.output] = base.output or base.input  # tied in the base: its input embeddings are both
    elif base.output is not None:
        raise ValueError(f"{tuned.name} has one matrix of embeddings, and {base.name} has two.")
    if missing := sorted(tuned.weights.keys() - found.keys()):
        raise ValueError(
            f"{base.name} has no weight {missing[0]}: it is no model that {tuned.name} came from."
        )
    if extra := sorted(base.weights.keys() - set(found.values())):
        raise ValueError(f"{tuned.name} has no weight {extra[0]}: it did not come from {base.name}.")
    return found


def _new_rows(base: ModelFiles, tuned: ModelFiles) -> list[int]:
    """The ids whose tokens are new in the tuned model."""
    try:
        before, after = load_tokenizer(base.folder), load_tokenizer(tuned.folder)
        return [] if before.hash == after.hash else sorted(added_tokens(before, after))
    except TokenizerError as error:
        raise ValueError(f"The vocabularies of {base.name} and {tuned.name} do not fit: {error}") from error


def _between(name: str, base: "Tensor", tuned: "Tensor", share: float, new: list[int] | None) -> "Tensor":
    """The weight between two, in the type of the tuned one; `new` rows of embeddings are the latter's."""
    import torch

    rows = min(len(base), len(tuned)) if new is not None else None
    if base.shape != tuned.shape and (rows is None or base.shape[1:] != tuned.shape[1:]):
        raise ValueError(
            f"The weight {name} has the shape {list(base.shape)} in the base, and {list(tuned.shape)} in the"
            " tuned model."
        )
    if not tuned.is_floating_point():
        if base.dtype != tuned.dtype or not torch.equal(base, tuned):
            raise ValueError(f"The weight {name} is quantised ({tuned.dtype}): merge before quantising.")
        return tuned
    if rows is None:
        return torch.lerp(base.float(), tuned.float(), share).to(tuned.dtype)
    merged = tuned.clone()
    merged[:rows] = torch.lerp(base[:rows].float(), tuned[:rows].float(), share).to(tuned.dtype)
    kept = [number for number in new or () if number < rows]
    merged[kept] = tuned[kept]
    return merged
