"""What decides bytes carries a version: another output under the same version would be served from caches."""

import ast
from pathlib import Path

import pytest

from tests.versions.kernels import KERNELS, fingerprint
from tests.versions.record import recorded

ROOT = Path(__file__).parents[2]
PACKAGES = ("filters", "mixers", "tokenizer_tools", "pipelines")


@pytest.mark.parametrize("name", KERNELS)
def test_another_output_has_another_version(name):
    kernel = KERNELS[name]
    versions = recorded().get(name, {})
    output = fingerprint(kernel.output())
    if str(kernel.version) not in versions:
        pytest.fail(f"version {kernel.version} of `{name}` is new; run: python -m tests.versions.record")
    assert output == versions[str(kernel.version)], (
        f"the output of `{name}` is not that of version {kernel.version} any more: raise its version in "
        f"{kernel.file}, then run: python -m tests.versions.record"
    )


def test_versions_only_rise():
    for name, versions in recorded().items():
        assert KERNELS[name].version == max(map(int, versions)), name


def test_every_version_has_its_output_here():
    """Each module-level VERSION, so that none is raised, or forgotten, without a hash."""
    versioned = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            names = {
                target.id
                for node in ast.parse(path.read_text()).body
                if isinstance(node, ast.Assign | ast.AnnAssign)
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            }
            if names & {"VERSION", "FORMAT_VERSION"}:
                versioned.add(path.relative_to(ROOT).as_posix())
    assert versioned <= {kernel.file for kernel in KERNELS.values()}
