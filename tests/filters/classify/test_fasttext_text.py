"""How texts are prepared for fastText."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from filters.classify.fasttext_text import plain_words


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_plain_words_are_what_python_would_make(texts: list[str]) -> None:
    assert plain_words(pa.array(texts, pa.large_string())).to_pylist() == [slow_plain_words(t) for t in texts]


def slow_plain_words(text: str) -> str:
    import unicodedata

    text = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    text = "".join(f" {c} " if unicodedata.category(c)[0] == "P" else " " if c.isspace() else c for c in text)
    words = text.split()
    blank = bool(words) and (text[-1:].isspace())
    return " ".join(words) + (" " if blank else "")


def test_plain_words_of_two_scripts() -> None:
    text = pa.array(["Don't STOP,\n\nÉcole № 5!", "«Привет», — сказал Ёж.\t"], pa.large_string())
    assert plain_words(text).to_pylist() == ["don ' t stop , école № 5 ! ", "« привет » , — сказал ёж . "]
