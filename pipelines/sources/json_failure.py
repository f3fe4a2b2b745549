"""Why a record is no JSON."""

import re

import orjson

from pipelines.sources.base import Reason

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def json_failure(record: bytes) -> Reason:
    """Why orjson refuses a record: its bytes, its escapes of lone surrogates, or its syntax."""
    try:
        record.decode()
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    try:
        orjson.loads(_SURROGATE.sub(rb"\\ufffd", record))
    except orjson.JSONDecodeError:
        return Reason.INVALID_JSON
    return Reason.INVALID_UNICODE
