"""Whether a fast backend gives the reference's ids: checked on hostile texts and on the user's own."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from tokenizer_tools.backends import FAST, Backend, Reference

_SCRIPTS = (
    "The quick brown fox jumps over the lazy dog. I'M SURE it's we'll they've you'd; O'Brien's",
    "Съешь же ещё этих мягких французских булок, да выпей чаю; Ёлка — ёж. ЩЁЛКНУЛ",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ẞ ﬁn ǅ",
    "Đây là một câu tiếng Việt có nhiều dấu. İstanbul'da ığdır",
    "العربية: اَلْعَرَبِيَّةُ لغة ١٢٣٤٥ ـــ ﷽",
    "עברית: שָׁלוֹם עוֹלָם",
    "हिन्दी: क्षत्रिय ज़रूर १२३ ক্ষ தமிழ் ภาษาไทยไม่มีช่องว่าง ខ្មែរ ລາວ မြန်မာ ქართული ⴰⵎⴰⵣⵉⵖ",
    "中文没有空格,这是一个句子。「繁體字」日本語のテキスト、カタカナとひらがな。한국어 문장 한국어",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈𐌰𐌽 𓀀𓁐 𠜎𠜱 ㍿ ﷺ Å Å Å é e\u0301 ﬃ ²³ ½ Ⅷ ①",
)
_SYMBOLS = (
    "😀👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇷🇺🇺🇸 ☺️ ❤ ©®™ € £ ₽ ∑∫√≠≤ →⇒ ░▒▓ … – — “quotes” «ёлочки» „“",
    "zero\u200bwidth\u200cjoin\u200der\u2060no\ufeffbom soft\u00adhyphen \u200e\u200f\u202ertl\u202c",
    "z̷̢̛a̸̧̛l̵̡̛g̶o̴ " + "a" + "\u0301" * 60 + " b\u0327\u0301 \u0301alone \u20e3 ٖ",
    "\x00\x01\x02 nul \x07\x08\x0b\x0c\x1b[0m\x7f \x80\x9f \ufffd \ufffe \uffff \ufdd0 \ue000 \U0010ffff",
)
_SPACES = (
    "",
    " ",
    "\n",
    "\t",
    "  leading and trailing  ",
    "a b  c   d    e     f\tg\t\th \t i\n j\n\nk\n\n\nl\r\nm\r\n\r\nn\ro\n \n p \n",
    "tail \n\n   ",
    "\u00a0nbsp\u00a0\u00a0x\u2003em\u3000ideographic\u2028line\u2029paragraph\u0085nel\u1680ogham\u202f",
    "x" + " " * 300 + "y" + "\n" * 300 + "z" + "\t" * 300 + " \n" * 100,
    "\r\n" * 50 + " " * 7,
)
_DIGITS = (
    "0 1 12 123 1234 12345 123456 1,234,567.89 -3.14e-10 0x1F 007 1st 2nd 3a b4c 1_000 1２3 ٣٤ 九 x1y22z333",
    "2024-02-29T23:59:59Z +7 (495) 123-45-67 192.168.0.1 v1.2.3-rc4 §4.5.6 100% $5 №7",
)
_CODE = (
    "def f(x: int) -> None:\n\tif x != 0 and not x <= 1:\n        return {'a': [1, *x]}  # ok\n",
    "for(int i=0;i<n;++i){a[i]^=~b[i]<<3;}//...\n#include <stdio.h>\r\n\r\n/* *** */ #####===-----_____+++",
    "<div class='x'>&nbsp;&lt;</div>https://a.example/b?c=d&e=%20#f user@host",
    "```sh\n$ ls -la | grep '^d' && echo $?\n```",
    "\\frac{a}{b} \\\\ $x_{i}^{2}$ SELECT * FROM t WHERE a='b''c'; camelCase snake_case SCREAMING kebab-case",
)
_LONG_RUNS = (
    "a" * 2000,
    "ab" * 1000,
    "." * 1500 + "!?" * 500,
    "ё" * 1000,
    "漢" * 700,
    "7" * 999,
    "😀" * 300,
    "-=" * 400 + " " + "_" * 600,
    "'s" * 300 + "'" * 300,
    "Aa" * 500 + "\u0301" * 500,
)
HOSTILE_TEXTS = _SCRIPTS + _SYMBOLS + _SPACES + _DIGITS + _CODE + _LONG_RUNS
"""Texts of the kinds on which tokenizer implementations have been seen to differ."""


def look_alikes(tokens: Iterable[str]) -> list[str]:
    """Texts that spell out each of the tokens: alone, within a word, in a sentence, doubled and broken."""
    shapes = ("{0}", "a{0}b", "text {0} more", "{0}{0}\n{0}", " {0}\n\n{0} x", "{1} {0}{1}")
    return [shape.format(token, token[:-1]) for token in tokens for shape in shapes]


def choose_backend(
    tokenizer_json: str, texts: list[str], *, control_tokens: bool
) -> tuple[Backend, str | None]:
    """The fastest backend that gives the reference's ids for each of `texts`, and why faster ones do not."""
    reference = Reference(tokenizer_json, control_tokens=control_tokens)
    refusals = []
    for kind in FAST:
        try:
            fast = kind(tokenizer_json, control_tokens=control_tokens)
        except Exception as error:  # a library raises whatever its parser met
            refusals.append(f"{kind.name} cannot load this tokenizer: {error}")
            continue
        difference = first_difference(fast, reference, texts)
        if difference is None:
            return fast, "; ".join(refusals) or None
        refusals.append(difference)
    return reference, "; ".join(refusals)


def first_difference(fast: Backend, reference: Backend, texts: list[str]) -> str | None:
    """Says which text the two encode differently and how; None where they agree on all of them."""
    array = pa.array(texts, pa.large_string())
    try:
        ids, offsets = fast.encode(array)
    except Exception as error:
        return f"{fast.name} failed on the texts of the parity check: {error}"
    right_ids, right_offsets = reference.encode(array)
    for number, text in enumerate(texts):
        found = ids[offsets[number] : offsets[number + 1]]
        right = right_ids[right_offsets[number] : right_offsets[number + 1]]
        if not np.array_equal(found, right):
            return (
                f"{fast.name} encodes {text[:80]!r} as {found[:12].tolist()} where {reference.name} gives "
                f"{right[:12].tolist()} (text {number} of the parity check)"
            )
    return None
