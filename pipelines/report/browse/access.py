"""Who may read the pages: who has the address that was printed, in a browser that asked for this server."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

TOKEN = "token"


@dataclass(frozen=True)
class Access:
    """Other users of the machine lack the token; other sites' pages reach the server by another name."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """Where a browser is let in."""
        return f"http://127.0.0.1:{self.port}/?{TOKEN}={self.token}"

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token."""
        return f"coupage_{self.port}"

    def is_own_host(self, host: str) -> bool:
        """Whether a request names this server; another name is one that was made to lead here."""
        return host.lower() in {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    def has(self, token: str | None) -> bool:
        """Whether it is the token."""
        return hmac.compare_digest((token or "").encode(), self.token.encode())
