"""Where recipes are: files, and those that come with the program. Loads no models."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pipelines.errors import UserError


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the program, by name."""
    import recipes

    return {path.stem: path for path in sorted(Path(recipes.__path__[0]).glob("*.yaml"))}


def files_of(recipe: Path) -> list[Path]:
    """The files that come with a recipe, if it is a shipped one: those in the folder of its name."""
    return sorted(recipe.with_suffix("").glob("*")) if recipe in shipped_recipes().values() else []


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe given by path or by the name of a shipped one.

    Raises UserError if there is none.
    """
    path = Path(name_or_path)
    if os.path.isfile(path):
        return path
    shipped = shipped_recipes()
    if name_or_path in shipped:
        return shipped[name_or_path]
    if os.path.exists(path):
        raise UserError("a recipe is a file", file=name_or_path, hint="Give the path of a YAML file.")
    near = difflib.get_close_matches(name_or_path, [*shipped, *map(str, Path().glob("*.yaml"))], n=1)
    raise UserError(
        f"there is no recipe `{name_or_path}`, neither a file nor a shipped one",
        hint=(f"Did you mean `{near[0]}`? " if near else "")
        + f"Shipped recipes: {', '.join(shipped) or 'none'}.",
    )
