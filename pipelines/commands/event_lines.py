"""The events of a run as JSON lines on standard output, for programs: docs/progress.md."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import CoupageError
from pipelines.execution.events import Event, Failed, as_json
from pipelines.plain import print_json_line
from trainers.events import TrainingEvent

INTERRUPTED = 130


def print_event(event: Event | TrainingEvent) -> None:
    """Print the event on a line."""
    print_json_line(as_json(event))


@contextmanager
def failure_as_event() -> Iterator[None]:
    """What ends the block early is the last event, before it is raised on."""
    try:
        yield
    except CoupageError as error:
        print_event(
            Failed(
                exit_code=error.exit_code,
                message=error.message,
                file=error.file,
                place=error.place,
                hint=error.hint,
            )
        )
        raise
    except BrokenPipeError:  # nobody reads events any more
        raise
    except BaseException as error:
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
        message = f"{type(error).__name__}: {error}"
        print_event(Failed(exit_code=code, message=message, file="", place="", hint=""))
        raise
