"""Recipes of presets read datasets in the real ones' layouts, by the real client, from a local server."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Coupage
from tests.pipelines.sources.hub_server import HubServer

from . import datasets_of_the_hub as real

COMMIT, LATER = "c0ffee" * 6 + "c0de", "deadbeef" * 5

DATASETS = {
    "HuggingFaceFW/fineweb": real.fineweb(),
    "HuggingFaceFW/fineweb-2": real.fineweb_2(),
    "allenai/c4": real.c4(),
    "HuggingFaceCode/stack-v3-train": real.the_stack_v3(),
    "Vikhrmodels/GrandMaster-PRO-MAX": real.grandmaster(),
}

SOURCES = {
    "web": {"use": "fineweb_10bt"},
    "russian": {"use": "fineweb_2", "language": "ru"},
    "pages": {"use": "c4"},
    "more": {"use": "mc4", "language": "ru"},
    "code": {"use": "the_stack_v3", "language": "python"},
    "chats": {"use": "grandmaster"},
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    (first, files), *others = DATASETS.items()
    with HubServer(first, COMMIT, files) as server:
        for name, content in others:
            server.add(name, COMMIT, content)
        yield server


def write_recipe(folder: Path, sources: dict[str, dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {
        "name": "hub",
        "sources": sources,
        "dedup": {"exact": False, "minhash": None},
        "mixtures": {"stage1": {"tokens": "1M", "weights": {"common_crawl": 1}}},
        "tokenizer": {"train": {"vocabulary_size": 600}},
    }
    if not any(settings.get("use", "").startswith(("fineweb", "c4", "mc4")) for settings in sources.values()):
        recipe["mixtures"] = {"stage1": {"tokens": "1M", "weights": {"code": 1}}}
    (folder / "hub.yaml").write_text(json.dumps(recipe))
    return folder / "hub.yaml"


def environment(server: HubServer, folder: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "COUPAGE_CACHE": str(folder / "cache"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def ingested(coupage: Coupage, server: HubServer, folder: Path, sources: dict[str, dict], code: int = 0):
    recipe = write_recipe(folder, sources)
    more = environment(server, folder)
    return coupage("run", recipe, "--workdir", folder / "run", "--until", "ingest", code=code, **more)


def parts(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / "run" / "stages").glob("ingest*/**/*.parquet"))
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in files if "quarantine" not in str(file)
    }


def documents(folder: Path) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for content in parts(folder).values():
        for row in pq.read_table(pa.BufferReader(content)).to_pylist():
            found.setdefault(row["source"], []).append(row)
    return found


def test_a_recipe_of_presets_reads_what_they_name(coupage: Coupage, hub: HubServer, tmp_path: Path) -> None:
    ingested(coupage, hub, tmp_path / "whole", SOURCES)
    found = documents(tmp_path / "whole")
    counts = {name: len(rows) for name, rows in found.items()}
    assert counts == {"web": 60, "russian": 12, "pages": 60, "more": 10, "code": 8, "chats": 15}
    assert found["web"][0]["doc_id"] == f"web/<urn:uuid:{0:036}>"
    assert found["web"][0]["url"] == "https://example.org/0"
    assert {row["license"] for row in found["web"]} == {"ODC-By-1.0"}
    assert (
        {row["language"] for row in found["russian"]} == {row["language"] for row in found["more"]} == {"ru"}
    )
    assert found["chats"][0]["messages"][1]["role"] == "assistant"
    code = found["code"]
    assert [row["text"].splitlines()[0] for row in code[:2]] == [
        "# file 0 of repository 0",
        "# file 4 of repository 0",
    ]
    assert [row["license"] for row in code[:2]] == ["Apache-2.0 AND MIT", "BSD-3-Clause"]
    assert json.loads(code[0]["metadata"])["repo_path"] == "owner/0"
    assert len({row["doc_id"] for row in code}) == len(code)


def test_connections_that_break_in_the_middle_of_a_file_change_nothing(
    coupage: Coupage, hub: HubServer, tmp_path: Path
) -> None:
    sources = {"web": {"use": "fineweb_10bt"}, "pages": {"use": "c4"}}
    ingested(coupage, hub, tmp_path / "whole", sources)
    hub.drop_after = 200
    ingested(coupage, hub, tmp_path / "broken", sources)
    assert {request.split("/")[-1] for request in hub.dropped if "c4-train" in request}
    assert parts(tmp_path / "broken") == parts(tmp_path / "whole")


OWN = {
    "README.md": real.card(("default", {"train": "part-*.json"}), ("lines", {"train": "more*.jsonl.gz"})),
    "part-1.json": json.dumps([{"text": text} for text in real.prose(0, 40, "array")]).encode(),
    "part-2.json": "".join(f'{{"text": "{text}"}}\n' for text in real.prose(0, 40, "lines")).encode(),
    "more.jsonl.gz": gzip.compress(
        b"".join(b'{"text": "%s"}\n' % random.Random(n).randbytes(300).hex().encode() for n in range(90)),
        mtime=0,
    ),
}


def test_a_hub_that_cuts_every_answer_is_survived(coupage: Coupage, hub: HubServer, tmp_path: Path) -> None:
    hub.add("owner/own", COMMIT, OWN)
    sources = {
        "web": {"use": "fineweb_10bt"},
        "pages": {"use": "c4"},
        "arrays": {"reader": "hub", "dataset": "owner/own", "subset": "default", "license": "CC0-1.0"},
        "lines": {"reader": "hub", "dataset": "owner/own", "subset": "lines", "license": "CC0-1.0"},
    }
    ingested(coupage, hub, tmp_path / "whole", sources)
    whole, counted = parts(tmp_path / "whole"), documents(tmp_path / "whole")
    assert {name: len(rows) for name, rows in counted.items()} == {
        "web": 60,
        "pages": 60,
        "arrays": 80,
        "lines": 90,
    }
    for most in (1000, 7001):
        hub.cut_after, hub.cut = most, 0
        folder = tmp_path / f"cut {most}"
        ingested(coupage, hub, folder, sources)
        assert hub.cut
        assert list(parts(folder).values()) == list(whole.values())


def test_the_token_is_shown_to_the_hub_and_not_to_the_storage_that_it_sends_to(
    coupage: Coupage, hub: HubServer, tmp_path: Path
) -> None:
    sources = {"pages": {"use": "c4"}}
    ingested(coupage, hub, tmp_path / "near", sources)
    hub.tokens.clear()
    with HubServer("allenai/c4", COMMIT, DATASETS["allenai/c4"]) as storage:
        hub.storage = storage.url.replace("127.0.0.1", "localhost")
        recipe = write_recipe(tmp_path / "far", sources)
        more = environment(hub, tmp_path / "far") | {"HF_TOKEN": "hf_hush"}
        coupage("run", recipe, "--workdir", tmp_path / "far" / "run", "--until", "ingest", **more)
        assert hub.tokens == {"Bearer hf_hush"}
        assert storage.tokens == {None}
    assert list(parts(tmp_path / "far").values()) == list(parts(tmp_path / "near").values())


def test_a_run_stays_at_the_commit_that_it_began_with(
    coupage: Coupage, hub: HubServer, tmp_path: Path
) -> None:
    sources = {"web": {"use": "fineweb_10bt"}}
    ingested(coupage, hub, tmp_path, sources)
    first = parts(tmp_path)
    hub.add("HuggingFaceFW/fineweb", LATER, real.fineweb(files=1, rows=3))
    for file in (tmp_path / "run" / "stages").glob("ingest*/**/*"):
        if file.is_file():
            file.unlink()
    coupage("plan", tmp_path / "hub.yaml", "--workdir", tmp_path / "run", **environment(hub, tmp_path))
    ingested(coupage, hub, tmp_path, sources)
    assert parts(tmp_path) == first
    ingested(coupage, hub, tmp_path / "new", sources)
    assert len(documents(tmp_path / "new")["web"]) == 3


def test_a_gated_dataset_says_what_to_accept_and_where_the_token_goes(
    coupage: Coupage, tmp_path: Path
) -> None:
    files = {"data/python/a.parquet": real.parquet(pa.schema([("content", pa.string())]), [{"content": "x"}])}
    with HubServer("bigcode/the-stack-dedup", COMMIT, files, gated=True) as server:
        failed = ingested(
            coupage, server, tmp_path, {"code": {"use": "the_stack_dedup", "language": "python"}}, code=2
        )
    for word in ("sources.code", "terms of use of The Stack", "datasets/bigcode/the-stack-dedup", "HF_TOKEN"):
        assert word in failed.stderr
