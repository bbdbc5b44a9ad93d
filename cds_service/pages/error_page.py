"""What a person sees who went where nothing is."""

from __future__ import annotations

from flask import Response, render_template


def error_page(status: int) -> Response:
    """A page for a person who went where nothing is."""
    return Response(render_template("error.html", status=status), status, mimetype="text/html")
