"""Loading a tokenizer: from its file, a model folder or a hub, with the token that ends a document."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

WELL_KNOWN_END_TOKENS = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "<eos>",
    "</s>",
    "<|eos|>",
    "<｜end▁of▁sentence｜>",
)
"""End-of-text tokens of the open model families, tried in this order when no configuration names one."""

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

ReadFile = Callable[[str], bytes | None]
"""Gives the bytes of a file of a model folder by its name, None where the folder lacks it."""


class TokenizerError(ValueError):
    """A tokenizer that cannot be used as asked; the message says why and how to mend it."""


class UnreachableError(TokenizerError):
    """A tokenizer on a hub that does not answer: whether it is in order, nobody knows."""


@dataclass(frozen=True)
class TokenizerFiles:
    """Everything a tokenizer is: its definition, the roles of its special tokens, its chat template."""

    tokenizer_json: bytes
    """The bytes of tokenizer.json, untouched."""
    end_token: str
    """Ends every document: the end-of-text token."""
    begin_token: str | None = None
    pad_token: str | None = None
    chat_template: str | None = None
    """Jinja text that renders a conversation."""
    config: dict[str, Any] = field(default_factory=dict)
    """tokenizer_config.json as found, empty where there is none."""
    generation_config: dict[str, Any] | None = None
    source: str = ""
    """Where it came from, as it was asked for."""
    revision: str | None = None
    """The commit a hub id resolved to."""

    def __post_init__(self) -> None:
        for role, token in (("end", self.end_token), ("begin", self.begin_token), ("pad", self.pad_token)):
            if token is not None and token not in self.vocabulary:
                raise TokenizerError(
                    f"{self.source or 'The tokenizer'}: the {role} token {token!r} is not in the vocabulary. "
                    "Name one that is."
                )

    def __getstate__(self) -> dict[str, Any]:
        """Only the fields travel to workers; what is derived from them is made again there."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of tokenizer.json, hexadecimal."""
        return hashlib.sha256(self.tokenizer_json).hexdigest()

    @cached_property
    def definition(self) -> dict[str, Any]:
        """tokenizer.json, parsed. Not to be changed."""
        parsed: dict[str, Any] = json.loads(self.tokenizer_json)
        return parsed

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Token to id, added tokens included."""
        return _vocabulary(self.definition)

    def token_id(self, token: str) -> int:
        """The id of `token`; TokenizerError where the vocabulary lacks it."""
        if token not in self.vocabulary:
            raise TokenizerError(f"{self.source or 'The tokenizer'} has no token {token!r}.")
        return self.vocabulary[token]

    def save(self, folder: str | Path) -> None:
        """Write a tokenizer folder that `transformers.AutoTokenizer.from_pretrained` opens.

        The class is always the generic one, which takes tokenizer.json as it is: model-specific classes
        rebuild parts of it from their own code. Keys that name code to be run are left out, and those that
        would contradict the post-processor of tokenizer.json.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_bytes(self.tokenizer_json)
        roles = {"eos_token": self.end_token, "bos_token": self.begin_token, "pad_token": self.pad_token}
        config = {key: value for key, value in self.config.items() if key not in _NOT_SAVED}
        config = config | roles | {"tokenizer_class": "PreTrainedTokenizerFast"}
        _write_json(folder / "tokenizer_config.json", config)
        if self.chat_template is not None:
            (folder / "chat_template.jinja").write_text(self.chat_template, encoding="utf-8", newline="")
        if self.generation_config is not None:
            _write_json(folder / "generation_config.json", self.generation_config)


_NOT_SAVED = ("auto_map", "chat_template", "added_tokens_decoder", "add_bos_token", "add_eos_token")


def load_tokenizer(
    name_or_path: str | Path, *, revision: str | None = None, end_token: str | None = None
) -> TokenizerFiles:
    """Load a tokenizer.json file, a local model folder, or a hub id such as `Qwen/Qwen3-0.6B-Base`.

    A hub id honours the hub library's own variables for cache, offline work and access.

    Args:
        name_or_path: What to load. A path that exists wins over a hub id of the same name.
        revision: Branch, tag or commit of a hub id; the newest commit when left out.
        end_token: The token that ends a document. Left out, it is the configuration's end-of-sequence token
            (or that of special_tokens_map.json), else the generation configuration's first one, else the
            first of WELL_KNOWN_END_TOKENS there is.

    Raises:
        TokenizerError: Nothing is there, it is not a tokenizer.json, or no end token can be found.
    """
    path, commit = Path(name_or_path), None
    read: ReadFile = _nothing_else
    if path.is_file():
        tokenizer_json = path.read_bytes()
    elif path.is_dir():
        read = _folder_reader(path)
        tokenizer_json = _required(read("tokenizer.json"), name_or_path)
    elif HUB_ID.fullmatch(str(name_or_path)):
        snapshot = _hub_snapshot(str(name_or_path), revision)
        read, commit = _folder_reader(snapshot), snapshot.name
        tokenizer_json = _required(read("tokenizer.json"), name_or_path)
    else:
        raise TokenizerError(
            f"There is no tokenizer at {str(name_or_path)!r}. "
            "Name a tokenizer.json file, a model folder that holds one, or a hub id of the form owner/name."
        )
    return _assemble(str(name_or_path), commit, tokenizer_json, read, end_token)


def _assemble(
    source: str, commit: str | None, tokenizer_json: bytes, read: ReadFile, end_token: str | None
) -> TokenizerFiles:
    definition = _json(tokenizer_json, f"{source}: tokenizer.json")
    if not isinstance(definition, dict) or not isinstance(definition.get("model"), dict):
        raise TokenizerError(f"{source} is not a tokenizer.json: it has no model in it.")
    config = _config(source, read)
    generation = _json(read("generation_config.json"), f"{source}: generation_config.json")
    vocabulary = _vocabulary(definition)
    end = end_token or _configured_end(config, generation or {}, vocabulary)
    end = end or next((token for token in WELL_KNOWN_END_TOKENS if token in vocabulary), None)
    if end is None:
        raise TokenizerError(
            f"{source} does not say which token ends a text, and its vocabulary holds none of "
            f"{', '.join(WELL_KNOWN_END_TOKENS)}. Put it into a folder of your own, with a "
            'tokenizer_config.json that names the token: {"eos_token": "<token>"}.'
        )
    return TokenizerFiles(
        tokenizer_json=tokenizer_json,
        end_token=end,
        begin_token=_present(_token_text(config.get("bos_token")), vocabulary),
        pad_token=_present(_token_text(config.get("pad_token")), vocabulary),
        chat_template=_chat_template(config, read),
        config=config,
        generation_config=generation,
        source=source,
        revision=commit,
    )


def _config(source: str, read: ReadFile) -> dict[str, Any]:
    """tokenizer_config.json, with the roles that older folders keep in special_tokens_map.json.

    As in transformers: these win, but where the configuration lists the added tokens they are not read.
    """
    config: dict[str, Any] = _json(read("tokenizer_config.json"), f"{source}: tokenizer_config.json") or {}
    if "added_tokens_decoder" in config:
        return config
    return config | (_json(read("special_tokens_map.json"), f"{source}: special_tokens_map.json") or {})


def _configured_end(
    config: dict[str, Any], generation: dict[str, Any], vocabulary: dict[str, int]
) -> str | None:
    named = _token_text(config.get("eos_token"))
    if named is not None:
        return named
    ids = generation.get("eos_token_id")
    first = ids[0] if isinstance(ids, list) and ids else ids
    return next((token for token, number in vocabulary.items() if number == first), None)


def _chat_template(config: dict[str, Any], read: ReadFile) -> str | None:
    """The template from its own file, in either form, or from the configuration; of several, the default."""
    if (jinja := read("chat_template.jinja")) is not None:
        return jinja.decode("utf-8")
    template = (_json(read("chat_template.json"), "chat_template.json") or config).get("chat_template")
    if isinstance(template, list):
        template = {named["name"]: named["template"] for named in template}
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else None


def _hub_snapshot(name: str, revision: str | None) -> Path:
    """The local snapshot folder of a hub id, downloaded if need be; its name is the commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = [
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.*",
        "generation_config.json",
    ]
    place = f"{name!r}" + (f" at revision {revision!r}" if revision else "")
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except LocalEntryNotFoundError as error:
        raise UnreachableError(
            f"The tokenizer {place} is neither a local path nor in the local hub cache, and the hub cannot "
            "be reached (or offline work is switched on). Connect once, or name a local folder."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise TokenizerError(
            f"The tokenizer {place} could not be fetched: {error} Check its name, revision and your access."
        ) from error


def _folder_reader(folder: Path) -> ReadFile:
    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    return read


def _nothing_else(name: str) -> None:
    """A single tokenizer.json has no neighbours."""


def _required(content: bytes | None, name_or_path: str | Path) -> bytes:
    if content is None:
        raise TokenizerError(
            f"{name_or_path} holds no tokenizer.json. Open it once with transformers' AutoTokenizer and save "
            "it with save_pretrained, which writes one."
        )
    return content


def _vocabulary(definition: dict[str, Any]) -> dict[str, int]:
    vocab: Any = definition["model"].get("vocab", {})
    if isinstance(vocab, list):  # Unigram: [token, score] in the order of their ids
        vocab = {token: number for number, (token, _) in enumerate(vocab)}
    added = {token["content"]: token["id"] for token in definition.get("added_tokens", [])}
    return dict(vocab) | added


def _token_text(token: Any) -> str | None:
    """A special token as configurations write it: a string, or a dictionary with its content."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _present(token: str | None, vocabulary: dict[str, int]) -> str | None:
    """Configurations may name a begin or pad token that the tokenizer lacks: then it has none."""
    return token if token in vocabulary else None


def _json(content: bytes | None, what: str) -> Any:
    if content is None:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise TokenizerError(f"{what} is not valid JSON: {error}.") from error


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
