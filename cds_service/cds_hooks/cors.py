"""Which browser pages may call, and read the answer: CORS, below /cds-services (R-6.22 to R-6.25).

Preflights carry no token and need none. Credentials are never allowed: there are no cookies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds_service.cds_hooks.http_message import HttpRequest

_ALLOWED_METHODS = ("GET", "OPTIONS", "POST")
_ALLOWED_HEADERS = ("Accept", "Authorization", "Content-Type")  # by name: the wildcard leaves Authorization out
_KEPT_S = 600  # how long a browser may remember the answer to a preflight

Header = tuple[str, str]


class Cors:
    """`origins`: of the pages that may read an answer; None: any."""

    def __init__(self, origins: Sequence[str] | None) -> None:
        self._origins = None if origins is None else tuple(sorted(origins))

    def headers(self, request: HttpRequest) -> Iterator[Header]:
        """What an answer to this request says to browsers."""
        origin = request.headers.get("origin", "")
        allowed = self._allowed_origins(origin)
        yield from (("Access-Control-Allow-Origin", page_origin) for page_origin in allowed)
        if not allowed:
            return
        if allowed != ("*",) and (self._origins is None or len(self._origins) > 1):
            yield "Vary", "Origin"
        if request.headers.get("access-control-request-private-network") == "true":
            yield "Access-Control-Allow-Private-Network", "false"
        if request.method == "OPTIONS":
            yield from _preflight(request)

    def _allowed_origins(self, origin: str) -> tuple[str, ...]:
        """The origin of the request, if its pages may read the answer; a request without one is from no page."""
        if self._origins is None:
            return (origin or "*",)
        if not origin:
            return self._origins[:1]
        return (origin,) if origin.casefold() in map(str.casefold, self._origins) else ()


def _preflight(request: HttpRequest) -> Iterator[Header]:
    allowed = list(_ALLOWED_HEADERS)
    if request.headers.get("access-control-request-method", "").upper() in _ALLOWED_METHODS:
        wanted = [name.strip() for name in request.headers.get("access-control-request-headers", "").split(",")]
        known = {name.lower() for name in _ALLOWED_HEADERS}
        allowed = sorted(name for name in wanted if name.lower() in known) or allowed
        yield "Access-Control-Max-Age", str(_KEPT_S)
        yield "Access-Control-Allow-Methods", ", ".join(_ALLOWED_METHODS)
    yield "Access-Control-Allow-Headers", ", ".join(allowed)
