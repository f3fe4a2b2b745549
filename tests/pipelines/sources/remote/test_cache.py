"""What was fetched is kept: within a bound, whole, by several processes."""

import os
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.sources.remote.cache import BlobCache, cache_folder, cache_size


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_was_stored_is_there_for_others_too(tmp_path):
    cache = BlobCache(tmp_path / "cache", 1 << 20)
    assert cache.get("a") is None
    cache.put("a", b"first")
    cache.put("a", b"second")
    cache.put("../../b", b"")
    for each in (cache, BlobCache(tmp_path / "cache", 1 << 20), pickle.loads(pickle.dumps(cache))):
        assert (each.get("a"), each.get("../../b"), each.get("c")) == (b"second", b"", None)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_what_was_not_asked_for_longest_goes_first(tmp_path):
    cache = BlobCache(tmp_path, 10_000)
    cache.put("asked for", bytes(1000))
    for number in range(50):
        cache.put(str(number), bytes(1000))
        time.sleep(0.001)
        assert cache.get("asked for") is not None
        assert cache.get(str(number)) is not None
    assert cache.get("0") is None
    assert stored_bytes(tmp_path) <= 10_000


def test_a_blob_larger_than_the_bound_drives_nothing_out(tmp_path):
    cache = BlobCache(tmp_path, 10_000)
    cache.put("small", b"s")
    cache.put("large", bytes(10_001))
    assert (cache.get("small"), cache.get("large")) == (b"s", None)


@pytest.mark.parametrize("damage", [b"", b"torn", bytes(100)])
def test_a_damaged_blob_is_as_good_as_none(tmp_path, damage):
    cache = BlobCache(tmp_path, 10_000)
    cache.put("a", b"whole")
    (path,) = (path for path in tmp_path.glob("*/*"))
    path.write_bytes(damage)
    assert cache.get("a") is None
    cache.put("a", b"whole")
    assert cache.get("a") == b"whole"


def test_what_killed_writers_left_is_removed_and_what_others_write_now_is_not(tmp_path):
    cache = BlobCache(tmp_path, 10_000)
    cache.put("a", b"a")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    old, new = folder / ".writing-old", folder / ".writing-new"
    for path in (old, new):
        path.write_bytes(b"torn")
    os.utime(old, (0, 0))
    BlobCache(tmp_path, 10_000).put("b", b"b")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = BlobCache(tmp_path / "file" / "cache", 10_000)
    cache.put("a", b"a")
    assert cache.get("a") is None


def store(folder: Path, process: int) -> bool:
    cache = BlobCache(folder, 100_000)
    whole = True
    for number in range(200):
        key = str((number * 7 + process) % 60)
        found = cache.get(key)
        whole = whole and found in (None, key.encode() * 1000)
        cache.put(key, key.encode() * 1000)
    return whole


def test_several_processes_store_and_read_at_once(tmp_path):
    with ProcessPoolExecutor(2) as pool:
        assert all(pool.map(store, [tmp_path] * 2, range(2)))
    assert stored_bytes(tmp_path) <= 100_000 * (1 + 2 / 16)


def test_where_it_lies_and_how_large_it_is_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("COUPAGE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "coupage"
    monkeypatch.setenv("COUPAGE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("COUPAGE_CACHE_SIZE", "1.5GB")
    assert cache_size() == 1_500_000_000
    monkeypatch.setenv("COUPAGE_CACHE_SIZE", "much")
    with pytest.raises(UserError, match="COUPAGE_CACHE_SIZE"):
        cache_size()
