"""Pages for people: what a patient takes home, and what a developer sees at `/`. No script, no cookie, nothing from
elsewhere.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, render_template, request
from markdown_it import MarkdownIt
from markupsafe import Markup

from cards.catalogue import Topic
from cards.texts import Citations, Text, fill_plain
from cards.wording import number_evidence

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "typographer": False})


def pages_blueprint(topic: Topic, base_url: str, *, landing: bool) -> Blueprint:
    """The patient pages at /education/<page>, each rendered once, at start; and the landing page for developers."""
    blueprint = Blueprint("pages", __name__)
    rendered = {
        (name, language): _html(page, topic.page_words[language].sources, topic)
        for name, pages in topic.patient_pages.items()
        for language, page in pages.items()
    }

    if landing:

        @blueprint.get("/")
        def show_landing() -> str:
            pages = {name: texts["en"] for name, texts in topic.patient_pages.items()}
            return render_template("landing.html", service=topic.service, base_url=base_url, pages=pages)

    @blueprint.get("/education/<page>")
    def education(page: str) -> str:
        if page not in topic.patient_pages:
            abort(404)
        wanted = re.split("[-_]", request.args.get("lang", "en").strip().lower())[0]
        language = wanted if wanted in topic.patient_pages[page] else "en"  # rather than no page for a patient
        head, words = topic.patient_pages[page][language].head, topic.page_words[language]
        reviewed = fill_plain(words.reviewed, {"owner": topic.service.owner, "date": head["reviewed-on"]})
        others = {one: topic.page_words[one].language for one in topic.patient_pages[page] if one != language}
        return render_template(
            "patient_page.html",
            language=language,
            head=head,
            words=words,
            reviewed=reviewed,
            body=rendered[page, language],
            others=others,
        )

    return blueprint


def error_page(status: int) -> Response:
    """A page for a person who went where nothing is."""
    return Response(render_template("error.html", status=status), status, mimetype="text/html")


def _html(page: Text, sources: str, topic: Topic) -> Markup:
    """The page as HTML: Markdown of ours with raw HTML switched off, so it is safe to stand in a template."""
    citations = Citations()
    body = page.body({}, citations)
    return Markup(_MARKDOWN.render(f"{body}\n\n## {sources}\n\n{number_evidence(citations, topic)}"))  # noqa: S704
