"""The preflight of sources on the hub: looked at and not fetched, told apart from a hub that is away."""

import json

import pytest

from tests.pipelines.corpus import write_corpus
from tests.pipelines.sources.hub_server import HubServer
from tests.pipelines.sources.test_hub_source import COMMIT, FILES


@pytest.fixture
def recipe(tmp_path):
    write_corpus(tmp_path, documents=40)

    def write(**options):
        recipe = {
            "name": "hub",
            "sources": {
                "law": {"reader": "files", "path": "law.jsonl"},
                "far": {"reader": "hub", "dataset": "owner/name", "subset": "ru", **options},
            },
            "tokenizer": {"train": {"vocabulary_size": 600}},
            "mixtures": {"stage1": {"tokens": "2k", "sequence_length": 64, "weights": {"law": 1}}},
        }
        (tmp_path / "hub.yaml").write_text(json.dumps(recipe))
        return tmp_path / "hub.yaml"

    return write


def at(hub, tmp_path):
    return {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "COUPAGE_CACHE": str(tmp_path / "cache"),
    }


def test_a_source_on_the_hub_is_looked_at(coupage, tmp_path, recipe):
    with HubServer("owner/name", COMMIT, FILES) as hub:
        said = coupage("plan", recipe(), "--json", "--workdir", tmp_path / "run", **at(hub.url, tmp_path))
        mistaken = recipe(fields={"text": "body"})
        refused = coupage("plan", mistaken, "--workdir", tmp_path / "run", code=2, **at(hub.url, tmp_path))
    far = json.loads(said.stdout)["sources"][1]
    assert far["source"] == "far" and 25 <= far["documents"] <= 45
    assert "no field `body`; the records have: text" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_a_gated_dataset_asks_for_consent_and_a_token(coupage, tmp_path, recipe):
    with HubServer("owner/name", COMMIT, FILES, gated=True) as hub:
        for command in ("plan", "run"):
            said = coupage(command, recipe(), "--workdir", tmp_path / "run", code=2, **at(hub.url, tmp_path))
            assert "asks for consent" in said.stderr and "HF_TOKEN" in said.stderr
    assert not (tmp_path / "run").exists()


def test_a_hub_that_is_away_ends_a_run_and_not_a_plan(coupage, tmp_path, recipe):
    away = at("http://127.0.0.1:9", tmp_path)
    said = coupage("plan", recipe(), "--workdir", tmp_path / "run", **away).stdout
    assert "not looked at: sources.far" in said
    coupage("run", recipe(), "--workdir", tmp_path / "run", code=1, **away)
    assert not (tmp_path / "run").exists()
