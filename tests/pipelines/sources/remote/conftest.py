import pytest

from pipelines.sources.endpoint_session import Patience
from pipelines.sources.remote import attempts


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Nobody waits long, and every test has a cache of its own."""
    monkeypatch.setattr(attempts, "PATIENCE", Patience(tries=4, first_wait=0.001, longest_wait=0.002))
    monkeypatch.setenv("COUPAGE_CACHE", str(tmp_path / "cache"))
