"""Vectors of texts that mean the same in other words: by a sentence-embedding model, or by an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from typing_extensions import override

from mixers.files import known_hash
from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint
from pipelines.sources.endpoint import Endpoint, EndpointClient, Vectors

if TYPE_CHECKING:
    import torch

FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
"""What a folder of a model needs of a hub repository."""
OTHER_FORMATS = ("onnx/*", "openvino/*")
BATCH_TOKENS = 16_384
CHARACTERS_A_TOKEN = 16
"""More than any tokenizer takes on average; what is beyond is not read."""


class Embedder(Protocol):
    """Gives texts that mean the same vectors that point the same way."""

    @property
    def identity(self) -> str:
        """What the vectors depend on beside the texts."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts, of length 1: float32, shape (texts, dimensions)."""
        ...


@dataclass(frozen=True)
class EmbedderInput:
    """An embedder as an input of a run: what it is, and where."""

    identity: str
    location: str = ""
    """A folder or a hub id."""
    revision: str | None = None
    endpoint: Endpoint | None = None
    prefix: str | None = None

    def open(self) -> Embedder:
        """It, ready to be used; the last one stays loaded. Raises as what it is made of does."""
        return _opened(self)


@lru_cache(maxsize=1)
def _opened(given: EmbedderInput) -> Embedder:
    if given.endpoint is not None:
        return EndpointEmbedder(EndpointClient(given.endpoint), given.prefix or "")
    return ModelEmbedder(find_model(given.location, given.revision), given.prefix)


class EndpointEmbedder(Embedder):
    """A model behind `/embeddings`. `prefix` stands before every text, as the E5 models want it."""

    def __init__(self, client: EndpointClient, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    @property
    @override
    def identity(self) -> str:
        endpoint = self._client.endpoint
        return fingerprint([endpoint.base_url, endpoint.model, self._prefix])

    @override
    def embed(self, texts: Sequence[str]) -> Vectors:
        return _unit(self._client.embed([self._prefix + text for text in texts]))


class ModelEmbedder(Embedder):
    """A sentence-embedding model in a folder, as sentence-transformers lays it out, or a plain one.

    It is loaded when the first texts come. No code of the folder is ever executed.

    Args:
        folder: Where the model is.
        prefix: What stands before every text; by default what the folder's prompts say.

    Raises:
        UserError: The folder holds no such model, or one that is built in another way.
    """

    def __init__(self, folder: Path, prefix: str | None = None) -> None:
        self._layout = read_layout(folder)
        self._prefix = self._layout.prefix if prefix is None else prefix
        self._model: _Model | None = None

    @property
    @override
    def identity(self) -> str:
        folder = self._layout.folder
        files = sorted(path for pattern in FILES for path in folder.rglob(pattern))
        return fingerprint(
            [self._prefix, [(str(path.relative_to(folder)), known_hash(path)) for path in files]]
        )

    @override
    def embed(self, texts: Sequence[str]) -> Vectors:
        self._model = self._model or _Model.load(self._layout)
        return _unit(self._model.embed([self._prefix + text for text in texts]))


def find_model(name: str, revision: str | None = None) -> Path:
    """The folder of a model: `name` itself, or that of a hub id, which is fetched.

    Raises UserError where there is neither.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(FILES), ignore_patterns=list(OTHER_FORMATS)
            )
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise UserError(
            f"the embedding model `{name}` is neither a folder nor could it be fetched from the hub: {error}",
            hint="Check its name, revision and your access, or name a local folder.",
        ) from error


def require_libraries() -> None:
    """Raise UserError where torch or transformers is missing; imports neither."""
    if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
        raise UserError(
            f"an embedding model needs {' and '.join(missing)}",
            hint="pip install 'coupage[train]', or give an endpoint.",
        )


@dataclass(frozen=True)
class Layout:
    """How a folder's model makes one vector of a text."""

    folder: Path
    body: Path
    pooling: Literal["mean", "cls"]
    dense: tuple[Path, ...]
    """Folders of the linear layers behind the pooling."""
    longest: int | None
    """Tokens of a text that are read; None for as many as the model can."""
    lower_case: bool
    prefix: str


def read_layout(folder: Path) -> Layout:
    """The layout of a folder. Raises UserError if it is of another kind."""
    modules = _read_json(folder / "modules.json")
    if modules is None:
        if _read_json(folder / "config.json") is None:
            raise _wrong(folder, "there is no config.json")
        return Layout(folder, folder, "mean", (), None, False, "")
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    paths = [folder / str(module["path"]) for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or not {*kinds[2:]} <= {"Dense", "Normalize"}:
        raise _wrong(folder / "modules.json", f"it is built of {', '.join(kinds)}")
    body = paths[0]
    settings = _read_json(body / "sentence_bert_config.json") or {}
    return Layout(
        folder=folder,
        body=body,
        pooling=_pooling(paths[1] / "config.json"),
        dense=tuple(path for kind, path in zip(kinds, paths, strict=True) if kind == "Dense"),
        longest=settings.get("max_seq_length"),
        lower_case=bool(settings.get("do_lower_case")),
        prefix=_prefix(_read_json(folder / "config_sentence_transformers.json") or {}),
    )


def _pooling(path: Path) -> Literal["mean", "cls"]:
    config = _read_json(path) or {}
    marks = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}
    named = [name for name in config if name.startswith("pooling_mode_") and config[name] is True]
    for mode in ("mean", "cls"):
        if config.get("pooling_mode") == mode or named == [marks[mode]]:
            return mode  # type: ignore[return-value]
    raise _wrong(path, f"it pools by {config.get('pooling_mode') or ', '.join(named) or 'nothing'}")


def _prefix(config: dict[str, Any]) -> str:
    """The prompt of every text: the default one, or that of queries.

    For likeness, where neither text is a query, the E5 models want `query: ` before both.
    """
    prompts = config.get("prompts") or {}
    return str(prompts.get(config.get("default_prompt_name") or "query") or "")


def _read_json(path: Path) -> Any:
    """What a JSON file holds, None where there is none."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _wrong(path, str(error)) from error


def _wrong(path: Path, why: str) -> UserError:
    return UserError(
        f"no embedding model that can be used: {why}",
        file=str(path),
        hint="It takes config.json, model.safetensors and tokenizer.json, alone or beside the files of "
        "sentence-transformers with mean or cls pooling. Another one can be served: give its endpoint.",
    )


class _Model:
    """A model and its tokenizer on a device."""

    def __init__(self, body: Any, tokenizer: Any, layout: Layout, device: str) -> None:
        self._body = body
        self._tokenizer = tokenizer
        self._layout = layout
        self._device = device
        self._dense = [_read_dense(folder, device) for folder in layout.dense]
        positions = getattr(body.config, "max_position_embeddings", None)
        # transformers says 10**30 where a tokenizer knows no limit.
        limits = (layout.longest, positions, tokenizer.model_max_length, BATCH_TOKENS)
        self._longest = min(limit for limit in limits if limit)

    @classmethod
    def load(cls, layout: Layout) -> _Model:
        """Load the model. Raises UserError where it cannot be used."""
        require_libraries()
        import torch
        import transformers

        device, dtype = "cpu", torch.float32
        if torch.cuda.is_available():
            device, dtype = "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        body = str(layout.body)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(body, trust_remote_code=False)
            model, loading = transformers.AutoModel.from_pretrained(
                body, use_safetensors=True, trust_remote_code=False, dtype=dtype, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise _wrong(layout.body, str(error)) from error
        if missing := sorted(name for name in loading["missing_keys"] if "pooler" not in name):
            raise _wrong(layout.body, f"it lacks weights: {', '.join(missing[:5])}")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        return cls(model.to(device).eval(), tokenizer, layout, device)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts, of any length."""
        import torch

        if not texts:
            return np.empty((0, 0), np.float32)
        beginnings = [text[: self._longest * CHARACTERS_A_TOKEN] for text in texts]
        if self._layout.lower_case:
            beginnings = [text.lower() for text in beginnings]
        encoded = self._tokenizer(beginnings, truncation=True, max_length=self._longest, padding=False)
        lengths = [len(ids) for ids in encoded["input_ids"]]
        order = sorted(range(len(texts)), key=lengths.__getitem__)
        rows = []
        with torch.inference_mode():
            for batch in _batches(order, lengths):
                features = {name: [encoded[name][i] for i in batch] for name in encoded}
                padded = self._tokenizer.pad(features, return_tensors="pt").to(self._device)
                states = self._body(**padded).last_hidden_state
                rows.append(self._one_each(states.float(), padded["attention_mask"]).cpu().numpy())
        vectors = np.concatenate(rows)
        return vectors[np.argsort(order)]

    def _one_each(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Shape (texts, tokens, width) becomes (texts, dimensions)."""
        weights = mask.unsqueeze(-1).float()
        if self._layout.pooling == "cls":
            first = mask.argmax(dim=1)  # padding may come first
            pooled = states[range(len(states)), first]
        else:
            pooled = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        for layer in self._dense:
            pooled = layer(pooled)
        return pooled


def _batches(order: list[int], lengths: list[int]) -> Iterator[list[int]]:
    """Runs of texts of about the same length, the shortest first, of at most BATCH_TOKENS with padding."""
    batch: list[int] = []
    for text in order:
        if batch and (len(batch) + 1) * lengths[text] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    yield batch


def _read_dense(folder: Path, device: str) -> Any:
    """A linear layer with its activation, as LaBSE has one."""
    import torch
    from safetensors.torch import load_file

    config = _read_json(folder / "config.json") or {}
    activations = {"Tanh": torch.nn.Tanh, "Identity": torch.nn.Identity}
    activation = str(config.get("activation_function", "Identity")).rsplit(".", 1)[-1]
    if activation not in activations:
        raise _wrong(folder / "config.json", f"its activation is {activation}")
    try:
        tensors = load_file(folder / "model.safetensors")
        weight = tensors["linear.weight"]
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias="linear.bias" in tensors)
        linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in tensors.items()})
    except (OSError, KeyError, RuntimeError) as error:
        raise _wrong(folder / "model.safetensors", str(error)) from error
    return torch.nn.Sequential(linear, activations[activation]()).to(device)


def _unit(vectors: Vectors) -> Vectors:
    """The vectors at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
