"""Pages for people: what a patient takes home, and what a developer sees at `/`. No script, no cookie, nothing from
elsewhere.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template
from markdown_it import MarkdownIt
from markupsafe import Markup

from cards.catalogue import Topic
from cards.texts import Citations, Text
from cards.wording import list_evidence

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "typographer": False})


def pages_blueprint(topic: Topic, base_url: str) -> Blueprint:
    """The landing page, and the patient pages at /education/<page>; each is rendered once, at start."""
    blueprint = Blueprint("pages", __name__)
    rendered = {name: _html(page, topic) for name, page in topic.patient_pages.items()}

    @blueprint.get("/")
    def landing() -> str:
        return render_template("landing.html", service=topic.service, base_url=base_url, pages=topic.patient_pages)

    @blueprint.get("/education/<page>")
    def education(page: str) -> str:
        if page not in rendered:
            abort(404)
        return render_template(
            "patient_page.html",
            title=topic.patient_pages[page].head["title"],
            reviewed_on=topic.patient_pages[page].head["reviewed-on"],
            owner=topic.service.owner,
            body=rendered[page],
        )

    return blueprint


def error_page(status: int) -> Response:
    """A page for a person who went where nothing is."""
    return Response(render_template("error.html", status=status), status, mimetype="text/html")


def _html(page: Text, topic: Topic) -> Markup:
    """The page as HTML: Markdown of ours with raw HTML switched off, so it is safe to stand in a template."""
    citations = Citations()
    body = page.body({}, citations)
    return Markup(_MARKDOWN.render(body + "\n\n## Sources\n\n" + list_evidence(citations, topic)))  # noqa: S704
