"""A report as one HTML file: without script, it fetches nothing from anywhere, and is right in light, dark and print.

Its policy allows one style sheet, by its hash, and nothing else: whatever stands in the data stays text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent  # of committee_page.html, which the templates extend, and of its style


def render_page(template: Path, filters: Mapping[str, Callable[..., Any]], /, **values: Any) -> str:
    """The page. The template extends committee_page.html, and gets these values."""
    style = (_FOLDER / "committee_page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader([template.parent, _FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(filters)
    return environment.get_template(template.name).render(
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        **values,
    )
