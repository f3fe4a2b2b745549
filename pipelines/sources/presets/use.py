"""`use: NAME` in a recipe: a preset's settings of the hub reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

from pipelines.sources.hub import HubConfig
from pipelines.sources.presets.registry import PRESETS, find_preset

USE = "use"


def expanded(settings: Any) -> Any:
    """The settings of a source with what its preset says; those without `use` as they are."""
    if not isinstance(settings, Mapping) or USE not in settings:
        return settings
    name = settings[USE]
    own = {key: value for key, value in settings.items() if key != USE}
    if own.pop("reader", "hub") != "hub":
        raise PydanticCustomError("preset", "a preset is read by the hub reader: leave out `reader`")
    try:
        return find_preset(str(name)).expand(str(name), own)
    except ValueError as error:
        raise PydanticCustomError("preset", "{why}", {"why": str(error)}) from error


class PresetSchema:
    """Tells editors of `use`: its names, and the keys that it may stand beside."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema of the readers, or of a preset."""
        readers = handler(core)
        hub = handler.resolve_ref_schema(handler(HubConfig.__pydantic_core_schema__))
        keys = {key: value for key, value in hub["properties"].items() if key != "reader"}
        names = {"enum": list(PRESETS), "description": "A preset; `coupage recipe sources` lists them."}
        preset = {
            "title": "Preset",
            "type": "object",
            "properties": {USE: names, **keys},
            "required": [USE],
            "additionalProperties": False,
        }
        return {"anyOf": [preset, readers]}
