"""Which browser pages may call, and read the answer: CORS, below /cds-services (R-6.22 to R-6.25).

Preflights carry no token and need none. Credentials are never allowed: there are no cookies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.cds_hooks.http_message import HttpRequest

_ALLOWED_METHODS = ("GET", "OPTIONS", "POST")
_ALLOWED_HEADERS = ("Accept", "Authorization", "Content-Type")  # by name: the wildcard leaves Authorization out
_KEPT_S = 600  # how long a browser may remember the answer to a preflight

Header = tuple[str, str]


class Cors:
    """`origins`: of the pages that may read an answer; None: any."""

    def __init__(self, origins: Iterable[str] | None) -> None:
        self._origins = None if origins is None else frozenset(map(str.casefold, origins))

    def headers(self, request: HttpRequest) -> Iterator[Header]:
        """What an answer to this request says to browsers."""
        origin = request.headers.get("origin", "")
        yield from self.origin_headers(origin)
        if not self._may_read(origin):
            return
        if request.headers.get("access-control-request-private-network") == "true":
            yield "Access-Control-Allow-Private-Network", "false"
        if request.method == "OPTIONS":
            yield from _preflight(request)

    def origin_headers(self, origin: str) -> Iterator[Header]:
        """Whether pages of this origin may read an answer; a request without an origin is from no page.

        Where the origin decides, caches learn it by Vary, also from an answer that no page may read.
        """
        if self._origins is None:
            yield "Access-Control-Allow-Origin", "*"
            return
        if self._origins:
            yield "Vary", "Origin"
        if self._may_read(origin):
            yield "Access-Control-Allow-Origin", origin

    def _may_read(self, origin: str) -> bool:
        return self._origins is None or origin.casefold() in self._origins


def _preflight(request: HttpRequest) -> Iterator[Header]:
    allowed = list(_ALLOWED_HEADERS)
    if request.headers.get("access-control-request-method", "").upper() in _ALLOWED_METHODS:
        wanted = [name.strip() for name in request.headers.get("access-control-request-headers", "").split(",")]
        known = {name.lower() for name in _ALLOWED_HEADERS}
        allowed = sorted(name for name in wanted if name.lower() in known) or allowed
        yield "Access-Control-Max-Age", str(_KEPT_S)
        yield "Access-Control-Allow-Methods", ", ".join(_ALLOWED_METHODS)
    yield "Access-Control-Allow-Headers", ", ".join(allowed)
