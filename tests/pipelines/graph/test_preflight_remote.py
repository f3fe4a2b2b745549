"""The preflight of sources on a server that is away: it is asked once, and others are looked at."""

import json

from pipelines.sources.endpoint_session import Patience
from pipelines.sources.remote import attempts
from tests.pipelines.sources.remote.hostile_server import HostileServer


def test_a_server_that_is_away_is_asked_for_one_source(coupage, tmp_path, monkeypatch):
    monkeypatch.setattr(attempts, "PATIENCE", Patience(tries=2, first_wait=0.001))
    with HostileServer(b'{"text": "one"}\n' * 20) as away, HostileServer(b'{"text": "two"}\n' * 20) as near:
        paths = {
            "first": away.url("silent/a.jsonl"),
            "second": away.url("silent/b.jsonl"),
            "third": near.url("good/c.jsonl"),
        }
        recipe = {
            "name": "far",
            "sources": {name: {"reader": "files", "path": path} for name, path in paths.items()},
            "tokenizer": {"train": {"vocabulary_size": 600}},
            "mixtures": {"stage1": {"tokens": "2k", "sequence_length": 64, "weights": {"third": 1}}},
        }
        (tmp_path / "far.yaml").write_text(json.dumps(recipe))
        said = coupage("run", tmp_path / "far.yaml", "--workdir", tmp_path / "run", code=1).stderr
    assert f"{paths['first']}:sources.first: cannot be reached or read, after 2 attempts" in said
    assert not (tmp_path / "run").exists()
    assert away.asked["silent/a.jsonl"] and "silent/b.jsonl" not in away.asked
    assert near.asked["good/c.jsonl"]
