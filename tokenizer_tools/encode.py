"""Encoding documents: text as ordinary text whatever it spells, and the tokens that begin and end it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tokenizer_tools.backends import BACKENDS, Backend, Ids, Offsets
from tokenizer_tools.fast.framing import framed
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.parity import HOSTILE_TEXTS, choose_backend, look_alikes

VERSION = 2
"""Part of the fingerprint; raised when the encoder adds something else to the same text."""


@dataclass(frozen=True)
class Encoded:
    """Ids of many documents: document i is ids[offsets[i]:offsets[i + 1]]."""

    ids: Ids
    offsets: Offsets


class Encoder:
    """Turns documents into ids, each ended by the end token.

    A document is hostile input: a control token that it spells out (`<|endoftext|>`) becomes ordinary text,
    never the control token. Added tokens that are not control tokens (`<think>`) keep their ids.

    What is added to a document: the end token, always and exactly once, also where the post-processor adds
    it already; in front the begin token, where the post-processor begins a text with one (Llama, Gemma).
    Nothing else of the post-processor is used.
    """

    def __init__(self, files: TokenizerFiles, backend: Backend, refusal: str | None) -> None:
        self._backend = backend
        self.files = files
        """The tokenizer."""
        self.backend = backend.name
        """What encodes: `coupage`, or `fastokens` or `tokenizers` where faster ones were refused."""
        self.refusal = refusal
        """Why faster backends were refused, None where none was."""
        self.end_id = files.token_id(files.end_token)
        self.begin_id = begin_id(files)
        self.added_tokens = 1 if self.begin_id is None else 2
        """How many tokens a document of no text has."""
        self.unknown_id = files.vocabulary.get(files.definition["model"].get("unk_token"))
        """What the model gives for what it does not know; None for a byte-level one."""
        self.max_id = max(files.vocabulary.values())
        """The largest id there is, which decides how wide ids must be stored."""
        self.fingerprint = _fingerprint(files, VERSION, self.begin_id, self.end_id)
        """Changes when the same text could get other ids."""

    @classmethod
    def build(
        cls, files: TokenizerFiles, sample: pa.LargeStringArray | pa.ChunkedArray | None = None
    ) -> "Encoder":
        """Choose the backend by a parity check and make the encoder.

        Args:
            files: The tokenizer.
            sample: Documents of the user's own, checked besides the built-in hostile texts. The reference
                encodes about 3 MB/s, so take a few hundred.

        Raises:
            TokenizerError: The tokenizer gives a control token's id for ordinary text.
        """
        definition = encoding_definition(files)
        spelled = look_alikes(control_tokens(files))
        own = [text for text in sample.to_pylist() if text is not None] if sample is not None else []
        added = look_alikes(token["content"] for token in definition["added_tokens"])
        backend, refusal = choose_backend(
            json.dumps(definition), [*HOSTILE_TEXTS, *spelled, *added, *own], control_tokens=False
        )
        _check_neutral(files, backend, spelled)
        return cls(files, backend, refusal)

    @classmethod
    def checked(cls, files: TokenizerFiles, backend: str) -> "Encoder":
        """An encoder like one that `build` made and whose `backend` is known: nothing is checked again."""
        definition = json.dumps(encoding_definition(files))
        return cls(files, BACKENDS[backend](definition, control_tokens=False), None)

    def encode(self, texts: pa.LargeStringArray | pa.StringArray | pa.ChunkedArray) -> Encoded:
        """Encode documents. A batch of some tens of MB uses memory well; a null is an error."""
        if texts.null_count:
            row = texts.is_null().index(True).as_py()
            raise TokenizerError(f"Row {row} has no text. Leave out documents without text before encoding.")
        ids, offsets = self._backend.encode(_one_array(texts))
        return Encoded(*framed(ids, offsets, self.begin_id, self.end_id))


def _one_array(texts: pa.LargeStringArray | pa.StringArray | pa.ChunkedArray) -> pa.LargeStringArray:
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return whole.cast(pa.large_string())


def control_tokens(files: TokenizerFiles) -> dict[str, int]:
    """The tokens no text may stand for, with their ids.

    They are the added tokens that tokenizer.json marks special, the begin, end and pad tokens, and those
    written `<|like this|>`, which some models forget to mark.
    """
    named = {files.begin_token, files.end_token, files.pad_token}
    tokens = {token: files.token_id(token) for token in named if token is not None}
    for added in files.definition.get("added_tokens", []):
        content = added["content"]
        if added.get("special") or (content.startswith("<|") and content.endswith("|>")):
            tokens[content] = added["id"]
    return dict(sorted(tokens.items(), key=lambda item: item[1]))


def encoding_definition(files: TokenizerFiles) -> dict[str, Any]:
    """tokenizer.json as the backends load it: control tokens special, nothing cut, padded or random."""
    control = control_tokens(files)
    definition = dict(files.definition)
    definition["truncation"] = definition["padding"] = None
    if "dropout" in definition["model"]:
        definition["model"] = definition["model"] | {"dropout": None}
    added = {token["content"]: token for token in definition.get("added_tokens", [])}
    for token, number in control.items():
        added[token] = _ADDED_TOKEN | added.get(token, {"content": token, "id": number}) | {"special": True}
    definition["added_tokens"] = sorted(added.values(), key=lambda token: token["id"])
    return definition


_ADDED_TOKEN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def begin_id(files: TokenizerFiles) -> int | None:
    """The id that the tokenizer puts before a text, None if it does not.

    Its post-processor decides, as in transformers, which ignores `add_bos_token` beside a tokenizer.json.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(encoding_definition(files)))
    encodings = (tokenizer.encode(text) for text in ("a", *files.vocabulary))
    encoding = next((found for found in encodings if not all(found.special_tokens_mask)), None)
    if encoding is None:
        return None
    before = encoding.ids[: encoding.special_tokens_mask.index(0)]
    if len(before) > 1:
        raise TokenizerError(
            f"{files.source} begins a text with {len(before)} tokens; at most one is supported."
        )
    return before[0] if before else None


def _check_neutral(files: TokenizerFiles, backend: Backend, spelled: list[str]) -> None:
    unknown = _unknown_id(files)
    forbidden = [number for number in control_tokens(files).values() if number != unknown]
    ids, offsets = backend.encode(pa.array(spelled, pa.large_string()))
    found = np.flatnonzero(np.isin(ids, forbidden))
    if found.size:
        text = spelled[int(np.searchsorted(offsets, found[0], side="right")) - 1]
        raise TokenizerError(
            f"{files.source} gives a control token for the ordinary text {text!r}: documents could forge "
            "control tokens. Use a tokenizer whose model does not hold them as ordinary pieces."
        )


def _unknown_id(files: TokenizerFiles) -> int | None:
    """The id for what the model does not know; a Unigram model gives the id itself, others the token."""
    model = files.definition["model"]
    token = model.get("unk_token")
    return model.get("unk_id") if token is None else files.vocabulary.get(token)


def _fingerprint(*parts: TokenizerFiles | int | str | None) -> str:
    names = [part.hash if isinstance(part, TokenizerFiles) else part for part in parts]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()
