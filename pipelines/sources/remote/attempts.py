"""What may work the next time is tried again, a bounded number of times."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.sources.endpoint_session import LONGEST_ASKED, REPEATED, Patience
from pipelines.sources.remote.secrets import masked

Result = TypeVar("Result")

PATIENCE = Patience(tries=6)
"""About a dozen seconds of waiting in all."""
LEAST_PROGRESS = 100
"""Bytes; an attempt that brought so many was not in vain."""


class PassingError(Exception):
    """A failure that may be none the next time: a dropped connection, a timeout, a server that is busy."""

    def __init__(self, what: str, asked: float = 0) -> None:
        super().__init__(what)
        self.what = what
        self.asked = asked
        """Seconds that the server asked to wait."""


class TooSlow(PassingError):
    """An attempt that is in vain whatever it brought."""


class Changed(WorkError):
    """A file is no longer the one that was listed."""

    def __init__(self, message: str = "", *, file: str = "", place: str = "", hint: str = "") -> None:
        super().__init__(
            message or "changed while it was read",
            file=file,
            place=place,
            hint=hint or "Run again once it is at rest: it is read anew then.",
        )


def _nothing() -> int:
    return 0


def persistently(work: Callable[[], Result], url: str, received: Callable[[], int] = _nothing) -> Result:
    """The result of `work`, which is done again after a failure that may pass.

    Work that keeps the bytes it `received` goes on at once, and is given up when it gets no further.

    Raises:
        WorkError: It failed each time; names the last failure.
    """
    in_vain, before = 0, received()
    while True:
        try:
            return work()
        except PassingError as error:
            is_further = received() - before >= LEAST_PROGRESS and not isinstance(error, TooSlow)
            in_vain, before = 0 if is_further else in_vain + 1, received()
            if in_vain == PATIENCE.tries or error.asked > LONGEST_ASKED:
                raise WorkError(
                    f"cannot be reached or read, after {max(in_vain, 1)} attempts: {masked(error.what)}",
                    file=masked(url),
                    hint="What is done is kept: try again when the network and the server are in order.",
                ) from None
            time.sleep(max(error.asked, PATIENCE.wait(in_vain) if in_vain else 0))


def of_status(status: int, url: str, asked: float = 0) -> Exception:
    """What a server's refusal means."""
    if status in (404, 410):
        return FileNotFoundError(f"{masked(url)}: the server has no such file")
    if status in (401, 403, 407):
        return PermissionError(f"{masked(url)}: the server does not give it (status {status})")
    if status >= 500 or status in REPEATED:
        return PassingError(f"the server answers with status {status}", asked)
    if status == 412:
        return Changed(file=masked(url))
    return WorkError(f"the server answers with status {status}", file=masked(url), hint="Check the address.")


def translated(error: BaseException, url: str) -> BaseException:
    """A library's error as one of ours: for good and named, or passing; no secret of a URL is in it."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, CoupageError | PassingError):
            return each
        if isinstance(each, ssl.SSLCertVerificationError):
            return refused_certificate(each, url)
        name, status = type(each).__name__, _status(each)
        if name in (
            "NoCredentialsError",
            "PartialCredentialsError",
            "ProfileNotFound",
            "DefaultCredentialsError",
        ):
            return UserError(
                f"no credentials were found: {masked(str(each))}",
                file=masked(url),
                hint="Set them as the store's own tools read them, e.g. AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY.",
            )
        if name == "FileExpired" or "pre-conditions" in str(each):
            return Changed(file=masked(url))
        if isinstance(each, FileNotFoundError | PermissionError):
            return type(each)(masked(f"{url}: {each}"))
        if status is not None:
            return of_status(status, url)
    if isinstance(error, ImportError | NotImplementedError | TypeError | AttributeError):
        return error
    return PassingError(masked(f"{type(error).__name__}: {error}".removesuffix(": ")))


def refused_certificate(error: ssl.SSLCertVerificationError, url: str) -> UserError:
    """What to say of a server that cannot prove who it is."""
    why = error.verify_message or str(error)
    return UserError(
        f"the server's certificate is refused: {why}",
        file=masked(url),
        hint="Whoever runs the server must renew it; for an authority of your own set SSL_CERT_FILE "
        "(AWS_CA_BUNDLE for S3) to its certificate.",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "kwargs", None)  # botocore keeps the cause there
        if isinstance(inner, dict) and isinstance(inner.get("error"), BaseException):
            yield from _chain(inner["error"])
        error = error.__cause__ or error.__context__


def _status(error: Any) -> int | None:
    """The status of the answer that an HTTP library's error is about."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None) or getattr(holder, "status", None)
        if isinstance(status, int):
            return status
    return None
