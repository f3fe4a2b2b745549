"""Errors a person can act on: each names the file, the place in it and a hint."""

from mixers.printable import one_line


class CoupageError(Exception):
    """Base of the errors that end a command with a message instead of a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, file: str = "", place: str = "", hint: str = "") -> None:
        self.message = message
        self.file = file
        self.place = place
        self.hint = hint
        where = ":".join(one_line(part) for part in (file, place) if part)
        text = f"{where}: {message}" if where else message
        super().__init__(f"{text}\n  hint: {hint}" if hint else text)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by keyword, so that a worker process can hand the error to its parent."""
        return _rebuild, (type(self), self.message, self.file, self.place, self.hint)


def _rebuild(kind: type[CoupageError], message: str, file: str, place: str, hint: str) -> CoupageError:
    return kind(message, file=file, place=place, hint=hint)


class UserError(CoupageError):
    """The recipe, the command line or the input is wrong (exit 2)."""

    exit_code = 2


class WorkError(CoupageError):
    """The work failed although the request was right (exit 1)."""
