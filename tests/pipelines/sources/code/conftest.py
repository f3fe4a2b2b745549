"""Repositories that the tests of source code make."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.sources.code.git import GitConfig, GitSource

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "t"), ("EMAIL", "t@example.org"), ("DATE", "2026-01-01T00:00:00Z"))
}


class MadeRepository:
    """A repository with a working tree, and the git command in it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", *options)

    def git(self, *arguments: str, input: bytes | None = None) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=environment | IDENTITY,
            input=input,
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | bytes] = {}) -> str:
        """Write files and commit all there is; the commit's hash."""
        for path, content in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "c")
        return self.git("rev-parse", "HEAD")

    def source(self, **options: object) -> GitSource:
        """The source `s` over it."""
        return source_at(self.folder, **options)


def source_at(path: Path | str, **options: object) -> GitSource:
    """The source `s` over a path."""
    return GitConfig.model_validate({"reader": "git", "path": str(path), **options}).build("s", Path("/"))


@pytest.fixture
def repository(tmp_path) -> MadeRepository:
    """An empty repository called `repo`."""
    return MadeRepository(tmp_path / "repo")
