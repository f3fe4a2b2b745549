"""A repository's commits and files, read by the `git` command from its object store, without a checkout.

Nothing that a repository says is obeyed: git works in a folder of our own, with a configuration of our own,
that borrows the repository's objects and refs. So no hook, filter, include, alias, replacement or lazy fetch
of the repository comes into play, and nothing is written into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pipelines.errors import UserError

MAX_FILES = 1_000_000
"""A commit with more is refused: trees can name themselves over and over."""
_REFERENCE = re.compile(rb"ref: (refs/[!-~]+)|[0-9a-f]{40,64}")
_READ_BYTES = 1 << 16
_ASKED_AHEAD = 128


class Entry(NamedTuple):
    """A name in a commit's tree that is no folder."""

    path: str
    """With forward slashes; bytes that are not UTF-8 as surrogates."""
    mode: str
    object: str
    size: int | None
    """Bytes; None where the object is no file or not there."""

    @property
    def kind(self) -> str | None:
        """What it is, if it is no file."""
        return {"120000": "symbolic link", "160000": "submodule"}.get(self.mode)


def is_repository(folder: Path) -> bool:
    """Whether a folder is a repository, bare or with a working tree."""
    if (folder / ".git").exists():
        return True
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


class Repository:
    """A repository that is open for reading."""

    def __init__(self, location: Path, work: Path) -> None:
        self._location = location
        self._git = _git_command()
        self._objects: subprocess.Popen[bytes] | None = None
        own, common = _git_folders(location)
        self._config = common / "config"
        self._environment = _environment(work, common / "objects")
        sha256 = self._says(b"objectformat") and self._said("extensions.objectformat") == "sha256"
        extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        (work / "config").write_text(f"[core]\n\trepositoryformatversion = 1\n\tbare = true\n{extensions}")
        (work / "HEAD").write_bytes(_head(own))
        (work / "refs").symlink_to(common / "refs", target_is_directory=True)
        if (common / "packed-refs").exists():
            (work / "packed-refs").symlink_to(common / "packed-refs")

    @property
    def origin(self) -> str | None:
        """The http(s) address that it was cloned from, without credentials; None if there is none."""
        return public_url(self._said("remote.origin.url")) if self._says(b"origin") else None

    def resolve(self, commit: str) -> str | None:
        """The hash of a commit that is named by hash, branch or tag; None where there is none."""
        found = self._run("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
        return found.stdout.decode().strip() if found.returncode == 0 else None

    def entries(self, commit: str) -> Iterator[Entry]:
        """What the tree of a commit holds, in git's order.

        Raises:
            UserError: the tree cannot be read, or has more than MAX_FILES names.
        """
        command = self._command("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
        with subprocess.Popen(
            command, env=self._environment, stdin=_NOTHING, stdout=subprocess.PIPE, stderr=_NOTHING
        ) as listing:
            assert listing.stdout is not None
            number, rest = 0, b""
            while block := listing.stdout.read(_READ_BYTES):
                *lines, rest = (rest + block).split(b"\0")
                number += len(lines)
                if number > MAX_FILES:
                    listing.kill()
                    raise UserError(
                        f"commit {commit[:12]} has more than {MAX_FILES:,} files",
                        file=str(self._location),
                        hint="Leave this repository out of `path`.",
                    )
                yield from map(_entry, lines)
        if listing.returncode:
            raise UserError(
                f"the files of commit {commit[:12]} cannot be listed",
                file=str(self._location),
                hint="`git fsck` says what is damaged or was never fetched.",
            )

    def content(self, entry: Entry) -> bytes | None:
        """What a file holds; None where its object is missing or damaged."""
        ((_, content),) = self.contents([entry])
        return content

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        """What each file holds, in their order; several are asked for ahead, so that none is waited for.

        Until the last one is taken, or the iterator is closed, nothing else may be asked of the repository.
        """
        coming = iter(entries)
        asked: deque[Entry] = deque()
        try:
            while True:
                if len(asked) <= _ASKED_AHEAD // 2:
                    more = list(islice(coming, _ASKED_AHEAD - len(asked)))
                    self._ask(more)
                    asked += more
                if not asked:
                    return
                content, goes_on = self._answer()
                yield asked.popleft(), content
                if not goes_on:
                    self.close()
                    self._ask(asked)
        finally:
            if asked:
                self.close()

    def _ask(self, entries: Collection[Entry]) -> None:
        """Ask for files: so few that what is asked fits into a pipe, even while git waits for us to read."""
        if not entries:
            return
        if self._objects is None:
            command = self._command("cat-file", "--batch")
            self._objects = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=_NOTHING,
            )
        assert self._objects.stdin is not None
        with suppress(BrokenPipeError):  # then there is no answer
            self._objects.stdin.write("".join(f"{entry.object}\n" for entry in entries).encode())
            self._objects.stdin.flush()

    def _answer(self) -> tuple[bytes | None, bool]:
        """The content that was asked for longest ago, and whether git answers further questions."""
        assert self._objects is not None and self._objects.stdout is not None
        stdout = self._objects.stdout
        answer = stdout.readline().split()
        if len(answer) == 3 and answer[1] == b"blob":
            size = int(answer[2])
            content = stdout.read(size)
            whole = len(content) == size and stdout.read(1) == b"\n"
            return (content, True) if whole else (None, False)
        return None, len(answer) == 2  # <hash> missing

    def close(self) -> None:
        """End the process that reads objects."""
        if self._objects is not None:
            self._objects.kill()
            self._objects.communicate()
            self._objects = None

    def _says(self, word: bytes) -> bool:
        """Whether the configuration may say something, without the cost of asking git."""
        return self._config.is_file() and word in self._config.read_bytes().lower()

    def _said(self, key: str) -> str:
        """A value of the repository's own configuration, which is read and not obeyed."""
        found = self._run("config", "--file", str(self._config), "--no-includes", "--get", key)
        return found.stdout.decode("utf-8", "replace").strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._command(*arguments),
            env=self._environment,
            check=False,
            stdin=_NOTHING,
            stdout=subprocess.PIPE,
            stderr=_NOTHING,
        )

    def _command(self, *arguments: str) -> list[str]:
        return [self._git, "--no-pager", *arguments]


@contextmanager
def opened(location: Path) -> Iterator[Repository]:
    """The repository in a folder.

    Raises:
        UserError: there is no git, or the folder is no repository.
    """
    with TemporaryDirectory(prefix="coupage-git-") as work:
        repository = Repository(location, Path(work))
        try:
            yield repository
        finally:
            repository.close()


def public_url(written: str) -> str | None:
    """An address as it may be told to others: http or https, without user, password, query and `.git`."""
    try:
        parts = urlsplit(written)
        host = parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    path = parts.path.rstrip("/").removesuffix(".git")
    return urlunsplit((parts.scheme, host + port, path, "", ""))


_NOTHING = subprocess.DEVNULL


def _entry(line: bytes) -> Entry:
    about, _, path = line.partition(b"\t")
    mode, kind, name, size = about.split()
    known = kind == b"blob" and size.isdigit()
    return Entry(os.fsdecode(path), mode.decode(), name.decode(), int(size) if known else None)


def _git_command() -> str:
    found = shutil.which("git")
    if found is None:
        raise UserError(
            "the reader `git` needs the command git, which is not installed", hint="apt install git"
        )
    return found


def _git_folders(location: Path) -> tuple[Path, Path]:
    """The folders of a repository's HEAD and of its objects; they differ in further working trees."""
    own = location / ".git" if (location / ".git").exists() else location
    if own.is_file():
        named = own.read_bytes()[:4096].decode("utf-8", "replace").removeprefix("gitdir:").strip()
        own = location / named
    elsewhere = own / "commondir"
    common = own / elsewhere.read_text().strip() if elsewhere.is_file() else own
    if not (common / "objects").is_dir() or not (common / "refs").is_dir():
        raise UserError("there is no repository", file=str(location), hint="Name a folder that git made.")
    return own.absolute(), common.absolute()


def _head(folder: Path) -> bytes:
    """What HEAD names, if it is something that HEAD may name."""
    try:
        with (folder / "HEAD").open("rb") as file:
            found = _REFERENCE.match(file.read(4096))
    except OSError:
        found = None
    return (found[0] if found else b"ref: refs/heads/none") + b"\n"


def _environment(work: Path, objects: Path) -> dict[str, str]:
    """All that git is told by its surroundings; nothing of the user's own."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(work),
        "LC_ALL": "C",
        "GIT_DIR": str(work),
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
