"""Files of HTTP servers, read by ranges from the server that was named and no other.

A redirect is followed on the same host alone, and never from https to http: whoever named a server trusts
that one, and its credentials are its own. A server that does not serve ranges gives the file whole, into a
temporary file.
"""

from __future__ import annotations

import netrc
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from pipelines.errors import UserError, WorkError
from pipelines.sources.endpoint_session import seconds_asked
from pipelines.sources.remote.attempts import Changed, PassingError, TooSlow, of_status, translated
from pipelines.sources.remote.origin import Origin, State, untagged
from pipelines.sources.remote.secrets import masked, require_no_secret, with_variables

if TYPE_CHECKING:
    import httpx

SILENCE_SECONDS = 30
"""Without a byte for so long, a connection is taken for dropped."""
LEAST_RATE = 20_000
"""Bytes a second; a server that sends less for long is given up, however steadily it sends."""
MOST_REDIRECTS = 5
_PART = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_NOTHING = re.compile(r"bytes \*/(\d+)")


def is_http(url: str) -> bool:
    """Whether an HTTP server is asked."""
    return url.startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """The name of the file that a URL ends in."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


class HttpFile(Origin):
    """A file of an HTTP server."""

    def __init__(self, url: str) -> None:
        import httpx

        require_no_secret(url)
        self._url = url
        self._client = httpx.Client(auth=self._login(), timeout=SILENCE_SECONDS, follow_redirects=False)
        self._state: State | None = None
        self._whole: IO[bytes] | None = None
        """The content, where the server serves no ranges."""

    @override
    def state(self) -> State:
        with self._answer({"range": "bytes=0-0"}) as answer:
            if answer.status_code == 206:
                total = _part(answer)[2]
            elif answer.status_code == 416 and (
                nothing := _NOTHING.match(answer.headers.get("content-range", ""))
            ):
                total = int(nothing[1])
            else:
                total = _length(answer)
        if total is None:
            hint = "Download it and give its path."
            raise UserError("its server does not tell its size", file=masked(self._url), hint=hint)
        headers = answer.headers
        self._state = State(total, headers.get("etag") or headers.get("last-modified") or untagged(total))
        return self._state

    @override
    def read(self, start: int, stop: int) -> Iterator[bytes]:
        assert self._state is not None, "its state is asked for first"
        if self._whole is None:
            asked = {"range": f"bytes={start}-{stop - 1}"}
            if self._state.tag.startswith('"'):
                asked["if-match"] = self._state.tag
            with self._answer(asked) as answer:
                self._check_unchanged(answer)
                self._check_size(answer)
                if answer.status_code == 206:
                    found = _part(answer)
                    if found != (start, stop - 1, self._state.size):
                        self._lied(
                            f"was asked for the bytes {start}-{stop - 1} and gave {found[0]}-{found[1]}"
                        )
                    yield from self._exactly(answer, stop - start)
                    return
                if answer.status_code == 416:
                    raise Changed(file=masked(self._url))
                self._whole = self._fetched_whole(answer)
        self._whole.seek(start)
        yield self._whole.read(stop - start)

    def _fetched_whole(self, answer: httpx.Response) -> IO[bytes]:
        assert self._state is not None
        whole = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            for piece in self._exactly(answer, self._state.size):
                whole.write(piece)
        except BaseException:
            whole.close()
            raise
        return whole

    def _check_unchanged(self, answer: httpx.Response) -> None:
        assert self._state is not None
        tag = answer.headers.get("etag") or answer.headers.get("last-modified")
        if tag not in (None, self._state.tag):
            raise Changed(file=masked(self._url))

    def _check_size(self, answer: httpx.Response) -> None:
        assert self._state is not None
        total = _part(answer)[2] if answer.status_code == 206 else _length(answer)
        if answer.status_code in (200, 206) and total not in (None, self._state.size):
            self._lied(f"said that there are {self._state.size:,} bytes, and now that there are {total:,}")

    def _exactly(self, answer: httpx.Response, size: int) -> Iterator[bytes]:
        """The content, which must have this size, and come at a bearable rate."""
        received, begun = 0, time.monotonic()
        for piece in answer.iter_raw():
            received += len(piece)
            if received > size:
                self._lied(f"promised {size:,} bytes and sends more")
            yield piece
            if time.monotonic() - begun > SILENCE_SECONDS + received / LEAST_RATE:
                raise TooSlow(f"the server sent {received:,} bytes in {time.monotonic() - begun:.0f} s")
        if received < size:
            raise PassingError(f"the server promised {size:,} bytes and sent {received:,}")

    def _lied(self, how: str) -> NoReturn:
        raise WorkError(
            f"the server {how}",
            file=masked(self._url),
            hint="Nothing of it is used. Download the file another way and give its path.",
        )

    @contextmanager
    def _answer(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The answer to a GET, if it is content. Raises what any other means."""
        try:
            url, secrets = self._address()
            for _ in range(MOST_REDIRECTS):
                request = {"accept-encoding": "identity", **headers, **secrets}
                with self._client.stream("GET", url, headers=request) as answer:
                    if answer.has_redirect_location:
                        url, is_same = self._redirected(answer)
                        secrets = secrets if is_same else {}
                        continue
                    if answer.status_code not in (200, 206, 416):
                        raise self._refusal(answer)
                    yield answer
                    return
        except (OSError, WorkError, UserError, PassingError):
            raise
        except Exception as error:
            raise translated(error, self._url) from error
        raise WorkError("the server redirects without end", file=masked(self._url))

    def _login(self) -> httpx.Auth | None:
        """Who logs in, where the URL does not say it. Raises UserError."""
        return _login(self._url)

    def _address(self) -> tuple[str, dict[str, str]]:
        """Where the file is asked for, and the headers that only this host may see."""
        return with_variables(self._url), {}

    def _may_lead(self, before: httpx.URL, target: httpx.URL) -> bool:
        """Whether a redirect is followed."""
        return _is_same(before, target)

    def _refusal(self, answer: httpx.Response) -> Exception:
        """What an answer means that is no content."""
        asked = seconds_asked(answer.headers.get("retry-after", ""))
        return of_status(answer.status_code, self._url, asked)

    def _redirected(self, answer: httpx.Response) -> tuple[str, bool]:
        """Where a redirect leads, and whether that is the same host. Raises UserError where it may not."""
        assert answer.next_request is not None, "it has a location"
        target, before = answer.next_request.url, answer.url
        if not self._may_lead(before, target):
            raise UserError(
                f"the server redirects to {masked(str(target.copy_with(query=None)))}, which was not named",
                file=masked(self._url),
                hint="If you trust it, give that address; files of the hub are read as "
                "hf://datasets/OWNER/NAME/FILE.",
            )
        return str(target), _is_same(before, target)

    @override
    def close(self) -> None:
        self._client.close()
        if self._whole is not None:
            self._whole.close()


def _is_same(before: httpx.URL, target: httpx.URL) -> bool:
    """Whether it is the same host, and not less encrypted."""
    return target.host == before.host and (
        (target.scheme, target.port) == (before.scheme, before.port)
        or (before.scheme, target.scheme) == ("http", "https")
    )


def _login(url: str) -> httpx.Auth | None:
    """The user's own file of logins, where the URL has none. Raises UserError for a malformed one."""
    import httpx

    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    if "@" in urlsplit(url).netloc or not path.is_file():
        return None
    try:
        return httpx.NetRCAuth(str(path))
    except (netrc.NetrcParseError, OSError) as error:
        raise UserError(f"the file of logins cannot be read: {error}", file=str(path)) from None


def _part(answer: httpx.Response) -> tuple[int, int, int | None]:
    """First and last byte of the part that is given, and how many there are in all."""
    found = _PART.fullmatch(answer.headers.get("content-range", ""))
    if found is None:
        raise WorkError(
            f"the server gives a part and does not say which ({answer.headers.get('content-range')})",
            file=masked(str(answer.url)),
            hint="Download the file and give its path.",
        )
    return int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])


def _length(answer: httpx.Response) -> int | None:
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdigit() else None
