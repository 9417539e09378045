"""Who may look? Requests that name this machine, and where a token is asked for, those that have it.

A page elsewhere whose name an attacker points at this machine (DNS rebinding) is told apart by the name in `Host`.
What is sent is not encrypted: who can read the network between can read it, and the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

_SHORTEST = 16


@dataclass(frozen=True)
class Admission:
    """`token` is None where nobody needs one: only this machine can connect."""

    names: frozenset[str]
    port: int
    token: str | None

    def refusal(self, request: Request) -> Response | None:
        """What is answered instead of the page: None for who may see it."""
        if not self._is_ours(request.headers.get("host", "")):
            known = ", ".join(sorted(self.names))
            return PlainTextResponse(f"This server is not called that. Its names: {known}\n", 421)
        if self.token is None:
            return None
        if _same(request.query_params.get("token", ""), self.token):
            return self._admitted(request, self.token)
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        given = given if kind.lower() == "bearer" else request.cookies.get(self._cookie, "")
        if _same(given, self.token):
            return None
        return PlainTextResponse("Open the address with the token that `tilewright serve` printed.\n", 401)

    def _admitted(self, request: Request, token: str) -> Response:
        """To the same page, with the token out of the address, where histories and pictures of a screen have it."""
        rest = request.url.remove_query_params("token")
        path = "/" + rest.path.lstrip("/")  # with two slashes it would be another machine's
        response = RedirectResponse(f"{path}{'?' + rest.query if rest.query else ''}", 303)
        response.set_cookie(self._cookie, token, httponly=True, samesite="lax")
        return response

    @property
    def _cookie(self) -> str:
        return f"tilewright_{self.port}"  # browsers send a machine's cookies to all its ports

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names:
            return True
        # an address is no name that could be pointed elsewhere; but who asks this machine alone has one of its own
        return self.token is not None and _is_address(name)


def admission(host: str, port: int, token: str | None) -> Admission:
    """For a server that is bound to `host`."""
    names = {host.lower(), "localhost", "127.0.0.1", "::1"}
    if token is not None:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Admission(frozenset(names), port, token)


def is_token(text: str) -> bool:
    """Whether it is long enough not to be guessed, and can be sent in a cookie."""
    return len(text) >= _SHORTEST and text.isascii() and text.isprintable()


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server that is bound to it."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
