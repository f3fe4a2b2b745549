"""A real Slurm of this machine alone: munged, slurmctld and slurmd on loopback, all they write in one folder.

    python -m tests.pipelines.execution.executors.real_slurm FOLDER

starts one and waits; `SLURM_CONF=FOLDER/slurm.conf squeue` then asks it. Needs root, and Debian's packages
slurmctld, slurmd, slurm-client and munge. It keeps no accounts, so `sacct` knows nothing.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
SECONDS_TO_START = 60
CONFIGURATION = """\
ClusterName=coupage
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
KillWait=1
MinJobAge=2
InactiveLimit=0
SlurmctldTimeout=60
SlurmdTimeout=60
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def is_installed() -> bool:
    """Whether a Slurm can be started here."""
    return os.geteuid() == 0 and all(_program(name) for name in PROGRAMS)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextmanager
def real_slurm(folder: Path, cpus: int = 2) -> Iterator[Path]:
    """Start a cluster of one node; give its configuration, which SLURM_CONF is to name."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=host,
            controller_port=_free_port(),
            node_port=_free_port(),
            folder=folder,
            cpus=cpus,
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        )
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    environment = os.environ | {"SLURM_CONF": str(configuration)}
    with ExitStack() as stack:
        for command in (_munged(folder, key), ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", host]):
            stack.enter_context(_running(command, folder, environment))
        _wait_until_idle(environment)
        yield configuration


def _munged(folder: Path, key: Path) -> list[str]:
    files = {
        "key-file": key,
        "socket": folder / "munge.socket",
        "pid-file": folder / "munged.pid",
        "log-file": folder / "munged.log",
        "seed-file": folder / "munged.seed",
    }
    options = [f"--{name}={path}" for name, path in files.items()]
    return ["munged", "--foreground", "--force", *options]


@contextmanager
def _running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    program = _program(command[0])
    assert program is not None
    with (folder / f"{command[0]}.out").open("wb") as log:
        process = subprocess.Popen(
            [program, *command[1:]], stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            if command[0] == "munged":
                _wait_for((folder / "munge.socket").exists)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_idle(environment: dict[str, str]) -> None:
    def idle() -> bool:
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True
        )
        return asked.stdout.strip() == "idle"

    _wait_for(idle)


def _wait_for(what) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("Slurm does not start; its logs say why")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    with real_slurm(Path(sys.argv[1])) as started:
        sys.stdout.write(f"SLURM_CONF={started}\n")
        sys.stdout.flush()
        signal.pause()
