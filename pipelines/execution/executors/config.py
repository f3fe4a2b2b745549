"""The settings of executors, `executor:` in a recipe: where work runs, never what it makes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SERVING: dict[str, str | int] = {"gres": "gpu:1", "mem": "64G"}
STRICT = ConfigDict(frozen=True, extra="forbid")


class SlurmSettings(BaseModel):
    """What Slurm is asked for. Every task of a stage is one element of a job array."""

    model_config = STRICT

    partition: str | None = Field(None, description="The partition; the cluster's default when left out.")
    hours: float = Field(24, gt=0, description="Time limit of a task, in hours.")
    memory_gb: int = Field(8, ge=1, description="Memory of a task, in GB.")
    cpus_per_task: int = Field(1, ge=1, description="CPUs of a task; it computes on one of them.")
    environment: str = Field(
        "",
        description="Shell command that makes `python` the one with coupage, e.g. `source env/bin/activate`; "
        "when left out, tasks use the Python that runs the command.",
    )
    sbatch: dict[str, str | int] = Field(
        default_factory=dict, description="Further options of sbatch, e.g. {account: nlp, qos: high}."
    )
    serving: dict[str, str | int] = Field(
        default_factory=SERVING.copy,
        description="Further options of sbatch for tasks that serve, train or ask a model.",
    )
    max_array_size: int = Field(
        1000, ge=1, description="Elements of a job array, at most the cluster's MaxArraySize - 1."
    )
    poll_seconds: float = Field(10, gt=0, description="How often receipts and the queue are looked at.")


class RaySettings(BaseModel):
    """What a task reserves in the Ray cluster."""

    model_config = STRICT

    cpus_per_task: float = Field(1, gt=0, description="CPUs that a task reserves; it computes on one.")
    memory_gb: float | None = Field(
        None, gt=0, description="Memory that a task reserves, in GB; none when left out."
    )
    gpus_serving: float = Field(
        1, ge=0, description="GPUs that a task which serves, trains or asks a model reserves."
    )


class ExecutorSettings(BaseModel):
    """Settings of each executor; `coupage run --executor` chooses one. No output depends on them."""

    model_config = STRICT

    slurm: SlurmSettings = SlurmSettings()
    ray: RaySettings = RaySettings()
