"""What people are shown of synthesis: what was kept and rejected, what it took, and hostile text unharmed."""

import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser

import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt

from pipelines.report.page.page import SCRIPTS
from pipelines.report.synthesis import synthesis_lines
from tests.pipelines.report.synthesis_run import HOSTILE, INPUT, MODEL, OUTPUT

VOID = {"meta"}


@pytest.fixture(scope="module")
def report(told):
    return json.loads((told / "report.json").read_text())


@pytest.fixture(scope="module")
def made(report):
    (made,) = report["synthesis"]
    return made


def test_every_passage_and_draft_is_accounted_for(told, made):
    assert (made["name"], made["method"], made["model"]) == ("questions", "qa", MODEL)
    assert (made["group"], made["asked_about"]) == ("questions", "stage1")
    documents = sum(
        pq.read_metadata(part).num_rows for part in told.glob("stages/synthesize-questions-*/*.parquet")
    )
    passages = made["passages"]
    assert sum(made["kept"].values()) == made["kept"]["factual"] == documents > 0
    assert passages["asked"] == passages["with_documents"] + sum(passages["without"].values())
    assert sum(made["kept"].values()) + sum(r["number"] for r in made["rejected"]) == 2 * passages["asked"]
    rejected = {r["reason"]: r["number"] for r in made["rejected"]}
    assert rejected["too_short"] == passages["asked"] and made["unanswered"] == 0


def test_what_was_rejected_stands_beside_its_passage(told, made):
    asked = {
        row["doc_id"]: row["text"]
        for part in told.glob("stages/ingest-law-*/*.parquet")
        for row in pq.read_table(part).to_pylist()
    }
    (short,) = (each for each in made["rejected"] if each["reason"] == "too_short")
    assert 0 < len(short["examples"]) <= 3 < short["number"]
    for example in short["examples"]:
        assert example["excerpt"] == "word"
        text = asked[example["passage_id"].rpartition("#")[0]]
        assert example["passage"].removesuffix(" …") in text and len(example["passage"]) > 100


def test_kept_examples_stand_beside_their_passage(made):
    assert made["examples"]
    for example in made["examples"]:
        (passage,) = example["passages"]
        question, answer = example["turns"]
        assert (question["role"], answer["role"]) == ("user", "assistant")
        asked_after = re.fullmatch(r"What comes after (.*)\?", question["content"])[1]
        assert passage["passage"].split()[:6] == asked_after.split()


def test_tokens_costs_and_yields_follow_from_the_answers(told, made):
    took, answers = made["took"], made["answers"]
    assert took["calls"] == made["passages"]["asked"]
    assert (took["input_tokens"], took["output_tokens"]) == (INPUT * took["calls"], OUTPUT * took["calls"])
    assert took["cost"] == pytest.approx((10 * took["input_tokens"] + 20 * took["output_tokens"]) / 1e6)
    of_trial = 2
    assert answers["answers"] == took["calls"] - of_trial
    assert answers["output_tokens_per_second"] == pytest.approx(
        answers["output_tokens"] / answers["busy_seconds"]
    )
    tokens = made["tokens"]
    assert made["yield"]["per_output_token"] == pytest.approx(tokens["made"] / took["output_tokens"])
    assert 0 < made["yield"]["per_token_asked_about"] < 1
    assert tokens["wanted"] == 200_000 and "gave out" in tokens["in_words"]
    assert f"{tokens['made']:,}" in tokens["in_words"]


def test_diversity_is_of_the_documents(made):
    diversity = made["diversity"]
    assert diversity["words"] > 100
    # Half of each text is of its own passage, the other half the same in all.
    assert 0.3 < diversity["distinct_2grams"] < diversity["distinct_4grams"] < 0.9
    assert diversity["copied_5grams"] > 0.5


def test_the_trial_is_shown(report):
    (trial,) = report["synthesis_trial"]
    assert trial["name"] == "questions" and trial["verdicts"] == {"kept": 2, "too_short": 2}
    assert [len(passage["results"]) for passage in trial["passages"]] == [2, 2]
    assert all(passage["text"] for passage in trial["passages"])


def test_shares_of_synthetic_text_are_shown(told, report):
    assert report["synthetic"]["stage2"] == {"questions": {"share": 1.0, "asked": False}}
    assert "questions: 100.0% of the tokens" in (told / "report.html").read_text()


def test_a_run_ends_with_a_line_on_what_was_made(told, told_recipe, report, made):
    line, gave_out = synthesis_lines(report)
    printed = " ".join((told_recipe.parent / "printed.txt").read_text().split())
    assert line in printed and gave_out in printed
    assert f"{sum(made['kept'].values())} documents" in line and "mostly too_short" in line
    assert line.endswith(f"it cost {made['took']['cost']:.2f}")


def test_the_command_prints_the_same_report(told, coupage, made):
    printed = json.loads(coupage("report", told, "--json").stdout)
    assert printed["synthesis"] == [made]


class Elements(HTMLParser):
    """Elements of a page; fails where one is closed that is not the last one open."""

    def __init__(self):
        super().__init__()
        self.found, self.open = Counter(), []

    def handle_starttag(self, tag, attributes):
        assert not [name for name, _ in attributes if name.startswith("on")]
        self.found[tag, dict(attributes).get("type")] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag


def test_hostile_text_is_only_text_on_the_page(told):
    page = (told / "report.html").read_text()
    assert "alert(" in page and "{{ 7 * 7 }}" in page and "\x1b" not in page
    elements = Elements()
    elements.feed(page)
    assert elements.open == [] and "i" not in {tag for tag, _ in elements.found}
    assert elements.found["script", None] == len(SCRIPTS)


def test_the_dataset_card_says_what_a_model_wrote(told, made):
    card = (told / "README.md").read_text()
    (_, section) = card.split("## Synthetic text")
    section = section.split("\n## ")[0]
    tokens = [token for block in MarkdownIt("commonmark").parse(section) for token in block.children or ()]
    assert not [token for token in tokens if token.type == "html_inline"]
    said = "".join(token.content for token in tokens)
    assert MODEL in said and "method qa" in said and f"{made['tokens']['made']:,} tokens" in said
    assert "100.0 % of the tokens" in said


def test_a_damaged_trial_is_named(told, tmp_path, coupage):
    run = shutil.copytree(told, tmp_path / "run", symlinks=True)
    (run / "synthesis_trial.json").write_text("{")
    refused = coupage("report", run, "--json", code=1).stderr
    assert "synthesis_trial.json" in refused and "Traceback" not in refused


def test_a_run_without_synthesis_says_nothing_of_it(finished):
    report = json.loads((finished / "report.json").read_text())
    assert report["synthesis"] == report["synthesis_trial"] == report["yield_curves"] == []
    assert "Synthesis" not in (finished / "report.html").read_text()
    assert "Synthetic" not in (finished / "README.md").read_text()


def test_hostile_text_is_there_to_be_escaped(made):
    assert any(HOSTILE in turn["content"] for each in made["examples"] for turn in each["turns"])


def test_where_no_draft_became_a_document_the_report_says_so(told, told_recipe, tmp_path, coupage):
    run = shutil.copytree(told, tmp_path / "run", symlinks=True)
    strict = ["--set", "synthesize.questions.checks.min_words=500"]
    printed = coupage("run", told_recipe, "--workdir", run, "--until", "select", *strict).stdout
    assert "questions: 0 documents with 0 tokens" in " ".join(printed.split())
    coupage("report", run)
    (made,) = json.loads((run / "report.json").read_text())["synthesis"]
    asked = made["passages"]["asked"]
    assert (made["kept"], made["examples"]) == ({}, [])
    assert made["passages"]["without"] == {"too_short": asked}
    assert [(each["reason"], each["number"]) for each in made["rejected"]] == [("too_short", 2 * asked)]
    assert "no document: too_short" in (run / "report.html").read_text()
