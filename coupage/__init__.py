"""Coupage from Python: what may be used, each name imported when it is first asked for.

Everything else is internal and may change at any time.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixers.shards import Shards
    from pipelines.commands.ablate import ablate
    from pipelines.commands.annotate import annotate
    from pipelines.commands.decontaminate import decontaminate
    from pipelines.commands.dedup import dedup
    from pipelines.commands.open_run import Run, open_run
    from pipelines.commands.plan import plan
    from pipelines.commands.run import run
    from pipelines.commands.search import search
    from pipelines.commands.synthesize import try_synthesis
    from pipelines.commands.train import train
    from pipelines.commands.upload import publish
    from pipelines.errors import CoupageError, UserError, WorkError
    from pipelines.recipe.recipe import Recipe

__version__ = version("coupage")

__all__ = [
    "CoupageError",
    "Recipe",
    "Run",
    "Shards",
    "UserError",
    "WorkError",
    "__version__",
    "ablate",
    "annotate",
    "decontaminate",
    "dedup",
    "open_run",
    "plan",
    "publish",
    "run",
    "search",
    "train",
    "try_synthesis",
]

_MODULES = {
    "CoupageError": "pipelines.errors",
    "Recipe": "pipelines.recipe.recipe",
    "Run": "pipelines.commands.open_run",
    "Shards": "mixers.shards",
    "UserError": "pipelines.errors",
    "WorkError": "pipelines.errors",
    "ablate": "pipelines.commands.ablate",
    "annotate": "pipelines.commands.annotate",
    "decontaminate": "pipelines.commands.decontaminate",
    "dedup": "pipelines.commands.dedup",
    "open_run": "pipelines.commands.open_run",
    "plan": "pipelines.commands.plan",
    "publish": "pipelines.commands.upload",
    "run": "pipelines.commands.run",
    "search": "pipelines.commands.search",
    "train": "pipelines.commands.train",
    "try_synthesis": "pipelines.commands.synthesize",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'coupage' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
