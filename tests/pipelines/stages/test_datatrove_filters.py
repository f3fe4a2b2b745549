"""datatrove's filters by name, and the preset `bad_words`: in a run, and what is refused."""

import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.quality.datatrove import DatatroveFilter, check_options, filter_class
from pipelines.sources.schema import PART_SCHEMA
from tests.pipelines.commands.test_run import manifests, new_since

RULES = """\
  rules:
    - {{use: [bad_words], words: {{en: {folder}/en.txt, ru: {folder}/ru.txt}}, sources: [web]}}
    - {{datatrove: RegexFilter, options: {{regex_exp: "kernel kernel"}}, sources: [web]}}
    - {{datatrove: "datatrove.pipeline.filters:RegexFilter", options: {{regex_exp: "tensor tensor"}}}}
"""


def documents(*texts: str, language: str | None = None) -> pa.Table:
    rows = [
        {
            "doc_id": f"d/{i}",
            "text": text,
            "source": "d",
            "domain": "d",
            "language": language,
            "metadata": "{}",
        }
        for i, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, PART_SCHEMA)


def test_verdicts_are_datatroves():
    judge = DatatroveFilter("C4ParagraphFilter", {})
    long = "\n".join(["x" * 200] * 3)
    assert judge.judge(documents("short", long)) == (pa.array(["< 3 paragraphs", None]), 0)
    plain = DatatroveFilter("RegexFilter", {"regex_exp": "bad"}).judge(documents("good", "bad"))
    assert plain.reasons.to_pylist() == [None, ""]


def test_a_filter_that_draws_draws_alike():
    found = [DatatroveFilter("SamplerFilter", {"rate": 0.5}).judge(documents(*"ab" * 50)) for _ in range(2)]
    assert found[0] == found[1]
    assert 20 < found[0].reasons.null_count < 80
    other = DatatroveFilter("SamplerFilter", {"rate": 0.5, "seed": 3}).judge(documents(*"ab" * 50))
    assert other != found[0]


def test_a_document_on_which_a_filter_fails_does_not_stop_the_others():
    judge = DatatroveFilter("C4BadWordsFilter", {})
    judge._filter._badwords_regex["en"] = re.compile(r"(?:\W|^)(plonk)(?:\W|$)")  # which it would download
    table = pa.concat_tables(
        [documents("wine", "plonk", language="en"), documents("wine", language="xx"), documents("wine")]
    )
    assert judge.judge(table) == (
        pa.array([None, "document_removed_with_badwords", "error (ValueError)", None]),
        1,
    )


def test_a_filter_that_cannot_work_at_all_says_what_is_missing():
    with pytest.raises(ValueError, match="RegexFilter"):
        DatatroveFilter("RegexFilter", {"regex_exp": "("})
    try:
        import tldextract  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="tldextract"):
            DatatroveFilter("URLFilter", {})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("GopherQualtyFilter", {}, "did you mean `GopherQualityFilter`"),
        ("os:system", {}, "there is no filter `os:system`"),
        ("datatrove.pipeline.readers:JsonlReader", {}, "there is no filter"),
        ("subprocess.URLFilter", {}, "there is no filter"),
        ("BaseFilter", {}, "there is no filter"),
        ("RegexFilter", {"regex": "a"}, "has no option `regex`; did you mean `regex_exp`"),
        ("RegexFilter", {}, "needs the option `regex_exp`"),
        ("RegexFilter", {"regex_exp": "a", "exclusion_writer": "x"}, "has no option `exclusion_writer`"),
        ("LambdaFilter", {"filter_function": "print"}, "is a Python function"),
    ],
)
def test_unknown_names_and_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        check_options(name, options)


def test_names_may_have_their_package():
    short = filter_class("URLFilter")
    assert filter_class("datatrove.pipeline.filters:URLFilter") is short
    assert filter_class("datatrove.pipeline.filters.url_filter.URLFilter") is short


@pytest.fixture(scope="module")
def judged(tmp_path_factory, coupage, recipe):
    """A run with lists of words and datatrove's filters."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "en.txt").write_text("tensor doctor\nStatute court\n")
    (folder / "ru.txt").write_text("the\n")
    text = recipe.read_text()
    path = folder / "recipe.yaml"
    text = text.replace("web.jsonl, ", "web.jsonl, language: en, ")
    start, end = text.index("  rules:"), text.index("held_out:")
    path.write_text(text[:start] + RULES.format(folder=folder) + text[end:])
    coupage("run", path, "--workdir", folder / "run")
    return path, folder / "run"


def verdicts(run, source):
    (folder,) = (run / "stages").glob("select-documents-*")
    found = {}
    for path in sorted((folder / source).glob("*.parquet")):
        table = pq.read_table(path)
        found |= dict(zip(table["doc_id"].to_pylist(), table["reason"].to_pylist(), strict=True))
    return found


def test_verdicts_of_a_run(judged, corpus):
    _, run = judged
    for source in ("web", "law"):
        reasons = verdicts(run, source)
        dropped = {name: 0 for name in ("bad_words.max_bad_words", "datatrove.RegexFilter")}
        for line in (corpus / f"{source}.jsonl").read_text().splitlines():
            row = json.loads(line)
            reason = reasons[f"{source}/{row['id']}"]
            words = re.search(r"\b(tensor doctor|statute court)\b", row["text"].lower()) and source == "web"
            pattern = "kernel kernel|tensor tensor" if source == "web" else "tensor tensor"
            expected = "bad_words.max_bad_words" if words else None
            if expected is None and re.search(pattern, row["text"]):
                expected = "datatrove.RegexFilter"
            if expected:
                assert reason == expected
                dropped[expected] += 1
            else:
                assert reason is None or "duplicate" in reason
        assert dropped["bad_words.max_bad_words" if source == "web" else "datatrove.RegexFilter"] > 0


def test_a_filter_that_cannot_work_fails_the_run_with_a_hint(judged, coupage, tmp_path):
    recipe, finished = judged
    run = shutil.copytree(finished, tmp_path / "run", symlinks=True)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.read_text().replace("kernel kernel", "(kernel"))
    failed = coupage("run", path, "--workdir", run, "--until", "select", code=1)
    assert "datatrove's RegexFilter" in failed.stderr
    assert "hint: Check its options in `curate.rules`" in failed.stderr


def test_a_changed_filter_is_judged_anew_and_nothing_else_is(judged, coupage, tmp_path):
    recipe, finished = judged
    run = shutil.copytree(finished, tmp_path / "run", symlinks=True)
    before = manifests(run)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.read_text().replace("kernel kernel", "memory memory"))
    coupage("run", path, "--workdir", run, "--until", "select")
    assert set(new_since(before, run)) == {"datatrove web-RegexFilter", "select documents"}


def test_inspect_shows_the_signal_and_finds_the_filter(judged, coupage):
    _, run = judged
    shown = json.loads(coupage("inspect", run, "--reason", "bad_words", "-n", "1", "--json").stdout)
    assert re.fullmatch(r"bad_words is \d+, over 0", shown[0]["why"])
    shown = json.loads(
        coupage("inspect", run, "--reason", "datatrove.RegexFilter", "-n", "1", "--json").stdout
    )
    assert shown[0]["verdict"] == "dropped: datatrove.RegexFilter"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{datatrove: RegexFiltre, options: {regex_exp: a}}", "did you mean `RegexFilter`"),
        ("{use: [bad_words]}", "the preset `bad_words` needs its lists"),
        ("{use: [c4], words: {en: en.txt}}", "belong to the preset `bad_words`"),
        ("{use: [c4], options: {rate: 1}}", "`options` belong to a filter in `datatrove`"),
        ("{use: [c4], datatrove: RegexFilter}", "or one filter in `datatrove`"),
        ("{use: [bad_words], words: {en: none.txt}}", "none.txt"),
        ("{use: [bad_words], words: {en: empty.txt}}", "there is no word in the list"),
    ],
)
def test_mistakes_are_told(tmp_path, coupage, recipe, rules, message):
    (tmp_path / "empty.txt").write_text("\n \n")
    path = tmp_path / "recipe.yaml"
    text = recipe.read_text()
    start, end = text.index("  rules:"), text.index("held_out:")
    path.write_text(f"{text[:start]}  rules: [{rules}]\n{text[end:]}")
    assert message in coupage("plan", path, "--workdir", tmp_path / "run", code=2).stderr
