"""`coupage recipe`: list, show, new, sources, prompts, validate, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.errors import UserError
from pipelines.plain import print_json, say
from pipelines.recipe.assignments import override
from pipelines.recipe.find import files_of, find_recipe, shipped_recipes
from pipelines.recipe.yaml_text import parse_recipe_text, read_recipe_text, read_text


def list_recipes(json: bool) -> None:
    """`coupage recipe list`: names and descriptions, which need no typing."""
    texts = {name: read_recipe_text(path).values for name, path in shipped_recipes().items()}
    descriptions = {name: str(values.get("description", "")) for name, values in texts.items()}
    if json:
        print_json(descriptions)
    else:
        width = max(map(len, descriptions))
        for name, description in descriptions.items():
            say(f"{name:<{width}}  {description}")


def show_recipe(name: str, full: bool) -> None:
    """`coupage recipe show`."""
    if full:
        import yaml

        from pipelines.recipe.load import load_recipe

        content = load_recipe(name).model_dump(mode="json", by_alias=True)
        text = yaml.safe_dump(content, sort_keys=False)
    else:
        text = read_text(find_recipe(name))
    say(text.removesuffix("\n"))


def new_recipe(file: Path, like: str) -> None:
    """`coupage recipe new`: the recipe, and the files that come with it in a folder beside it."""
    from pipelines.recipe.load import validate_recipe

    shipped = find_recipe(like)
    beside = {file.parent / shipped.stem / source.name: source for source in files_of(shipped)}
    for path in [file, *(path for path, source in beside.items() if not _is_copy(path, source))]:
        if path.exists():
            raise UserError(
                "the file exists already", file=str(path), hint="Choose another name; nothing was written."
            )
    text = read_text(shipped)
    name = file.stem
    lines = [f"name: {name}" if line.startswith("name:") else line for line in text.splitlines()]
    written = "\n".join(lines) + "\n"
    validate_recipe(parse_recipe_text(written, str(file)))
    for path, source in beside.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.read_bytes())
    file.write_text(written, encoding="utf-8")
    for path in beside:
        say(f"{path} is written: the recipe reads it")
    say(f"{file} is written. Next: edit it, then `coupage plan {file}`")


def _is_copy(path: Path, source: Path) -> bool:
    return path.is_file() and path.read_bytes() == source.read_bytes()


def list_sources(json: bool) -> None:
    """`coupage recipe sources`: the presets, what each is and under which licence."""
    from pipelines.sources.presets.registry import PRESETS

    if json:
        print_json({name: _described(name) for name in PRESETS})
        return
    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        say(f"{name:<{width}}  {preset.about} ({preset.license}{', gated' if preset.gated else ''})")
    say("`coupage recipe sources NAME` says more; in a recipe: {use: NAME, limit: 1GB}")


def show_source(name: str, json: bool) -> None:
    """`coupage recipe sources NAME`: what a preset stands for."""
    import yaml

    try:
        told = _described(name)
    except ValueError as error:
        raise UserError(str(error)) from error
    if json:
        print_json(told)
    else:
        say(yaml.safe_dump(told, sort_keys=False, width=100).rstrip())


def _described(name: str) -> dict[str, Any]:
    """What there is to say of a preset, with the settings of the hub reader that it stands for."""
    from pipelines.sources.hub import page_of
    from pipelines.sources.presets.registry import find_preset

    preset = find_preset(name)
    languages = preset.languages.codes if preset.languages else []
    needed = bool(preset.languages and preset.languages.required and not preset.languages.default)
    given = {"language": languages[0]} if needed else {}
    told = {
        "about": preset.about,
        "page": page_of(preset.dataset),
        "license": preset.license,
        "accept": preset.gated,
        "unconfirmed": preset.unconfirmed,
        "languages": " ".join(languages),
        "settings": preset.expand(name, given),
        "curate": dict(preset.curate),
    }
    return {key: value for key, value in told.items() if value}


def copy_prompts(folder: Path) -> None:
    """`coupage recipe prompts`."""
    from pipelines.synthesis.prompt import prompted_methods, shipped_prompts

    copies = {
        folder / method / name: text
        for method in prompted_methods()
        for name, text in shipped_prompts(method).items()
    }
    if there := sorted(path for path in copies if path.exists()):
        raise UserError(
            "the file exists already", file=str(there[0]), hint="Choose another folder; nothing was written."
        )
    for path, text in copies.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    say(
        f"{len(copies)} prompts are in {folder}. Keep those that you change, and name the folder as "
        "`synthesize.prompts`."
    )


def validate_recipe_file(name: str, assignments: list[str], json: bool) -> None:
    """`coupage recipe validate`."""
    from pipelines.recipe.load import validate_recipe

    path = find_recipe(name)
    recipe = validate_recipe(override(read_recipe_text(path), assignments))
    if json:
        print_json({"name": recipe.name, "valid": True})
    else:
        say(f"{path} is valid")


def print_schema() -> None:
    """`coupage recipe schema`."""
    from pipelines.recipe.load import recipe_schema

    print_json(recipe_schema())
