"""The JSON objects in an answer, whatever stands around them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synthesis.json_answers import parse_objects

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=4)
PROSE = st.text(st.characters(exclude_characters='{}"', exclude_categories=["Cs"]))


@given(st.lists(st.tuples(PROSE, OBJECTS, st.booleans())), PROSE)
def test_objects_are_found_among_prose(pieces, end):
    written = [
        before + json.dumps(value, ensure_ascii=escaped, indent=1 if escaped else None)
        for before, value, escaped in pieces
    ]
    assert parse_objects("".join(written) + end) == [value for _, value, _ in pieces]


@given(st.lists(OBJECTS, min_size=1), st.data())
def test_whole_objects_of_a_list_that_is_cut_short_are_found(objects, data):
    text, ends = '{"questions": [', []
    for each in objects:
        text += json.dumps(each)
        ends.append(len(text))
        text += ", "
    cut = data.draw(st.integers(0, len(text)))
    whole = sum(end <= cut for end in ends)
    assert parse_objects(text[:cut])[:whole] == objects[:whole]


@given(st.text(st.sampled_from('{}[],:"\\ \n1atrue')))
def test_any_text_gives_objects_or_none(text):
    for found in parse_objects(text):
        assert isinstance(found, dict)
        json.dumps(found).encode()


@pytest.mark.parametrize(
    "text",
    [
        'Here you are:\n```json\n{"a": "b"}\n```\nI hope that it helps {smile}.',
        '{"a": "b"} }',
        'The set {x, y} and \\frac{1}{2}: {"a": "b"}',
        '{"broken: {"a": "b"}',
        '{"broken": "no end, {"a": "b"}',
        '{"broken": "a "quoted" word"}, {"a": "b"}',
        '{"broken": 1,, {"a": "b"}',
        '{"broken": [1}, {"a": "b"}',
        '[{"a": "b"}',
    ],
)
def test_what_stands_around_or_is_broken_costs_no_whole_object(text):
    assert parse_objects(text) == [{"a": "b"}]


def test_line_ends_in_strings_are_taken_as_they_are():
    assert parse_objects('{"a": "one\ntwo"}') == [{"a": "one\ntwo"}]


def test_backslashes_that_are_no_escapes_stand_for_themselves():
    assert parse_objects(r'{"a": "\(x\) \\ \n \u12 \" \sum"}') == [{"a": '\\(x\\) \\ \n \\u12 " \\sum'}]


def test_halves_of_characters_become_question_marks():
    assert parse_objects(r'{"a": "\ud83d\ude00 \ud83d"}') == [{"a": "\U0001f600 ?"}]


@pytest.mark.parametrize("start", ["", '{"a": [', '{"a": "'])
@pytest.mark.parametrize(
    "piece",
    [
        *("{", "[", '{"', '{"a":', '{"a":[', '{"a":"', '{"a":1,', '"', '\\"{', '{"\\', " ", "{ ", "{-", "{0"),
        *('{"a":{"a":1', '{","', "\\", '\\"', "{}", "{},", '{"a":{"b":1},', "{[", '{"a":[1],', "{\n"),
    ],
)
def test_hostile_answers_are_read_in_linear_time(start, piece):
    """Such an answer would take hours if each brace were tried to the end of the text."""
    text = start + piece * (200_000 // len(piece))
    assert len(parse_objects(text)) <= len(text) // 2
    assert parse_objects(text + '"}\n"}]\n{"last": 1}')[-1] == {"last": 1}


def test_objects_deeper_than_any_answer_are_read_from_inside():
    text = '{"a":' * 100_000 + "1" + "}" * 100_000
    found = parse_objects(text)
    assert len(found) == 1
    assert json.dumps(found[0]).count("{") <= 100
