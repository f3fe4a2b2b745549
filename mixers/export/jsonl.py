"""JSON Lines: ``rows.jsonl``, one object per row with the columns of the shards."""

from pathlib import Path

from mixers.files import finished_file
from mixers.shards import Shards


def write(shards: Shards, folder: Path) -> None:
    """Write ``rows.jsonl``."""
    import orjson

    with finished_file(folder / "rows.jsonl") as temporary, open(temporary, "wb") as file:
        for pack in shards:
            file.write(
                orjson.dumps(pack._asdict(), option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
            )
