"""Files of the hub, read by ranges from its own address, which redirects to the storage that it uses.

The token goes to the hub and to no other host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from pipelines.errors import UserError
from pipelines.sources.remote.attempts import Changed, translated
from pipelines.sources.remote.http import HttpFile
from pipelines.sources.remote.origin import ObjectFile, State, file_system
from pipelines.sources.remote.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


def is_on_hub(url: str) -> bool:
    """Whether it is a file of one of the hub's repositories."""
    return url.startswith("hf://") and not url.startswith("hf://buckets/")


class ConsentNeeded(UserError):
    """The user has not accepted a repository's terms, or has not said who they are."""


class HubFile(HttpFile):
    """A file of the hub, in the commit that its URL names, or that its branch points to."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._listed = ObjectFile(url)
        self._has_failed = False

    @override
    def state(self) -> State:
        """Size and tag as the hub lists them; its storage has tags of its own."""
        state = self._listed.state()
        self._state = self._state or state
        return state

    @override
    def read(self, start: int, stop: int) -> Iterator[bytes]:
        if self._has_failed and self.state() != self._state:
            raise Changed(file=masked(self._url))
        self._has_failed = True
        yield from super().read(start, stop)
        self._has_failed = False

    @override
    def _check_unchanged(self, answer: httpx.Response) -> None:
        """Not by the tags of the storage, which are its own: a commit does not change, and `read` asks."""

    @override
    def _login(self) -> None:
        """The token says who it is."""

    @override
    def _address(self) -> tuple[str, dict[str, str]]:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        system, path = file_system(self._url)
        try:
            file = system.resolve_path(path)
        except Exception as error:
            raise translated(error, self._url) from error
        address = hf_hub_url(
            file.repo_id,
            file.path_in_repo,
            repo_type=file.repo_type,
            revision=file.revision,
            endpoint=system.endpoint,
        )
        return address, build_hf_headers(token=system.token)

    @override
    def _refusal(self, answer: httpx.Response) -> Exception:
        if answer.headers.get("x-error-code") == "GatedRepo":
            return ConsentNeeded(
                "the hub asks for consent before it may be read",
                file=masked(self._url),
                hint="Accept the terms on the dataset's page, and set HF_TOKEN to a token of your account.",
            )
        return super()._refusal(answer)

    @override
    def _may_lead(self, before: httpx.URL, target: httpx.URL) -> bool:
        return target.scheme == "https" or before.scheme == "http"
