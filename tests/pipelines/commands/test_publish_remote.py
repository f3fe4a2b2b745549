"""Runs published in an object store and read back: whole, the same bytes, through kills and damage."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipelines.commands import upload
from pipelines.commands.published import POINTER, published_run, read_publication
from pipelines.commands.upload import publish
from pipelines.errors import UserError, WorkError
from pipelines.execution.manifest import Damaged, write_sealed
from pipelines.execution.seal import read_run, reseal_run
from tests.pipelines.command_line import command, environment
from tests.pipelines.sources.remote.object_store import bucket, object_store

URL = "s3://published/folder"


@pytest.fixture(scope="module", autouse=True)
def store():
    with object_store() as address:
        yield address


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setenv("COUPAGE_CACHE", str(tmp_path / "cache"))
    system = bucket("published")
    yield system
    system.rm("published", recursive=True)


def there(system) -> dict[str, str]:
    """Each object, and when it was written with what."""
    system.invalidate_cache()
    found = system.find("published", detail=True)
    return {name: f"{info['ETag']} {info['LastModified']}" for name, info in found.items()}


def test_a_published_run_is_read_back(coupage, system, finished, tmp_path):
    said = coupage("publish", finished, URL, cwd=tmp_path)
    publication = read_publication(URL)
    for name in ("shards/stage1", "tokenizer", "report"):
        here = finished if name == "report" else finished / name
        result = publication.results[name]
        for file in result.files:
            assert system.cat(f"{URL}/{result.folder}/{file.name}") == (here / file.name).read_bytes()
    assert f"{len(there(system)) - 1} files" in said.stderr
    info = coupage("shards", "info", f"{URL}/shards/stage1", "--json", cwd=tmp_path).stdout
    assert info == coupage("shards", "info", finished / "shards" / "stage1", "--json").stdout
    coupage("shards", "export", f"{URL}/shards/stage1", "-o", "there", "--format", "jsonl", cwd=tmp_path)
    coupage("shards", "export", finished / "shards/stage1", "-o", "here", "--format", "jsonl", cwd=tmp_path)
    assert (tmp_path / "there/rows.jsonl").read_bytes() == (tmp_path / "here/rows.jsonl").read_bytes()
    assert coupage("verify", URL).stdout == "every hash is right\n"
    assert "hush-secret-key" not in said.stderr


def test_a_second_publication_changes_nothing(system, finished):
    first = publish(finished, URL)
    before = there(system)
    again = publish(finished, URL)
    assert (first.files, first.sent) == (len(before) - 1, len(before) - 1)
    assert (again.files, again.sent, again.bytes) == (first.files, 0, 0)
    assert there(system) == before


def test_a_recipe_publishes_what_it_builds_and_where_to_decides_no_bytes(coupage, system, recipe, run_copy):
    stages = sorted(path.name for path in (run_copy / "stages").iterdir())
    path = recipe.with_name("published.yaml")
    path.write_text(recipe.read_text() + f"\npublish: {URL}\n")
    coupage("run", path, "--workdir", run_copy)
    assert sorted(path.name for path in (run_copy / "stages").iterdir()) == stages
    assert coupage("verify", URL).stdout == "every hash is right\n"
    before = there(system)
    coupage("run", path, "--workdir", run_copy)
    assert there(system) == before
    said = coupage("run", path, "--workdir", "s3://published/run", code=2).stderr
    assert "lies on this machine or a shared file system" in said
    assert there(system) == before


def test_what_is_sent_in_parts_is_known_again(system, run_copy, monkeypatch):
    """By the tag that S3 makes of the parts, so nothing of it is fetched."""
    monkeypatch.setattr(upload, "PART_BYTES", 5 << 20)
    report = run_copy / "report.html"
    report.write_bytes(report.read_bytes() + random.Random(1).randbytes(11 << 20))
    reseal_run(run_copy, ["report.html"])
    publish(run_copy, URL)
    (tag,) = (tag for name, tag in there(system).items() if name.endswith("report.html"))
    assert tag.split('"')[1].endswith("-3")
    monkeypatch.setattr(upload, "remote_hash", lambda url: "is not read")
    assert publish(run_copy, URL).sent == 0


def test_a_killed_publication_goes_on(system, finished, tmp_path):
    """Killed when some files have come; what came is not sent again, and until the end nobody sees a half."""
    process = subprocess.Popen(
        command("publish", finished, URL), env=environment(), stderr=subprocess.PIPE, start_new_session=True
    )
    while not any(name.endswith(".arrow") or "tokenizer" in name for name in there(system)):
        assert process.poll() is None, process.stderr
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    came = there(system)
    if not system.exists(f"{URL}/{POINTER}"):
        assert read_publication(URL) is None
    sent = publish(finished, URL)
    after = there(system)
    assert sent.sent <= sent.files - len([name for name in came if not name.endswith(POINTER)])
    assert {name: after[name] for name in came} == came
    assert list(published_run(URL).damages()) == []


def test_nobody_sees_a_half(system, finished, monkeypatch):
    """Whatever file cannot be sent, there is no pointer, and no index of shards that are not whole."""
    sent = upload._send

    def until_shards(url, file):
        if file.target.endswith(".arrow"):
            raise WorkError("the network is gone")
        return sent(url, file)

    monkeypatch.setattr(upload, "_send", until_shards)
    with pytest.raises(WorkError, match="the network is gone"):
        publish(finished, URL)
    assert there(system)
    assert not [name for name in there(system) if name.endswith((POINTER, "coupage.json"))]


def test_damage_there_is_seen_and_mended(coupage, system, finished, tmp_path):
    publish(finished, URL)
    shards = read_publication(URL).results["shards/stage1"]
    data = next(file for file in shards.files if file.name.endswith(".arrow"))
    name = f"{URL}/{shards.folder}/{data.name}"
    whole = system.cat(name)
    system.pipe(name, whole[:-1] + bytes([whole[-1] ^ 1]))
    failed = coupage("verify", URL, "--json", code=1)
    assert json.loads(failed.stdout) == [
        {"file": name, "what": "is not what was published: its hash is another"}
    ]
    export = ("shards", "export", f"{URL}/shards/stage1", "-o", "out", "--format", "jsonl")
    assert "not what was published" in coupage(*export, cwd=tmp_path, code=1).stderr
    assert not (tmp_path / "out").exists()
    system.pipe(name, whole[:100])
    assert "another size" in coupage("shards", "info", f"{URL}/shards/stage1", code=1).stderr
    system.rm(name)
    assert "is missing" in coupage("verify", URL, code=1).stderr
    assert publish(finished, URL).sent == 1
    coupage("verify", URL)
    coupage(*export, cwd=tmp_path)


def test_another_recipes_results_are_not_mixed_in(system, finished, run_copy):
    publish(finished, URL)
    before = there(system)
    recipe = json.loads(read_run(run_copy).recipe) | {"name": "another"}
    changed = read_run(run_copy).model_copy(update={"recipe": json.dumps(recipe)})
    write_sealed(run_copy / "run.json", changed.model_dump())
    with pytest.raises(UserError, match="another recipe"):
        publish(run_copy, URL)
    assert there(system) == before
    system.pipe(f"{URL}/{POINTER}", b"{}")
    with pytest.raises(Damaged):
        publish(finished, URL)


def test_a_damaged_run_is_not_published(system, run_copy):
    shards = run_copy / "shards" / "stage1"
    data = next(shards.resolve().glob("data-*.arrow"))
    content = data.read_bytes()
    data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Damaged, match="not what the run built"):
        publish(run_copy, URL)
    assert not system.exists(f"{URL}/{POINTER}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("folder", "an address such as"),
        ("https://host/folder", "nothing can be published at https"),
        ("hf://datasets/owner/name", "nothing can be published at hf"),
        ("s3://key:hush@bucket/folder", "password or a signature"),
        ("nosuch://bucket/folder", "nothing reads nosuch"),
        ("s3://no-such-bucket/folder", "NoSuchBucket|does not exist|no such"),
    ],
)
def test_where_nothing_can_be_published_it_says_so(system, finished, url, words):
    with pytest.raises((UserError, FileNotFoundError, WorkError), match=words) as raised:
        publish(finished, url)
    assert "hush" not in str(raised.value)


def test_any_file_system_will_do(coupage, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("COUPAGE_CACHE", str(tmp_path / "cache"))
    url = f"file://{tmp_path}/there"
    assert publish(finished, url).sent
    assert publish(finished, url).sent == 0
    coupage("verify", url)
    whole = Path(tmp_path, "there", "shards", "stage1")
    assert coupage("shards", "info", f"{url}/shards/stage1").stdout
    (folder,) = whole.iterdir()
    assert coupage("shards", "info", folder).stdout == coupage("shards", "info", f"file://{folder}").stdout


def test_shards_elsewhere_that_are_none(coupage, system, finished):
    assert "no run was published here" in coupage("verify", URL, code=2).stderr
    assert "no run was published here" in coupage("shards", "info", URL, code=2).stderr
    publish(finished, URL)
    assert f"{URL}/shards/stage1" in coupage("shards", "info", URL, code=2).stderr
    assert "Published are" in coupage("shards", "info", f"{URL}/shards/stage9", code=2).stderr
    assert "there is no shards/stage9" in coupage("train", URL, "--stage", "stage9", code=2).stderr


def test_a_model_is_trained_on_what_was_published(coupage, system, finished, tmp_path):
    publish(finished, URL)
    sizes = "{hidden_size: 32, layers: 2, heads: 2, kv_heads: 1, intermediate_size: 64}"
    settings = ("--set", f"train.model={sizes}", "--set", "train.stage1.max_steps=2")
    coupage("train", URL, *settings, cwd=tmp_path)
    trained = tmp_path / "runs" / "small-stage1"
    assert (trained / "model.safetensors").is_file()
    (result,) = trained.glob("**/training.json")
    assert json.loads(result.read_text())
