import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import UserError, WorkError
from pipelines.sources import formats
from pipelines.sources.hub import HubConfig

from .conftest import Reading
from .hub_server import HubServer

COMMIT = "c0ffee" * 6 + "c0de"


def parquet(texts: list[str], row_group_size: int = 10) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer, row_group_size=row_group_size)
    return buffer.getvalue()


CARD = b"""---
configs:
- config_name: ru
  data_files:
  - split: train
    path: ru/train-*.parquet
  - split: test
    path: ru/test.parquet
- config_name: chat
  data_files: chat/*.jsonl
---
# A dataset
"""

FILES = {
    "README.md": CARD,
    "ru/train-00000.parquet": parquet([f"a{number}" for number in range(25)]),
    "ru/train-00001.parquet": parquet([f"b{number}" for number in range(5)]),
    "ru/test.parquet": parquet(["held out"]),
    "chat/talk.jsonl": b'{"turns":[{"from":"human","value":"Q"},{"from":"gpt","value":"A"}]}\n{bad\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "local" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def source(folder: Path, dataset: str = "local", **options):
    return HubConfig(reader="hub", dataset=dataset, **options).build("s", folder)


def test_a_folder_in_the_hubs_layout(folder):
    ru = source(folder, subset="ru")
    reading = Reading(ru, part_bytes=1)
    assert reading.ids == [f"s/ru/train-00000.parquet:{row}" for row in range(25)] + [
        f"s/ru/train-00001.parquet:{row}" for row in range(5)
    ]
    assert len(reading.units) == 4
    assert [name for name, _, _ in ru.identity()["files"]] == [
        "ru/train-00000.parquet",
        "ru/train-00001.parquet",
    ]
    assert str(folder) not in json.dumps(ru.identity())
    assert ru.size() == sum(len(FILES[f"ru/train-0000{number}.parquet"]) for number in (0, 1))
    assert ru.resolve(offline=False) == ru
    assert Reading(source(folder, subset="ru", split="test")).texts == ["held out"]
    chat = Reading(source(folder, subset="chat", messages="turns"))
    assert chat.texts == ["Q\n\nA"] and chat.reasons == [("line 2, byte 68", "invalid JSON")]


def test_a_folder_without_a_card(folder):
    (folder / "local/README.md").unlink()
    assert Reading(source(folder, data_dir="ru", split="test")).texts == ["held out"]


def test_a_saved_dataset(tmp_path):
    import datasets

    rows = datasets.Dataset.from_dict({"text": [f"t{number}" for number in range(30)]})
    rows.save_to_disk(tmp_path / "one", num_shards=3)
    datasets.DatasetDict({"train": rows, "test": rows.select([3])}).save_to_disk(tmp_path / "many")
    assert Reading(source(tmp_path, "one")).texts == rows["text"][:]
    assert Reading(source(tmp_path, "many")).texts == rows["text"][:]
    assert Reading(source(tmp_path, "many", split="test")).texts == ["t3"]
    with pytest.raises(UserError, match="no split tset") as error:
        source(tmp_path, "many", split="tset").units(100)
    assert "Did you mean test?" in error.value.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": "ru", "split": "trian"}, "Did you mean train"),
        ({"subset": "de"}, "de"),
        ({}, "ru"),
        ({"data_dir": "nothing"}, "nothing"),
        ({"dataset": "./missing"}, "missing"),
        ({"dataset": "local/README.md/x"}, "README.md"),
    ],
)
def test_what_cannot_be_opened(folder, options, message):
    with pytest.raises(UserError) as error:
        source(folder, **options).units(100)
    assert message in str(error.value)


def test_files_of_another_format(tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "local/a.parquet.gz").write_bytes(b"")
    with pytest.raises(UserError):
        source(tmp_path).units(100)


CHILD = """
import dataclasses, json, pickle, sys
from pathlib import Path
from pipelines.errors import CoupageError
from pipelines.sources.base import Quarantine
from pipelines.sources.hub import HubConfig

results = []
for options in json.loads(sys.argv[1]):
    offline = options.pop("offline", False)
    pin = options.pop("pin", None)
    source = HubConfig(reader="hub", **options).build("s", Path(sys.argv[2]))
    try:
        source = source.pin(pin) if pin else source
        source = pickle.loads(pickle.dumps(source.resolve(offline)))
        result = {"identity": source.identity(), "size": source.size()}
        if not offline:
            quarantine = Quarantine()
            units = source.units(1)
            tables = [table for unit in units for table in source.read(unit, quarantine)]
            rows = [row for table in tables for row in table.to_pylist()]
            result |= {"units": len(units), "rows": rows, "quarantine": quarantine.rows}
    except CoupageError as error:
        result = {"error": str(error), "kind": type(error).__name__}
    results.append(result)
print(json.dumps(results))
"""


def on_the_hub(url: str, home: Path, *requests: dict) -> list[dict]:
    """What a process whose hub is at `url` finds."""
    environment = os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", CHILD, json.dumps(requests), str(home)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_dataset_of_the_hub(tmp_path):
    with HubServer("owner/name", COMMIT, FILES) as hub:
        ru, chat, offline, pinned, limited, *errors = on_the_hub(
            hub.url,
            tmp_path,
            {"dataset": "owner/name", "subset": "ru"},
            {"dataset": "owner/name", "subset": "chat", "messages": "turns"},
            {"dataset": "owner/name", "subset": "ru", "offline": True},
            {"dataset": "owner/name", "subset": "ru", "split": "test", "pin": COMMIT},
            {"dataset": "owner/name", "subset": "ru", "limit": "7 documents"},
            {"dataset": "owner/nothing"},
            {"dataset": "owner/name", "subset": "ru", "revision": "v9"},
            {"dataset": "owner/name", "subset": "ru", "split": "tset"},
            {"dataset": "owner/name", "subset": "de"},
        )
    assert ru["identity"] == {
        "reader": "hub",
        "version": {"formats": formats.VERSION},
        "dataset": "owner/name",
        "subset": "ru",
        "split": "train",
        "data_dir": None,
        "revision": "main",
        "pinned": COMMIT,
    }
    assert ru["size"] == sum(len(FILES[f"ru/train-0000{number}.parquet"]) for number in (0, 1))
    assert ru["units"] == 4
    assert [row["text"] for row in ru["rows"]] == [f"a{n}" for n in range(25)] + [f"b{n}" for n in range(5)]
    assert ru["rows"][25]["doc_id"] == "s/ru/train-00001.parquet:0"
    assert chat["rows"][0]["messages"][1] == {"role": "assistant", "content": "A"}
    assert [row[:3] for row in chat["quarantine"]] == [["chat/talk.jsonl", "line 2, byte 68", "invalid JSON"]]
    assert offline == {"identity": ru["identity"] | {"pinned": None}, "size": None}
    assert [row["text"] for row in pinned["rows"]] == ["held out"]
    by_file = Counter(row["text"][0] for row in limited["rows"])
    assert by_file.total() == 7 and set(by_file) == {"a", "b"}
    assert [error["kind"] for error in errors] == ["UserError"] * 4
    for error, word in zip(errors, ("owner/nothing", "v9", "Did you mean test", "de"), strict=True):
        assert word in error["error"]
    assert not any("trust" in request for request in hub.requests)


def test_a_hub_that_cannot_be_reached(tmp_path):
    unreachable, offline = on_the_hub(
        "http://127.0.0.1:9", tmp_path, {"dataset": "owner/name"}, {"dataset": "owner/name", "offline": True}
    )
    assert unreachable["kind"] == WorkError.__name__ and "owner/name" in unreachable["error"]
    assert offline["identity"]["pinned"] is None and offline["size"] is None


def test_a_commit_is_its_own_pin(tmp_path):
    assert source(tmp_path, "owner/name", revision=COMMIT).identity()["pinned"] == COMMIT
