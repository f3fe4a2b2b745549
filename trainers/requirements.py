"""What training refuses, as far as a model's config.json and a stage's settings tell.

Neither weights nor torch are loaded, so a recipe is refused when it is planned; `train` asks again before it
loads anything. What only the loaded model can tell is left to `isolation`, which proves it.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from trainers.config import SmallModel, StageTraining

ModelConfig = Mapping[str, Any]
"""The content of a config.json."""

_WITHOUT_PACKED_ATTENTION = frozenset(
    "bloom codegen falcon gpt_neo gpt_neox_japanese gptj mpt openai-gpt stablelm xglm xlnet".split()
)
"""Model types whose attention transformers does not let others compute (no `AttentionInterface`)."""
_RECURRENT = frozenset(
    "bamba falcon_h1 falcon_mamba granitemoehybrid jamba mamba mamba2 minimax nemotron_h recurrent_gemma rwkv"
    " xlstm zamba zamba2".split()
)
"""Model types with recurrent layers that do not honour the boundaries of documents."""
_LINEAR_ATTENTION = frozenset("qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen3_next".split())
"""Model types whose recurrent layers honour them, with the kernels of flash-linear-attention."""
_SINKS = frozenset("deepseek_v4 flint gpt_oss granite_swa granitemoe_swa hy_v4 mimo_v2_flash".split())
"""Model types whose attention has sinks."""
_LEARNED_POSITIONS = frozenset("biogpt gpt2 gpt_bigcode opt".split())
_POSITIONS_OF_NEW = "train.model.positions"
_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", _POSITIONS_OF_NEW)
"""The keys under which models say how many positions they have."""
_COUNTED_IN = ("llama3", "longrope")
"""Kinds of rotary scaling whose factor the number of positions has counted in."""
_ATTENTION_DROPOUT = ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob", "attn_dropout")

_OTHER_MODEL = "Name another model, such as Qwen3, Llama, Gemma 3, Mistral or OLMo."


@dataclass(frozen=True)
class Start:
    """The model that a stage starts from, as far as it is known before it is loaded."""

    name: str
    """What it is called."""
    config: ModelConfig
    is_new: bool = False
    has_adapter: bool = False
    """Whether an adapter was trained on it, which can be continued."""
    new_tokens: int | None = 0
    """How many tokens the run's tokenizer has that the model does not know; None where nobody knows."""
    written_tokens: int | None = None
    """The largest id that the model's own tokenizer cuts text into, and one; None where nobody knows."""

    @classmethod
    def of_new(cls, shape: SmallModel, sequence_length: int) -> "Start":
        """A new model, first trained on shards of this sequence length."""
        config = {
            "model_type": "qwen3",
            "num_hidden_layers": shape.layers,
            _POSITIONS_OF_NEW: shape.positions or sequence_length,
        }
        return cls("the new model", config, is_new=True)


class Refusal(NamedTuple):
    """Something that training does not do, and what to do about it."""

    setting: str
    """The key that asks for it: one of a stage's settings, `model`, or `sequence_length` of its mixture."""
    message: str
    hint: str

    @property
    def sentences(self) -> str:
        """Both."""
        return f"{self.message[0].upper()}{self.message[1:]}. {self.hint}"


def require_trainable(start: Start, stage: StageTraining, longest: int) -> None:
    """Raise ValueError with all that is refused; the arguments are those of `refusals`."""
    if found := [refusal.sentences for refusal in refusals(start, stage, longest)]:
        raise ValueError("\n".join(found))


def refusals(start: Start, stage: StageTraining, longest: int) -> Iterator[Refusal]:
    """All that training will refuse.

    Args:
        start: The model that the stage starts from.
        stage: The settings of the stage.
        longest: Tokens in the longest document that there may be.
    """
    config = _of_text(start.config)
    for reason, hint in (*_no_language_model(start.config), *_unfit(config)):
        yield Refusal("model", f"{start.name} {reason}, so it cannot be trained here", hint)
    yield from _too_long(start.name, config, longest)
    yield from _unfit_vocabulary(start, config)
    yield from _unfit_settings(start, config, stage)
    yield from _missing_packages(stage)


def attention_dropout(model: ModelConfig) -> dict[str, float]:
    """The keys of a config that ask for dropout in attention, which is not computed on packed rows."""
    config = _of_text(model)
    return {key: config[key] for key in _ATTENTION_DROPOUT if config.get(key)}


def is_known(model_type: str | None) -> bool:
    """Whether the installed transformers has a causal language model of this type."""
    known = _causal_language_models()
    return not known or model_type in known


def positions(model: ModelConfig) -> tuple[str, int] | None:
    """How many positions a model has, with the key that says so; None where there is no such limit.

    A declared scaling of rotary embeddings lengthens them by its factor; some kinds have that counted in.
    """
    config = _of_text(model)
    key = next((key for key in _POSITIONS if isinstance(config.get(key), int)), None)
    if key is None:
        return None
    declared = int(config[key])
    scaled = [
        int(factor * (scaling.get("original_max_position_embeddings") or declared))
        for scaling in _rope_scalings(config)
        if isinstance(factor := scaling.get("factor"), int | float)
        and scaling.get("rope_type", scaling.get("type")) not in _COUNTED_IN
    ]
    return key, max([declared, *scaled])


def _of_text(model: ModelConfig) -> ModelConfig:
    """The config of the language model in a model that has other parts too."""
    text = model.get("text_config")
    return {**model, **text} if isinstance(text, Mapping) else model


def _rope_scalings(config: ModelConfig) -> Iterator[ModelConfig]:
    """What a config says of rotary embeddings, for all layers or for each kind of layer."""
    for key in ("rope_scaling", "rope_parameters"):
        if isinstance(of_all := config.get(key), Mapping):
            yield of_all
            yield from (of_kind for of_kind in of_all.values() if isinstance(of_kind, Mapping))


def _no_language_model(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """Why there is no causal language model to load, and what to do."""
    kind = config.get("model_type")
    if config.get("is_encoder_decoder"):
        yield "is an encoder with a decoder", _OTHER_MODEL
    elif kind is not None and not is_known(kind):
        own_code = " and brings code of its own, which is never run" if "auto_map" in config else ""
        yield (
            f"is of the type `{kind}`, no causal language model of the installed transformers{own_code}",
            "Install a newer transformers, or name another model.",
        )


def _unfit(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """Why a language model cannot be trained, and what to do."""
    kind = config.get("model_type")
    if quantisation := config.get("quantization_config"):
        method = quantisation.get("quant_method", "some method")
        yield (
            f"has quantised weights ({method})",
            "Name the model that it was made from; `adapter: {kind: qlora}` quantises it while it trains.",
        )
    if kind in _WITHOUT_PACKED_ATTENTION:
        yield f"is of the type `{kind}`, whose attention knows no boundaries of documents", _OTHER_MODEL
    if kind in _RECURRENT:
        yield f"is of the type `{kind}`, whose recurrent layers run across documents", _OTHER_MODEL
    if kind in _LINEAR_ATTENTION and _lacks("fla"):
        yield (
            f"is of the type `{kind}`, whose linear attention keeps documents apart only with other kernels",
            "Run `pip install flash-linear-attention`; it needs an NVIDIA GPU.",
        )
    if kind in _SINKS:
        yield "has attention sinks, which are not computed here", _OTHER_MODEL
    if (cap := config.get("attn_logit_softcapping")) is not None:
        yield (
            f"caps the scores of attention (`attn_logit_softcapping`: {cap}), which is not computed here",
            _OTHER_MODEL,
        )
    if config.get("use_bidirectional_attention") is True:
        yield "looks at later tokens (`use_bidirectional_attention`)", _OTHER_MODEL


def _too_long(name: str, config: ModelConfig, longest: int) -> Iterator[Refusal]:
    found = positions(config)
    if found is not None and longest > found[1]:
        key, count = found
        if config.get("model_type") in _LEARNED_POSITIONS:
            more = "It has learned no embeddings for more."
        elif key == _POSITIONS_OF_NEW:
            more = f"Or give it more with `{key}`."
        else:
            more = (
                "To extend its context, name a folder whose config.json declares it: a larger"
                f" `{key}`, or `rope_scaling` with a `factor`."
            )
        yield Refusal(
            "sequence_length",
            f"a document may have {longest:,} tokens, and {name} has {count:,} positions (`{key}`)",
            f"Set `sequence_length: {count}` or less in the mixture. {more}",
        )
    # A window that the model gives to its mask alone, which packed rows do without.
    key = "sliding_window" if config.get("model_type") == "phimoe" else "attention_chunk_size"
    if (window := config.get(key)) and longest > window:
        yield Refusal(
            "sequence_length",
            f"a document may have {longest:,} tokens, and {name} looks at {window:,} at a time (`{key}`), "
            "which is not computed here",
            f"Set `sequence_length: {window}` or less in the mixture.",
        )


def _unfit_vocabulary(start: Start, config: ModelConfig) -> Iterator[Refusal]:
    """A tokenizer that the embeddings do not go with, or cannot be made to."""
    embeddings = config.get("vocab_size")
    if isinstance(embeddings, int) and start.written_tokens is not None and start.written_tokens > embeddings:
        yield Refusal(
            "model",
            f"the tokenizer of {start.name} cuts text into {start.written_tokens:,} tokens, and the model has"
            f" {embeddings:,} embeddings (`vocab_size`)",
            "Put the tokenizer back that the model was trained with, and name this one as tokenizer.base: its"
            " further tokens then get embeddings.",
        )
    if start.new_tokens and config.get("hidden_size_per_layer_input"):
        yield Refusal(
            "model",
            f"the tokenizer has {start.new_tokens:,} tokens that {start.name} does not know, and this model"
            f" has embeddings in every layer for {config.get('vocab_size_per_layer_input', embeddings):,}"
            " tokens (`vocab_size_per_layer_input`), which get no more",
            "Name its own tokenizer as tokenizer.base, or another model, such as Qwen3, Llama or Gemma 3.",
        )


def _unfit_settings(start: Start, config: ModelConfig, stage: StageTraining) -> Iterator[Refusal]:
    """Settings that do not go with the model."""
    if stage.adapter is not None and start.is_new:
        yield Refusal(
            "adapter",
            "an adapter needs a trained model under it, and this one is new",
            "Name a model in `train.model`, or leave `adapter` out.",
        )
    elif stage.adapter is not None and stage.adapter.start == "continue" and not start.has_adapter:
        yield Refusal(
            "adapter",
            f"{start.name} holds no adapter to continue",
            "Train the stage before with an adapter, or set `adapter.start: new`.",
        )
    if stage.adapter is not None and start.new_tokens:
        yield Refusal(
            "adapter",
            f"the tokenizer has {start.new_tokens:,} tokens that {start.name} does not know, and an adapter"
            " leaves embeddings frozen",
            "First train a stage without one, with `phases: [{train: new_embeddings, steps: 200}, {train:"
            " all}]`.",
        )
    if any(phase.train == "new_embeddings" for phase in stage.phases) and start.new_tokens == 0:
        yield Refusal(
            "phases",
            f"a phase trains `new_embeddings`, but {start.name} knows all tokens of the tokenizer",
            "Extend its tokenizer (`coupage tokenizer extend`) and name that as tokenizer.base, or leave the"
            " phase out.",
        )
    there_are = config.get("num_hidden_layers", config.get("n_layer"))
    for phase in stage.phases:
        if phase.layers and isinstance(there_are, int) and phase.layers > there_are:
            yield Refusal(
                "phases",
                f"a phase trains the top {phase.layers} layers, and {start.name} has {there_are}",
                "Name fewer `layers`, or `train: all`.",
            )


def _missing_packages(stage: StageTraining) -> Iterator[Refusal]:
    if stage.adapter is not None and _lacks("peft"):
        yield Refusal("adapter", "an adapter needs the package peft", "Run `pip install peft`.")
    if stage.adapter is not None and stage.adapter.kind == "qlora" and _lacks("bitsandbytes"):
        yield Refusal(
            "adapter",
            "`kind: qlora` needs the package bitsandbytes",
            "Run `pip install bitsandbytes`, or set `kind: lora`.",
        )
    for tracker in stage.log_to:
        if _lacks(tracker):
            yield Refusal(
                "log_to",
                f"`log_to` names {tracker}, which is not installed",
                f"Run `pip install {tracker}`, or take it out.",
            )


def _lacks(package: str) -> bool:
    """Whether a package is missing where training can run: without torch, that is another machine."""
    return bool(importlib.util.find_spec("torch")) and importlib.util.find_spec(package) is None


@cache
def _causal_language_models() -> frozenset[str]:
    """The types in transformers' own list, read from its source: importing it would load torch."""
    found = importlib.util.find_spec("transformers")
    if found is None or not found.submodule_search_locations:
        return frozenset()
    source = Path(found.submodule_search_locations[0]) / "models/auto/modeling_auto.py"
    text = source.read_text("utf-8") if source.is_file() else ""
    table = re.search(r"^MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = .*?^\)", text, re.DOTALL | re.MULTILINE)
    return frozenset(re.findall(r'\("([^"]+)", ', table.group())) if table else frozenset()
