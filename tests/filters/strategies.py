"""Texts as they come from the web: many scripts, punctuation everywhere, repetition, hostile characters."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = (
    "the be to of and that have with don't they'd've can't cannot gonna e.g. i.e. U.S. Ph.D. a.m. "
    "3am 10km 5% $20 US$5 20€ C++ and/or well-known re-enter 1-2 3-day foo.bar foo.Bar a,b 1,000 "
    '3.14 x=y a/b key:value -- --- — – … ... .. . ! ? !! ?! :) :-( ): (see) [1] {x} "quoted" '
    "'single' «ёлка» „text“ it's it’s James' O'Brien #tag @name me@mail.org http://example.com/a?b=c "
    "www.x.co.uk 10.0.0.1 127.0.0.1:80 file_name.txt C:\\dir привет мир, что-то И в не на т.е. "
    "漢字かな交じり文 한국어 العربية עברית हिन्दी "
    "emoji👍🏽 👨‍👩‍👧 © ™ ° °C. km² é é lorem ipsum Lorem Ipsum { } "
    "javascript terms of use privacy policy cookies • - * > ~ ^ + = | \\ \u200b \u00ad \ufeff \u0301 "
    "\U0001f600 \ufffd"
).split(" ")
GAPS = (
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\n\n\n",
    "\t",
    "\r\n",
    "\u2028",
    "\u3000",
    "\xa0",
    "\x85",
    "\x0c",
    "",
)

words = st.sampled_from(FRAGMENTS)
noise = st.text(max_size=8)
pieces = st.tuples(st.one_of(words, words, words, noise), st.sampled_from(GAPS)).map("".join)
texts = st.lists(pieces, max_size=60).map("".join)
repeated = st.lists(pieces, min_size=1, max_size=6).map("".join)
repetitive = st.builds(lambda text, times: text * times, repeated, st.integers(1, 12))
documents = st.one_of(texts, repetitive, st.text(max_size=200))
