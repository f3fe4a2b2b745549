"""Chat templates in the shape of those of eight model families, and small tokenizers that bear them.

The files mark by hand, on lines of their own, what the assistant generates. Real ones mostly do not, so
`TEMPLATES` gives them without the marks, except `chatml`; `MARKED` gives all of them with marks.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SpecialTokens:
    """The tokens of a family beside those of its text."""

    end: str
    control: tuple[str, ...]
    """Marked special in tokenizer.json; `end` and `begin` are among them."""
    begin: str | None = None
    plain: tuple[str, ...] = ()
    """Added, but not special."""
    eats_space_after: tuple[str, ...] = ()
    """Those with `rstrip`: they take the white space after them."""


_TOKENS = {
    "qwen3": SpecialTokens(
        end="<|endoftext|>",
        control=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        plain=("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
    ),
    "llama3": SpecialTokens(
        end="<|end_of_text|>",
        begin="<|begin_of_text|>",
        control=(
            *("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
            *("<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
        ),
    ),
    "gemma3": SpecialTokens(
        end="<eos>", begin="<bos>", control=("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
    ),
    "mistral": SpecialTokens(
        end="</s>",
        begin="<s>",
        control=(
            *("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"),
            *("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
        ),
    ),
    "phi": SpecialTokens(
        end="<|endoftext|>",
        control=(
            *("<|endoftext|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"),
            *("<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>", "<|tool_response|>"),
        ),
        eats_space_after=("<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool_response|>"),
    ),
    "deepseek": SpecialTokens(
        end="<｜end▁of▁sentence｜>",
        begin="<｜begin▁of▁sentence｜>",
        control=(
            *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
            *(
                "<｜tool▁calls▁begin｜>",
                "<｜tool▁calls▁end｜>",
                "<｜tool▁call▁begin｜>",
                "<｜tool▁call▁end｜>",
            ),
            *("<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>", "<｜tool▁output▁begin｜>"),
            *("<｜tool▁output▁end｜>", "<｜tool▁sep｜>"),
        ),
        plain=("<think>", "</think>"),
    ),
    "chatml": SpecialTokens(end="<|endoftext|>", control=("<|endoftext|>", "<|im_start|>", "<|im_end|>")),
    "zephyr": SpecialTokens(end="</s>", begin="<s>", control=("<s>", "</s>")),
}
_MARK = re.compile(r"^\s*\{%-? (end)?generation -?%\}\n", re.MULTILINE)
_FOLDER = Path(__file__).parent

MARKED = {name: (_FOLDER / f"{name}.jinja").read_text(encoding="utf-8") for name in _TOKENS}
"""Each template with marks of what the assistant generates."""

TEMPLATES: dict[str, tuple[str, SpecialTokens]] = {
    name: (MARKED[name] if name == "chatml" else _MARK.sub("", MARKED[name]), tokens)
    for name, tokens in _TOKENS.items()
}
"""Each template as models bear it, and the special tokens that go with it."""

_WORDS = (
    "What is the weather in Rome today? It is sunny, 24 degrees. The press turns and the juice runs clear.",
    'get_weather {"city": "Rome", "days": 3} user assistant system tool model name arguments parameters',
    "Сколько будет дважды два? Четыре. 葡萄酒在橡木桶中陈酿。 def blend(barrels):\n    return sum(barrels)\n",
)


def make_tokenizer(
    folder: str | Path,
    name: str,
    template: str | None = None,
    texts: Iterable[str] = _WORDS,
    vocabulary_size: int = 500,
) -> Path:
    """Write a tokenizer folder: a small byte-level BPE with the family's special tokens and its template.

    Args:
        folder: where to; it is made.
        name: of the family.
        template: instead of the family's own in `TEMPLATES`.
        texts: what the merges are learnt from.
        vocabulary_size: at most so many tokens.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    own, special = TEMPLATES[name]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, rstrip=t in special.eats_space_after) for t in special.control]
    )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in special.plain])
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"eos_token": special.end, "pad_token": special.end}
    config = roles | ({"bos_token": special.begin} if special.begin else {})
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | config)
    )
    (folder / "chat_template.jinja").write_text(template or own, encoding="utf-8")
    return folder
