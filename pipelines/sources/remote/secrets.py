"""URLs without what must not be seen: passwords and signatures stay in the environment."""

from __future__ import annotations

import os
import re

from pipelines.errors import UserError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>`]+")
_USER = re.compile(r"(?<=://)[^/?#@]*@")
_QUERY = re.compile(r"(?<=[?&])([^=&#]+)=([^&#]*)")
_SECRET_NAME = re.compile(r"sig|token|key|secret|passw|credential|auth|policy|jwt", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ONLY_VARIABLES = re.compile(rf"(?:{_VARIABLE.pattern}|[:@])*")
HIDDEN = "***"


def masked(text: str) -> str:
    """A text with what is secret in its URLs hidden: who logs in, and signatures, tokens and keys."""
    return _URL.sub(lambda found: _masked_url(found[0]), text)


def _masked_url(url: str) -> str:
    url = _USER.sub(lambda found: found[0] if _is_public(url, found[0]) else f"{HIDDEN}@", url)
    return _QUERY.sub(
        lambda found: (
            f"{found[1]}={HIDDEN}"
            if _SECRET_NAME.search(found[1]) and not _ONLY_VARIABLES.fullmatch(found[2])
            else found[0]
        ),
        url,
    )


def _is_public(url: str, user: str) -> bool:
    """Whether it names variables only, or a user alone where that is no key."""
    return bool(_ONLY_VARIABLES.fullmatch(user)) or (":" not in user and not url.startswith("http"))


def require_no_secret(url: str) -> None:
    """Raise UserError for a URL with a secret in it: a recipe is kept with its run, and in its report."""
    if masked(url) != url:
        raise UserError(
            "there is a password or a signature in the address, which a run would keep in its files",
            file=masked(url),
            hint="Write ${NAME} in its place, and set NAME in the environment.",
        )


def with_variables(url: str) -> str:
    """The URL with each `${NAME}` replaced by the variable of the environment. Raises UserError."""

    def value(found: re.Match[str]) -> str:
        try:
            return os.environ[found[1]]
        except KeyError:
            hint = f"Set {found[1]} in the environment, of workers too."
            raise UserError(f"the variable {found[1]} is not set", file=masked(url), hint=hint) from None

    return _VARIABLE.sub(value, url)
