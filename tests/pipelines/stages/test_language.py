"""`curate.language`: what is kept, what groups see, what inspect and the report say, and bad settings."""

import json
import random
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import UserError
from pipelines.graph.build import build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.load import load_recipe
from tests.filters.language.fasttext_models import ModelSpec
from tests.filters.sentences import SENTENCES

RECIPE = """\
name: languages
seed: 3
sources:
  web: {{reader: files, path: {folder}/web.jsonl, fields: {{id: id}}}}
  told: {{reader: files, path: {folder}/told.jsonl, language: tlh, fields: {{id: id}}}}
  raw: {{reader: files, path: {folder}/raw.jsonl, fields: {{id: id}}}}
curate:
  signals: [script_cyrillic]
  language: {language}
dedup: {{exact: false, minhash: null}}
held_out: {{share: 0}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1:
    tokens: 6k
    sequence_length: 128
    weights: {{russian: 50, english: 40, klingon: 10}}
    groups:
      russian: "language = 'ru'"
      english: "language = 'en'"
      klingon: "language = 'tlh'"
"""


def document(rng: random.Random, language: str) -> str:
    sentences = list(SENTENCES[language])
    rng.shuffle(sentences)
    return f"{rng.randint(100, 999)} " + "\n".join(sentences)


def write(folder: Path, name: str, texts: dict[str, str]) -> None:
    lines = [json.dumps({"id": id, "text": text}) for id, text in texts.items()]
    (folder / f"{name}.jsonl").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("languages")
    rng = random.Random(1)
    languages = ["ru", "en"] * 30 + ["de", "fr", "ja"] * 4
    web = {f"{language}{i}": document(rng, language) for i, language in enumerate(languages)}
    web |= {"short": "ok", "numbers": "12345 67890 " * 20, "unclear": "zzxq blorp fnord kwyjibo garply"}
    write(folder, "web", web)
    write(folder, "told", {f"told{i}": document(rng, "en") for i in range(10)})
    write(folder, "raw", {f"raw{i}": document(rng, "de") for i in range(3)})
    return folder


def write_recipe(path: Path, folder: Path, language: str) -> Path:
    path.write_text(RECIPE.format(folder=folder, language=language))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory, coupage, folder) -> Path:
    place = tmp_path_factory.mktemp("run")
    recipe = write_recipe(
        place / "recipe.yaml", folder, "{keep: [ru, en], min_score: 0.6, sources: [web, told]}"
    )
    coupage("run", recipe, "--workdir", place / "run")
    return place / "run"


def verdicts(run: Path, source: str) -> dict[str, dict]:
    (folder,) = (run / "stages").glob("select-documents-*")
    tables = [pq.read_table(path) for path in sorted((folder / source).glob("*.parquet"))]
    return {row["doc_id"].partition("/")[2]: row for table in tables for row in table.to_pylist()}


def test_documents_in_other_languages_go(run):
    found = verdicts(run, "web")
    assert {row["reason"] for id, row in found.items() if id[:2] in ("ru", "en")} == {None}
    assert {row["reason"] for id, row in found.items() if id[:2] in ("de", "fr", "ja")} == {
        "language.not_kept"
    }
    unclear = {found[id]["reason"] for id in ("short", "numbers", "unclear")}
    assert unclear == {"language.low_score"}


def test_sources_that_are_not_named_keep_every_language(run):
    assert {row["reason"] for row in verdicts(run, "raw").values()} == {None}


def test_the_language_is_what_the_source_says_or_else_what_is_found(run):
    found = verdicts(run, "web")
    assert {
        id: row["language"] for id, row in found.items() if id not in ("short", "numbers", "unclear")
    } == {id: id[:2] for id in found if id not in ("short", "numbers", "unclear")}
    assert {found[id]["language"] for id in ("short", "numbers", "unclear")} == {"und"}
    assert {row["language"] for row in verdicts(run, "told").values()} == {"tlh"}
    assert {row["language"] for row in verdicts(run, "raw").values()} == {"de"}


def test_groups_are_made_by_language(run):
    segments = pq.read_table(run / "shards" / "stage1" / "segments.parquet")
    ids = [doc_id.partition("/")[2] for doc_id in segments["doc_id"].to_pylist()]
    assert {doc_id[:2] for doc_id in ids} == {"ru", "en", "to"}


def test_the_sidecar_has_language_score_and_scripts(run):
    columns = {}
    for sidecar in ("hashes", "language", "scripts"):
        (folder,) = (run / "stages").glob(f"annotate-web-{sidecar}-*")
        table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
        columns |= dict(zip(table.column_names, table.columns, strict=True))
    rows = {row["doc_id"].partition("/")[2]: row for row in pa.table(columns).to_pylist()}
    assert rows["ru0"]["language"] == "ru"
    assert rows["ru0"]["language_score"] > 0.9
    assert rows["ru0"]["script_cyrillic"] == 1
    assert rows["numbers"]["language"] == "und"


def test_inspect_shows_language_score_and_threshold(run, coupage):
    found = json.loads(coupage("inspect", run, "--reason", "language", "-n", "50", "--json").stdout)
    why = {document["doc_id"].partition("/")[2]: document["why"] for document in found}
    assert len(why) == 15
    german = next(text for id, text in why.items() if id.startswith("de"))
    assert german.startswith("language is de with score 0.9")
    assert german.endswith("; kept are ru, en")
    assert why["numbers"] == "language is und with score 0.000, under 0.6"
    assert "language is de with score" in coupage("inspect", run, "--reason", "language.not_kept").stdout


def test_the_report_counts_languages_of_each_source(run):
    report = json.loads((run / "report.json").read_text())
    web, told, raw = (source["languages"] for source in report["sources"])
    assert web["ru"] == {"documents": 30, "kept": 30}
    assert web["de"] == {"documents": 4, "kept": 0}
    assert web["und"] == {"documents": 3, "kept": 0}
    assert told == {"tlh": {"documents": 10, "kept": 10}}
    assert raw == {"de": {"documents": 3, "kept": 3}}
    fails = {(rule["rule"], rule["source"]): rule["documents"] for rule in report["rules"]}
    assert fails["language.not_kept", "web"] == 12
    assert '<section id="languages"' in (run / "report.html").read_text()


def test_another_threshold_reads_no_text(run, coupage, folder, tmp_path):
    recipe = write_recipe(tmp_path / "recipe.yaml", folder, "{keep: [de], min_score: 0.5}")
    done = coupage("run", recipe, "--workdir", run, "--until", "select")
    assert "annotate web-language: cached" in done.stdout + done.stderr
    assert len(list((run / "stages").glob("select-documents-*"))) == 2


def test_a_model_of_the_user(coupage, folder, tmp_path):
    (tmp_path / "own.bin").write_bytes(ModelSpec(labels=("rus_Cyrl", "eng_Latn", "deu_Latn")).write())
    recipe = write_recipe(tmp_path / "recipe.yaml", folder, "{keep: [ru], min_score: 0, model: own.bin}")
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "select")
    found = verdicts(tmp_path / "run", "web")
    assert {row["language"] for row in found.values()} <= {"ru", "en", "de", "und"}


@pytest.mark.parametrize(
    ("language", "complaint"),
    [
        ("{keep: [rus]}", "no language 'rus' in the model. Did you mean 'ru'?"),
        ("{keep: []}", "keep"),
        ("{keep: [ru], min_score: 2}", "min_score"),
        ("{keep: [ru], keeep: 1}", "keeep"),
        ("{keep: [ru], sources: [wob]}", "there is no source `wob`"),
    ],
)
def test_bad_settings_are_refused(folder, tmp_path, language, complaint):
    recipe = write_recipe(tmp_path / "recipe.yaml", folder, language)
    with pytest.raises(UserError, match=re.escape(complaint)):
        load_recipe(str(recipe))


@pytest.mark.parametrize(
    ("content", "language", "complaint"),
    [
        (None, "{keep: [ru], model: own.bin}", "there is no file"),
        (b"no model", "{keep: [ru], model: own.bin}", "no fastText model"),
        (ModelSpec().write()[:500], "{keep: [ru], model: own.bin}", "cut short"),
        (b"", "{keep: [ru], model: own.bin}", "empty"),
        (ModelSpec().write(), "{keep: [de], model: own.bin}", "no language 'de' in the model"),
    ],
)
def test_bad_models_are_refused(folder, tmp_path, content, language, complaint):
    if content is not None:
        (tmp_path / "own.bin").write_bytes(content)
    recipe = load_recipe(str(write_recipe(tmp_path / "recipe.yaml", folder, language)))
    with pytest.raises(UserError, match=complaint) as refused:
        build_graph(recipe, LiveInputs(tmp_path))
    assert "curate.language" in str(refused.value)
