"""datatrove's token files: ``tokens.ds`` with its ``.index`` of document ends, ``.loss`` and ``.metadata``.

The rows follow one another without padding.
Layout: ``datatrove/pipeline/tokens/tokenizer.py``, class ``TokenizedFile``.
"""

from pathlib import Path

import numpy as np

from mixers.files import finished_file
from mixers.shards import Shards


def write(shards: Shards, folder: Path) -> None:
    """Write the files; ``.loss`` only if some row has a mask."""
    with finished_file(folder / "tokens.ds") as temporary, open(temporary, "wb") as file:
        for pack in shards:
            pack.input_ids.tofile(file)
    if any(pack.assistant_masks is not None for pack in shards):
        with finished_file(folder / "tokens.ds.loss") as temporary, open(temporary, "wb") as file:
            for pack in shards:
                pack.masks_or_ones().tofile(file)
    lengths = np.concatenate([np.zeros(0, np.int32), *(pack.seq_lengths for pack in shards)])
    with finished_file(folder / "tokens.ds.index") as temporary:
        np.cumsum(lengths, dtype=np.uint64).tofile(temporary)
    with finished_file(folder / "tokens.ds.metadata") as temporary:
        tokenizer = f"{shards.tokenizer_hash}|{shards.token_dtype.itemsize}"
        temporary.write_text(f"{tokenizer}\n{shards.tokens}\n{shards.tokens / 1e9:.2f} GT")
