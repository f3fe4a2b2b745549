"""Ray where it is not there, and without a cluster that was there before."""

import sys

import pytest

from pipelines.errors import UserError, WorkError
from tests.pipelines.conftest import ROOT
from tests.pipelines.execution.executors.test_any_executor import run
from tests.pipelines.execution.test_killed import Deadly


def test_without_ray_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'coupage\[ray\]'"):
        run("ray", Deadly(scope="", deaths=0), tmp_path)


def test_without_an_address_this_machine_is_the_cluster(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'coupage[ray]'")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert run("ray", Deadly(scope="", deaths=0), tmp_path) == []
    assert Deadly(scope="", deaths=0).is_finished(tmp_path)


def test_a_cluster_that_does_not_answer_is_named(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'coupage[ray]'")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(WorkError, match="RAY_ADDRESS"):
        run("ray", Deadly(scope="", deaths=0), tmp_path)
