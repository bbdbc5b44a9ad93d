"""How long caches may keep a page, and how they ask for it again."""

from __future__ import annotations

from flask import Response, request

KEPT_S = 600  # a correction has to reach its readers soon


def let_caches_keep(response: Response) -> Response:
    """The same page for everybody, kept for ten minutes and then asked for by its ETag (304 where it is the same)."""
    response.cache_control.public = True
    response.cache_control.max_age = KEPT_S
    response.add_etag()
    response.make_conditional(request)
    return response
