"""A folder of a run, what may happen to it, and what must be true afterwards.

The oracle for shards is a run from scratch on a copy of the same inputs with the same settings. The oracle
for `verify` is the list of damage done that is still there.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.pipelines.command_line import Finished, command, environment, run_here
from tests.pipelines.corpus import document

SETTINGS: dict[str, list[str]] = {
    "plain": [],
    "strict": ["curate.rules.0.thresholds={gopher_quality.min_words: 120}"],
    "short": ["mixtures.stage1.tokens=12k"],
    "seeded": ["seed=5"],
}
STAGES = ["ingest", "annotate", "select", "tokenize", "mix"]
RECIPE = """\
name: world
seed: 3
sources:
  web: {{reader: files, path: {data}/web, fields: {{id: id}}}}
  law: {{reader: files, path: {data}/law.jsonl, fields: {{id: id}}}}
part_size: 20k
curate: {{rules: [{{use: [gopher_quality], sources: [web]}}]}}
held_out: {{share: 5%, tokens_per_group: 1k}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1: {{tokens: 8k, sequence_length: 128, weights: {{web: 70, law: 30}}}}
train:
  model: {{hidden_size: 16, layers: 1, heads: 2, kv_heads: 1, intermediate_size: 32}}
  stage1: {{rows_per_step: 32, max_steps: 2}}
"""


@dataclass(frozen=True)
class Harm:
    """Damage that was done: the file, what it had been, and what was left; None: the file was not there."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def is_there(self) -> bool:
        """Whether nothing made it good: the file is as the damage left it, and its folder is still there."""
        now = self.path.read_bytes() if self.path.is_file() else None
        return now == self.after and self.path.parent.exists()


@dataclass
class World:
    """Inputs, a recipe and a run's folder. A step changes something, or runs a command and checks it."""

    folder: Path
    tokenizer: Path
    rng: random.Random
    data: Path = field(init=False)
    workdir: Path = field(init=False)
    harms: list[Harm] = field(default_factory=list)
    finished: str | None = None
    """What the last finished run was made of."""
    trained_on: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    oracle: dict[str, dict[str, bytes]] = field(default_factory=dict)
    moves: int = 0
    length: int = 1
    """How much of the inputs is there, in halves of two."""

    def __post_init__(self) -> None:
        self.data, self.workdir = self.folder / "data", self.folder / "run"
        rng = random.Random(7)
        lines = [
            json.dumps({"id": str(n), "text": document(rng, rng.randint(8, 30))}) + "\n" for n in range(90)
        ]
        self.whole = {"web/a.jsonl": lines[:40], "web/b.jsonl": lines[40:60], "law.jsonl": lines[60:]}
        self._write_inputs()

    def _write_inputs(self) -> None:
        for name, lines in self.whole.items():
            path = self.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines))

    # ------------------------------------------------------------------ oracle

    @property
    def inputs(self) -> str:
        """Names the content of the inputs."""
        files = sorted(path for path in self.data.rglob("*") if path.is_file())
        return repr([(str(path.relative_to(self.data)), hash(path.read_bytes())) for path in files])

    def expected(self, settings: str) -> dict[str, bytes]:
        """The shards of a run from scratch."""
        key = f"{settings} {self.inputs}"
        if key not in self.oracle:
            scratch = self.folder / "scratch"
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(self.data, scratch / "data")
            done = self._command("run", self._recipe(scratch), "--workdir", scratch / "run", *_set(settings))
            assert done.returncode == 0, done.stderr
            self.oracle[key] = shards(scratch / "run")
        return self.oracle[key]

    def _recipe(self, folder: Path) -> Path:
        path = folder / "world.yaml"
        data = self.data if folder == self.folder else folder / "data"
        path.write_text(RECIPE.format(data=data, tokenizer=self.tokenizer))
        return path

    # ------------------------------------------------------------------ commands

    def _command(self, *arguments: object) -> Finished:
        done = run_here(*arguments, cwd=self.folder)
        text = done.stdout + done.stderr
        assert "Traceback" not in text and "This is a defect" not in text, text
        return done

    def _run(self, settings: str, *more: object) -> Finished:
        return self._command(
            "run", self._recipe(self.folder), "--workdir", self.workdir, *_set(settings), *more
        )

    def step(self) -> str:
        """Do something at random and check what must be true; returns what it was."""
        actions: dict[Callable[[], str], int] = {
            self.run: 20,
            self.stop_early: 6,
            self.refused: 5,
            self.kill: 6,
            self.damage: 14,
            self.plant: 3,
            self.touch: 4,
            self.move: 3,
            self.change_inputs: 5,
            self.shorten_under_the_run: 3,
            self.copy: 2,
            self.verify: 14,
            self.follow_advice: 6,
            self.look: 6,
            self.train: 3,
            self.clean: 3,
        }
        action = self.rng.choices(list(actions), list(actions.values()))[0]
        self.log.append(action.__name__)
        what = action()
        self.log[-1] = f"{action.__name__}: {what}"
        return self.log[-1]

    def _settings(self) -> str:
        return self.rng.choice(list(SETTINGS))

    def run(self) -> str:
        """A run ends with the bytes of a run from scratch, or it says what is wrong."""
        settings = self._settings()
        done = self._run(settings)
        assert done.returncode == 0, done.stderr
        self._is_finished(settings)
        return settings

    def _is_finished(self, settings: str) -> None:
        assert shards(self.workdir) == self.expected(settings), f"other bytes with {settings}"
        self.finished = settings

    def stop_early(self) -> str:
        settings, until = self._settings(), self.rng.choice(STAGES)
        done = self._run(settings, "--until", until)
        assert done.returncode == 0, done.stderr
        self._finished_run_is_there()
        return f"{settings} until {until}"

    def refused(self) -> str:
        before = self._files()
        option = self.rng.choice(
            [("--until", "selct"), ("--set", "seeds=3"), ("--set", "sources.web.path=gone")]
        )
        done = self._run("plain", *option)
        assert done.returncode == 2, done.stderr
        assert self._files() == before, "a refused command changed something"
        return " ".join(option)

    def kill(self) -> str:
        settings, delay = self._settings(), self.rng.uniform(1.0, 8.0)
        running = self._start(settings)
        time.sleep(delay)
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        code = running.wait()
        assert code in (0, -signal.SIGKILL), (self.folder / "killed.log").read_text()
        if code == 0:
            self._is_finished(settings)
        return f"{settings} after {delay:.1f} s: {code}"

    def _start(self, settings: str) -> "subprocess.Popen[bytes]":
        words = command(
            "run", self._recipe(self.folder), "--workdir", self.workdir, "--workers", 2, *_set(settings)
        )
        with (self.folder / "killed.log").open("wb") as log:
            return subprocess.Popen(
                words, stdout=log, stderr=log, cwd=self.folder, env=environment(), start_new_session=True
            )

    # ------------------------------------------------------------------ what happens to files

    def _files(self) -> dict[str, bytes]:
        """What commands read of the run's folder."""
        found = {}
        for path in sorted(self.workdir.rglob("*")):
            name = path.relative_to(self.workdir)
            if path.is_file() and path.name != ".lock" and name.parts[0] != "logs":
                found[str(name)] = path.read_bytes()
        return found

    def damage(self) -> str:
        names = [name for name in self._files() if not name.endswith("right_shards.json")]
        if not names:
            return "nothing there"
        path = (self.workdir / self.rng.choice(names)).resolve()
        before = path.read_bytes()
        how = self.rng.choice(["flip", "cut", "empty", "remove"])
        after: bytes | None
        if how == "remove" or not before:
            after = None
            path.unlink()
        else:
            place = self.rng.randrange(len(before))
            flipped = (
                before[:place] + bytes([before[place] ^ 1 << self.rng.randrange(8)]) + before[place + 1 :]
            )
            after = {"flip": flipped, "cut": before[:place], "empty": b""}[how]
            path.write_bytes(after)
        self.harms.append(Harm(path, before, after))
        return f"{how} {path.relative_to(self.folder)}"

    def plant(self) -> str:
        folders = [path for path in self.workdir.glob("stages/*/") if (path / "manifest.json").exists()]
        if not folders:
            return "nothing there"
        path = self.rng.choice(folders) / self.rng.choice(["stranger.parquet", "99999-000.parquet"])
        path.write_bytes(b"not ours")
        self.harms.append(Harm(path, None, b"not ours"))
        return str(path.relative_to(self.folder))

    def touch(self) -> str:
        for path in self.data.rglob("*.jsonl"):
            os.utime(path)
        return self._nothing_is_read_again()

    def move(self) -> str:
        self.moves += 1
        target = self.folder / f"data{self.moves}"
        self.data.rename(target)
        self.data = target
        return self._nothing_is_read_again()

    def _nothing_is_read_again(self) -> str:
        if self.finished is None or self._harmed():
            return "not looked at"
        before = {path.name for path in self.workdir.glob("stages/*")}
        done = self._run(self.finished)
        assert done.returncode == 0, done.stderr
        again = {path.name for path in self.workdir.glob("stages/*")} - before
        assert not again, f"made again though only places and times changed: {again}"
        return "nothing made again"

    def change_inputs(self) -> str:
        """The inputs lose their ends, or have them again; what was finished stays finished."""
        self.length = 3 - self.length
        self._write_inputs()
        if self.length == 1:
            for name, lines in self.whole.items():
                (self.data / name).write_text("".join(lines[: len(lines) * 3 // 4]))
        self.finished = None
        return f"length {self.length}"

    def shorten_under_the_run(self) -> str:
        """A run during which an input changes gives the shards of one of its two states, or fails."""
        settings = self._settings()
        before = self.expected(settings)
        path = self.data / "law.jsonl"
        content = path.read_bytes()
        running = self._start(settings)
        time.sleep(self.rng.uniform(0.5, 6.0))
        path.write_bytes(content[: len(content) // 2])
        code = running.wait()
        if code == 0:
            assert shards(self.workdir) == before, "other bytes after an input was cut under the run"
            self.finished = None
        path.write_bytes(content)
        return f"{settings}: {code}"

    def copy(self) -> str:
        """The run's folder as an object store or an archive gives it back: links followed."""
        target = self.folder / f"copy{self.moves}"
        self.moves += 1
        try:
            shutil.copytree(self.workdir, target)
        except (shutil.Error, FileNotFoundError):
            shutil.rmtree(target, ignore_errors=True)
            return "not possible"
        where = self.workdir.resolve()
        self.harms = [
            Harm(target / harm.path.relative_to(where), harm.before, harm.after) for harm in self.harms
        ]
        shutil.rmtree(self.workdir)
        self.workdir = target
        return str(target.name)

    # ------------------------------------------------------------------ commands that look

    def _harmed(self) -> list[Harm]:
        """The damage that is still there."""
        self.harms = [harm for harm in self.harms if harm.is_there]
        return self.harms

    def verify(self) -> str:
        if not self.workdir.exists() or not any(
            (self.workdir / n).exists() for n in ("run.json", "attempt.json")
        ):
            return "nothing there"
        harmed = self._harmed()
        done = self._command("verify", self.workdir)
        assert done.returncode == (1 if harmed else 0), (harmed[:3], done.stdout, done.stderr)
        return f"{len(harmed)} harms"

    def follow_advice(self) -> str:
        """What `verify` advises ends in right bytes, and in a `verify` that is content."""
        settings = self.finished or "plain"
        if not self.workdir.exists():
            return "nothing there"
        done = self._command("verify", self.workdir)
        if done.returncode == 2:
            return "nothing there"
        if done.returncode == 1:
            hint = done.stderr.partition("hint: ")[2]
            for words in hint.splitlines()[0].partition("rm -r ")[2].split():
                if not words.startswith(str(self.workdir)):
                    break
                shutil.rmtree(words, ignore_errors=True)
            if "train" in hint:
                shutil.rmtree(self.workdir / "train", ignore_errors=True)
        again = self._run(settings)
        assert again.returncode == 0, again.stderr
        self._is_finished(settings)
        sound = self._command("verify", self.workdir)
        assert sound.returncode == 0, (done.stderr, sound.stderr)
        self.harms = []
        return f"{settings}, verify was {done.returncode}"

    def _finished_run_is_there(self) -> None:
        if self.finished is not None and not self._harmed():
            done = self._command("report", self.workdir, "--json")
            assert done.returncode == 0, done.stderr

    def look(self) -> str:
        if self.finished is None or self._harmed():
            return "not looked at"
        for words in (
            ("report", self.workdir),
            ("inspect", self.workdir, "-n", "1"),
            ("verify", self.workdir),
        ):
            done = self._command(*words)
            assert done.returncode == 0, (words, done.stderr)
        return "report, inspect, verify"

    def train(self) -> str:
        """Training on anything but what was built is refused; a trained model stays as it is."""
        if not (self.workdir / "run.json").is_file():
            return "nothing there"
        trained = self.workdir / "train" / "stage1"
        before = (trained / "seal.json").is_file()
        kept = self._files() if before else {}
        done = self._command("train", self.workdir, "--stage", "stage1")
        if before:
            assert done.returncode != 0, "a trained stage was trained again"
            assert self._files() == kept, "a refused training changed something"
        elif done.returncode == 0:
            read = [(self.workdir / name).resolve() for name in ("shards/stage1", "tokenizer")]
            changed = [harm.path for harm in self._harmed() if harm.before is not None]
            harmed = [path for path in changed if any(path.is_relative_to(folder) for folder in read)]
            assert not harmed, f"trained on a damaged file: {harmed[0]}"
        elif not self._harmed():
            raise AssertionError(done.stderr)
        return f"code {done.returncode}"

    def clean(self) -> str:
        if self._harmed() or not any((self.workdir / n).is_file() for n in ("run.json", "attempt.json")):
            return "not cleaned"
        done = self._command("clean", self.workdir)
        assert done.returncode == 0, done.stderr
        self._finished_run_is_there()
        return done.stdout.splitlines()[-1]


def _set(settings: str) -> list[str]:
    return [word for assignment in SETTINGS[settings] for word in ("--set", assignment)]


def shards(workdir: Path) -> dict[str, bytes]:
    """The published shards."""
    files = sorted((workdir / "shards").glob("*/*"))
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}
