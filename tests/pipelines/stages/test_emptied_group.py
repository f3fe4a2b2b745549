"""A group whose documents all went: it is said where, and with `renormalize` the others take its share."""

import json

import pytest

from tests.pipelines.corpus import write_corpus


@pytest.fixture
def recipe(tmp_path, base_tokenizer):
    """`copies` holds what `law` holds, in another source of a lower priority."""
    corpus = write_corpus(tmp_path, documents=100)
    (tmp_path / "copies.jsonl").write_text((corpus / "law.jsonl").read_text())
    recipe = {
        "name": "emptied",
        "sources": {
            "web": {"reader": "files", "path": "web.jsonl"},
            "law": {"reader": "files", "path": "law.jsonl", "priority": 1},
            "copies": {"reader": "files", "path": "copies.jsonl"},
        },
        "dedup": {"minhash": None},
        "tokenizer": {"base": str(base_tokenizer)},
        "mixtures": {
            "stage1": {
                "tokens": "9k",
                "sequence_length": 256,
                "weights": {"web": 1, "law": 1, "copies": 1},
            }
        },
    }
    (tmp_path / "emptied.yaml").write_text(json.dumps(recipe))
    return tmp_path / "emptied.yaml"


WHERE = "copies: 50 read, 50 exact duplicates of law."


def test_the_message_says_where_the_documents_went(coupage, recipe):
    said = coupage("run", recipe, "--workdir", recipe.parent / "run", code=2).stderr
    assert "Group 'copies' has a weight but no documents" in said and WHERE in said
    assert "coupage inspect" in said and "on_shortage: renormalize" in said


def test_with_renormalize_the_others_take_its_share(coupage, recipe):
    setting = ["--set", "mixtures.stage1.on_shortage=renormalize"]
    said = coupage("run", recipe, "--workdir", recipe.parent / "run", *setting).stdout
    assert "copies has no documents" in " ".join(said.split()) and WHERE in " ".join(said.split())
    report = json.loads((recipe.parent / "run/report.json").read_text())
    groups = {group["group"]: group for group in report["mixtures"]["stage1"]["groups"]}
    assert {name: group["quota"]["quota"] for name, group in groups.items()} == {
        "web": 4500,
        "law": 4500,
        "copies": 0,
    }
    assert groups["copies"]["tokens"] == 0
    coupage("verify", recipe.parent / "run")
