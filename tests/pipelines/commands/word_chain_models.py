"""Models that say one certain word after each word: no attention, a table in the output layer."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ENGLISH = (
    "the old doctor walked slowly through our quiet village and every child wanted to hear his story".split()
)
RUSSIAN = (
    "старый доктор медленно шёл через нашу тихую деревню и каждый ребёнок хотел услышать его рассказ".split()
)
WORDS = ["<end>", *ENGLISH, *RUSSIAN]


def write_chain(folder: Path, russian_leads_to: list[str]) -> Path:
    """English words follow each other in a ring; each Russian word leads to the word of the same rank, or
    ranks later, of another list, or to the next one of its own.
    """
    following = {word: after for word, after in zip(ENGLISH, ENGLISH[1:] + ENGLISH[:1], strict=True)}
    ring = russian_leads_to[1:] + russian_leads_to[:1]
    following |= {word: ring[number % len(ring)] for number, word in enumerate(RUSSIAN)}
    size = len(WORDS) + len(WORDS) % 2
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=size,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        tie_word_embeddings=False,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(WORDS), size))
        model.lm_head.weight.zero_()
        for word, after in following.items():
            model.lm_head.weight[WORDS.index(after), WORDS.index(word)] = 1
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    return folder
