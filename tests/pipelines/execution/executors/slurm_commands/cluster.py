"""A stand-in for a Slurm cluster of one machine: real processes for the elements of job arrays.

Its state is a folder, SLURM_STAND_IN: `<job>/<element>` holds an element's state, `<job>/script` the script,
`calls` every command. The variable KILL names an element to kill as soon as it starts, `<job>_<element>`;
while the file `full` exists nothing starts, and a file `deaf` makes squeue fail once.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["SLURM_STAND_IN"])
AT_ONCE = 2
CANCELLED = "CANCELLED by 1000|0:15"


def log_call() -> None:
    with (HOME / "calls").open("a") as file:
        file.write(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) + "\n")


def option(name: str) -> str:
    """The value of `--name=value` or `--name value` on the command line."""
    for i, argument in enumerate(sys.argv):
        if argument == f"--{name}":
            return sys.argv[i + 1]
        if argument.startswith(f"--{name}="):
            return argument.partition("=")[2]
    raise SystemExit(f"no --{name}")


def elements(job: str) -> list[tuple[int, str]]:
    found = [path for path in (HOME / job).iterdir() if path.name.isdigit()]
    return sorted((int(path.name), path.read_text()) for path in found)


def write_state(job: str, element: int, state: str) -> None:
    temporary = HOME / job / f".{element}"
    temporary.write_text(state)
    temporary.rename(HOME / job / str(element))


def directives(script: Path) -> dict[str, str]:
    lines = [
        line[len("#SBATCH ") :] for line in script.read_text().splitlines() if line.startswith("#SBATCH ")
    ]
    return {
        k: v for k, _, v in (" ".join(shlex.split(line)).removeprefix("--").partition("=") for line in lines)
    }


def run_job(job: str) -> None:
    """Run the elements of `job` until all have ended."""
    script = HOME / job / "script"
    asked = directives(script)
    last, _, limit = asked["array"].removeprefix("0-").partition("%")
    waiting = list(range(int(last) + 1))
    running: dict[int, subprocess.Popen[bytes]] = {}
    while waiting or running:
        cancelled = (HOME / job / "cancelled").exists()
        while waiting and cancelled:
            write_state(job, waiting.pop(0), CANCELLED)
        while waiting and len(running) < min(AT_ONCE, int(limit or AT_ONCE)) and not (HOME / "full").exists():
            element = waiting.pop(0)
            running[element] = start(job, element, script, asked["output"])
        time.sleep(0.02)
        for element, process in list(running.items()):
            code = process.poll()
            if code is None and cancelled:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            elif code is None:
                continue
            del running[element]
            write_state(job, element, outcome(code))


def start(job: str, element: int, script: Path, output: str) -> subprocess.Popen[bytes]:
    write_state(job, element, "RUNNING|0:0")
    with Path(output.replace("%A", job).replace("%a", str(element))).open("wb") as log:
        process = subprocess.Popen(
            ["bash", str(script)],
            stdout=log,
            stderr=log,
            env=os.environ | {"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": str(element)},
            start_new_session=True,
        )
    if f"{job}_{element}" == os.environ.get("KILL"):
        os.killpg(process.pid, signal.SIGKILL)
    return process


def outcome(code: int | None) -> str:
    if code is None:
        return CANCELLED
    if code == 0:
        return "COMPLETED|0:0"
    return f"FAILED|{code}:0" if 0 < code < 128 else f"OUT_OF_MEMORY|0:{-code if code < 0 else code - 128}"


def sbatch() -> None:
    script = Path(sys.argv[-1])
    asked = directives(script)
    if asked.get("partition") == "no_such":
        raise SystemExit("sbatch: error: invalid partition specified: no_such")
    if re.fullmatch(r"0-\d+(%\d+)?", asked["array"]) is None:
        raise SystemExit("sbatch: error: Invalid job array specification")
    job = str(100 + len([path for path in HOME.iterdir() if path.is_dir()]))
    (HOME / job).mkdir()
    (HOME / job / "script").write_bytes(script.read_bytes())
    for element in range(int(asked["array"].removeprefix("0-").partition("%")[0]) + 1):
        write_state(job, element, "PENDING|0:0")
    subprocess.Popen(
        [sys.executable, __file__, job],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    print(job)


def squeue() -> None:
    if (HOME / "deaf").exists():
        (HOME / "deaf").unlink()
        raise SystemExit("slurm_load_jobs error: Socket timed out on send/recv operation")
    for job in sorted(path.name for path in HOME.iterdir() if path.is_dir()):
        for element, text in elements(job):
            state = text.partition("|")[0]
            if state in ("PENDING", "RUNNING"):
                print(job, element, state)


def sacct() -> None:
    job = option("jobs")
    print("\n".join(f"{job}_{element}|{state}" for element, state in elements(job)))


def scancel() -> None:
    (HOME / sys.argv[-1] / "cancelled").touch()


if __name__ == "__main__":
    run_job(sys.argv[1])
