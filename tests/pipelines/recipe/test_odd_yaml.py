"""What YAML can do and a recipe cannot: each is refused at its place, from a file and from --set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.recipe.load import load_recipe
from pipelines.recipe.yaml_text import MOST_NESTED, parse_recipe_text, parse_value
from tests.pipelines.recipe.test_recipe import GOOD, told

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)
VALUES = {
    "2001-13-45": "a whole number is wanted here (given: '2001-13-45')",
    "2001-12-15": "a whole number is wanted here (given: '2001-12-15')",
    "9" * 40: "is not a number of 64 bits",
    f"'{'9' * 40}'": "is not a number of 64 bits",
    "9" * 6000: "is too long a number",
    "0x" + "f" * 6000: "is too long a number",
    "1" + ":1" * 3000: "is too long a number",
    '!!int "abc"': "`abc` is no whole number",
    '!!int ""': "is no whole number",
    "!!float x": "`x` is no number",
    "!!bool maybe": "`maybe` is no truth value",
    "!!binary aGk=": "values of the kind `binary` are not read",
    "!!timestamp 2001-13-45": "a whole number is wanted here",
    "!mine 1": "values of the kind `!mine` are not read",
    "!!python/object:os.system 1": "are not read",
    ".nan": "is not a finite number",
    ".inf": "is not a finite number",
    "1.0e+999": "is not a finite number",
    "[": "not valid YAML",
    "*nowhere": "undefined alias",
    "&a [*a]": "an alias stands inside of what it names",
    "&a {b: *a}": "an alias stands inside of what it names",
    "&a {<<: *a}": "merge keys (`<<`) are not read",
    "{[a]: b}": "a key is a word",
    "{a: 1, a: 2}": "the key `a` is given twice",
    "[" * 20_000: f"more than {MOST_NESTED} lists and mappings in each other",
    "[" * 20_000 + "]" * 20_000: f"more than {MOST_NESTED} lists and mappings in each other",
    f"[{'1,' * 200_000}]": "more than 100,000 values",
}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:20])
def test_an_odd_value_is_told_with_its_line(tmp_path, value):
    message = told(tmp_path, GOOD.replace("name: mine", f"name: mine\nseed: {value}"))
    assert VALUES[value] in message and "hint: " in message
    assert message.startswith("recipe.yaml:line 2") or value == "["


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:20])
def test_an_odd_value_of_set_is_told(tmp_path, value):
    message = told(tmp_path, GOOD, f"seed={value}")
    assert VALUES[value] in message and "--set" in message and len(message) < 600


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (GOOD + BOMB, "recipe.yaml:line 9: more than 100,000 values, with those that aliases repeat"),
        (GOOD + "a:\tb\n\tc: d\n", "recipe.yaml:line 10, column 1"),
        (GOOD + "a: b\0c\n", "recipe.yaml:line 9: not valid YAML: control characters are not allowed"),
        (GOOD + "---\na: b\n", "recipe.yaml:line 9"),
        ("", "recipe.yaml: a recipe is a mapping of keys"),
        ("- a", "recipe.yaml: a recipe is a mapping of keys"),
        ("a: b\n" * 10_000_000, "recipe.yaml: the file is larger than a recipe can be"),
        (GOOD.replace("web: 1", "web: nan"), "`mixtures.stage1.weights.web`: a number is wanted"),
        (GOOD + "held_out: {share: nan%}\n", "line 9: `held_out.share`"),
        (GOOD + "part_size: 9999999999999999T\n", "line 9: `part_size`"),
        (GOOD + "curate: {rules: [{signals: {words: {min: nan}}}]}\n", "line 9: `curate.rules.0.signals"),
    ],
)
def test_an_odd_file_is_told_with_its_line(tmp_path, text, place):
    assert place in told(tmp_path, text)


def test_a_file_that_is_no_text_is_told(tmp_path, coupage):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"name: a\nseed: \xff\n")
    assert f"{path}:line 2: the recipe is not UTF-8" in coupage("plan", path, code=2).stderr
    assert f"{tmp_path}: a recipe is a file" in coupage("plan", tmp_path, code=2).stderr
    assert "there is no recipe" in coupage("plan", "x" * 5000, code=2).stderr


def test_an_unreadable_file_is_told(tmp_path, coupage, monkeypatch):
    path = tmp_path / "recipe.yaml"
    path.write_text(GOOD)

    def refuse(*arguments: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "open", refuse)
    assert f"{path}: the recipe cannot be read: Permission denied" in coupage("plan", path, code=2).stderr


def test_what_looks_like_a_date_is_a_text(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(GOOD + "description: 2001-13-45\n")
    assert load_recipe(str(path)).description == "2001-13-45"


def test_aliases_within_bounds_are_read():
    text = parse_recipe_text("a: &a [1, 2]\nb: [*a, *a]\n", "recipe.yaml")
    assert text.values == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "reader: files, path: web",
            "path: web",
            "`sources.web`: a source needs `use` with the name of a preset, or `reader`: arxiv, files, git, "
            "hub or python_environment",
        ),
        (
            "{reader: files, path: web.jsonl}",
            "5",
            "`sources.web`: keys with values are wanted here (given: 5)",
        ),
        ("web: 1", "web: abc", "a number is wanted here (given: 'abc')"),
        ("name: mine", "name: [mine]", "`name`: a text is wanted here"),
        ("mixtures:", "curate: {rules: 5}\nmixtures:", "`curate.rules`: a list is wanted here"),
        ("name: mine", "name: mine\nheld_out: {share: 0.1, share2: 0}", "unknown key `held_out.share2`"),
        ("  web:", "  Web:", "`sources.Web`: it should match pattern"),
        (
            "mixtures:",
            "curate: {classify: {q: {keep: 5%}}}\nmixtures:",
            "a classifier needs `model`: ensemble",
        ),
    ],
)
def test_mistakes_are_told_in_plain_words(tmp_path, old, new, message):
    assert old in GOOD
    said = told(tmp_path, GOOD.replace(old, new, 1))
    assert message in said and "Input should" not in said and "discriminator" not in said


RULES = """\
curate:
  edit: [{use: [c4_lines]}]
  rules:
    - {use: [gopher_quality], thresholds: {gopher_quality.max_words: 9000}}
    - {use: [gopher_quality]}
    - {signals: {words: {max: 9000}}}
"""


@pytest.mark.parametrize(
    ("assignment", "place", "expected"),
    [
        (
            "curate.rules.0.thresholds.gopher_quality.min_words=20",
            ("rules", 0, "thresholds"),
            {"gopher_quality.max_words": 9000, "gopher_quality.min_words": 20},
        ),
        (
            "curate.rules.0.thresholds.gopher_quality.max_words=80",
            ("rules", 0, "thresholds"),
            {"gopher_quality.max_words": 80},
        ),
        (
            "curate.rules.1.thresholds.gopher_quality.min_words=20",
            ("rules", 1, "thresholds"),
            {"gopher_quality.min_words": 20},
        ),
        ("curate.rules.2.signals.words.min=5", ("rules", 2, "signals"), {"words": {"min": 5, "max": 9000}}),
        (
            "curate.edit.0.options.c4_lines.terminal_punctuation=false",
            ("edit", 0, "options"),
            {"c4_lines.terminal_punctuation": False},
        ),
    ],
)
def test_set_reaches_keys_with_dots(tmp_path, assignment, place, expected):
    path = tmp_path / "recipe.yaml"
    path.write_text(GOOD + RULES)
    found = load_recipe(str(path), [assignment]).curate.model_dump()
    for part in place:
        found = found[part]
    assert found == expected


def test_what_set_gave_is_said_to_come_from_there(tmp_path):
    assert told(tmp_path, GOOD, "seed=abc").startswith("recipe.yaml:--set: `seed`")
    assert told(tmp_path, GOOD, "mixtures.stage1.weights.no=1").startswith(
        "recipe.yaml:--set: the group `no`"
    )


yaml_values = st.recursive(
    st.sampled_from(
        ["1", ".nan", "~", "!!int a", "*b", "&b 1", "2001-99-01", "'", "<<", "!!set {a}", "\t", "é"]
    ),
    lambda inner: (
        st.lists(inner).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner).map(lambda items: f"&b {{{', '.join(f'{item}: *b' for item in items)}}}")
    ),
    max_leaves=12,
)


@given(yaml_values)
def test_any_value_is_read_or_refused(text):
    try:
        parse_value(text, "--set x")
    except UserError as error:
        assert error.hint
