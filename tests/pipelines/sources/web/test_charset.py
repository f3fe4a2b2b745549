import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.web.charset import codec, decode

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. "


@pytest.mark.parametrize(
    ("label", "python_codec"),
    [
        ("latin1", "cp1252"),
        ("Latin-1", "cp1252"),
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("iso-8859-9", "cp1254"),
        ("gb2312", "gbk"),
        ("UTF8", "utf-8"),
        (" 'windows-1251' ", "cp1251"),
        ("x-mac-cyrillic", "mac_cyrillic"),
        ("utf-7", None),
        ("", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_labels_mean_what_browsers_take_them_for(label, python_codec):
    found = codec(label)
    if python_codec is None:
        assert found is None
    else:
        assert codecs.lookup(found).name == codecs.lookup(python_codec).name


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        (b"\xef\xbb\xbf" + "ж".encode(), "windows-1251", "ж"),
        ("ж<p>".encode("utf-16"), None, "ж<p>"),
        ("“q”".encode("cp1252"), "latin1", "“q”"),
        ("жук".encode("cp1251"), "windows-1251", "жук"),
        (b'<meta charset="koi8-r">' + "жук".encode("koi8-r"), None, '<meta charset="koi8-r">жук'),
        (
            b'<meta http-equiv=Content-Type content="text/html; charset=cp1251">' + "жук".encode("cp1251"),
            None,
            '<meta http-equiv=Content-Type content="text/html; charset=cp1251">жук',
        ),
        (b'<!-- <meta charset="koi8-r"> -->' + "жук".encode(), None, '<!-- <meta charset="koi8-r"> -->жук'),
        (b'<meta charset="utf-16">' + "жук".encode(), None, '<meta charset="utf-16">жук'),
        (
            b'<?xml version="1.0" encoding="windows-1251"?>' + "жук".encode("cp1251"),
            None,
            '<?xml version="1.0" encoding="windows-1251"?>жук',
        ),
        ("жук".encode(), "koi8-nonsense", "жук"),
        ("日本".encode("shift_jis"), "x-sjis", "日本"),
        (b"", None, ""),
    ],
)
def test_the_order_of_what_names_a_charset(data, declared, text):
    found = decode(data, declared)
    assert found.text == text and found.replaced == 0


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "utf-8"])
def test_a_charset_that_nothing_names_is_guessed(charset):
    assert decode((RUSSIAN * 4).encode(charset)).text == RUSSIAN * 4


def test_a_wrong_label_gives_way():
    assert decode((RUSSIAN * 4).encode("cp1251"), "utf-8").text == RUSSIAN * 4
    assert decode(RUSSIAN.encode(), "shift_jis").text == RUSSIAN


def test_undecodable_bytes_are_replaced_and_counted():
    found = decode(RUSSIAN.encode() * 9 + b"\xff" + "\ufffd".encode(), "utf-8")
    assert found.replaced == 1 and found.is_readable and found.text.count("\ufffd") == 2


@given(st.binary(max_size=400), st.sampled_from([None, "utf-8", "gbk", "latin1", "utf-16", "iso-2022-jp"]))
def test_any_bytes_become_characters(data, declared):
    found = decode(data, declared)
    assert found.replaced >= 0 and found.text.encode("utf-8", "surrogatepass") is not None


@given(st.text(max_size=200))
def test_utf8_is_read_whatever_a_page_says(text):
    data = text.encode("utf-8", "replace")
    found = decode(b"<p>" + data, "utf-8")
    assert found.text == "<p>" + data.decode() and found.replaced == 0
