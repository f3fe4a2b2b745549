"""What turns text into ids, behind one interface: fast ones, and the reference that they must equal."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from typing_extensions import override

SINGLE_THREAD = {"FASTOKENS_BPE_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Environment that keeps a process to one thread, for workers; it must be set before the first encode.

fastokens reads the first variable (and not the second), tokenizers the other two.
"""

Ids = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

_REFERENCE_BATCH = 256
"""Texts per call to the reference, whose encodings take some hundred bytes for each token."""


class Backend(Protocol):
    """Encodes texts without adding anything."""

    name: str

    def encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        """Ids of all texts one after another, and len(texts) + 1 offsets into them.

        A text on which the library breaks down has none: a pre-tokenizer's pattern can run away on one.
        """


def encode_bearably(
    encode: Callable[[pa.LargeStringArray], tuple[Ids, Offsets]], texts: pa.LargeStringArray
) -> tuple[Ids, Offsets]:
    """What `encode` gives, with no ids for the texts on which it breaks down.

    Those are found by halves. A panic of a Rust library is a `BaseException`.
    """
    try:
        return encode(texts)
    except (KeyboardInterrupt, SystemExit, MemoryError, TypeError, AttributeError):
        raise  # not of a text
    except BaseException:
        if len(texts) == 1:
            return np.empty(0, np.uint32), np.zeros(2, np.int64)
    middle = len(texts) // 2
    (ids, offsets), (more, further) = (
        encode_bearably(encode, half) for half in (texts[:middle], texts[middle:])
    )
    return np.concatenate([ids, more]), np.concatenate([offsets, offsets[-1] + further[1:]])


class Coupage(Backend):
    """Our own, and the fastest: for the kinds of tokenizers that `fast` knows."""

    name = "coupage"

    def __init__(self, tokenizer_json: str, *, control_tokens: bool) -> None:
        from tokenizer_tools.fast.encoder import FastEncoder

        self._encoder = FastEncoder(tokenizer_json, control_tokens=control_tokens)

    @override
    def encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        return self._encoder.encode(texts)


class Fastokens(Backend):
    """A fast library: flat buffers all the way, no Python object for a token."""

    name = "fastokens"

    def __init__(self, tokenizer_json: str, *, control_tokens: bool) -> None:
        from fastokens import Tokenizer

        self._tokenizer = Tokenizer.from_json_str(tokenizer_json)
        self._as_text = not control_tokens

    @override
    def encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        return encode_bearably(self._encode, texts)

    def _encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        strings = texts.to_pylist()
        ids, offsets = self._tokenizer.encode_batch_flat(strings, split_special_tokens=self._as_text)
        return np.frombuffer(ids, np.uint32), np.frombuffer(offsets, np.uint64).astype(np.int64)


class Reference(Backend):
    """The tokenizers library, which defines what is right."""

    name = "tokenizers"

    def __init__(self, tokenizer_json: str, *, control_tokens: bool) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_str(tokenizer_json)
        self.tokenizer.encode_special_tokens = not control_tokens

    @override
    def encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        return encode_bearably(self._encode, texts)

    def _encode(self, texts: pa.LargeStringArray) -> tuple[Ids, Offsets]:
        pieces = []
        for start in range(0, len(texts), _REFERENCE_BATCH):
            batch = self.tokenizer.encode_batch_fast(
                texts[start : start + _REFERENCE_BATCH].to_pylist(), add_special_tokens=False
            )
            pieces += [np.array(encoding.ids, np.uint32) for encoding in batch]
        offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        return np.concatenate([np.empty(0, np.uint32), *pieces]), offsets


VERSION = 1
"""To be raised when a backend gives other ids for some text."""

LIBRARIES = ("fastokens", "tokenizers")
"""Those whose versions decide the ids, too."""

FAST: tuple[type[Coupage] | type[Fastokens], ...] = (Coupage, Fastokens)
"""The fast backends, the fastest first."""

BACKENDS: dict[str, type[Coupage] | type[Fastokens] | type[Reference]] = {
    backend.name: backend for backend in (*FAST, Reference)
}
"""All backends by name."""
