"""What a patient takes home: /education/<page>?lang=. No script, no cookie, nothing from elsewhere.

The words are the clinicians' (patient_pages in the topic's folder); here is only how they are set, with a QR code for
the printout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import groupby

import segno
from flask import Blueprint, Response, abort, render_template, request
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from cards.content.service import Evidence
from cards.content.texts import fill
from cards.topic import Topic
from cds_service.cds_hooks.hook_response import FIRST_LANGUAGE, patient_page_address
from cds_service.errors import NotReady
from cds_service.pages.caching import let_caches_keep

URGENT_HEADING = "Get help now"  # of the section that stands out, in the first language
_MARGIN = 4  # modules of white around a QR code

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "typographer": False})


@dataclass(frozen=True)
class _Labels:
    """What stands around a page in one language; none of it is clinical."""

    languages: str
    on_a_phone: str
    not_in_language: str
    day: str
    months: str


_LABELS = {
    "en": _Labels(
        languages="Languages",
        on_a_phone="Read this page on your phone",
        not_in_language="This page is not available in the language you asked for. Here it is in English.",
        day="{month} {day}, {year}",
        months="January February March April May June July August September October November December",
    ),
    "es": _Labels(
        languages="Idiomas",
        on_a_phone="Lea esta página en su teléfono",
        not_in_language="Esta página todavía no está disponible en español. Aquí está en inglés.",
        day="{day} de {month} de {year}",
        months="enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    ),
}


@dataclass(frozen=True)
class _Section:
    """A heading and what stands below it, as HTML. The part before the first heading has none."""

    heading: Markup | None
    body: Markup
    is_urgent: bool = False


@dataclass(frozen=True)
class _Page:
    """One page in one language, rendered. `address`: its public URL; `qr_code`: the address as an SVG."""

    language: str
    head: Mapping[str, str]
    sections: Sequence[_Section]
    sources: Sequence[Evidence]
    reviewed: str
    address: str
    qr_code: Markup


def patient_pages_blueprint(topics: Iterable[Topic], base_url: str) -> Blueprint:
    """The patient pages of the topics, each in every language it may be shown in.

    Raises NotReady where two topics have a page of the same name.
    """
    blueprint = Blueprint("patient_pages", __name__)
    by_page: dict[str, Topic] = {}
    for topic in topics:
        for page in topic.patient_pages:
            if by_page.setdefault(page, topic) is not topic:
                services = f"{by_page[page].service.id} and {topic.service.id}"
                raise NotReady([f"{services} both have a patient page {page}: serve one of them (CDS_TOPICS)"])

    @cache
    def render(name: str, language: str) -> _Page:
        """Not before it is opened: no start waits for pages that are rarely read."""
        return _render(by_page[name], name, language, base_url)

    @blueprint.get("/education/<page>")
    def education(page: str) -> Response:
        topic = by_page.get(page)
        if topic is None:
            abort(404)
        pages = topic.patient_pages[page]
        wanted = re.split("[-_]", request.args.get("lang", "").strip().lower())[0] or FIRST_LANGUAGE
        shown = render(page, wanted if wanted in pages else FIRST_LANGUAGE)  # rather than no page for a patient
        apology = wanted if wanted in _LABELS else FIRST_LANGUAGE
        html = render_template(
            "patient_page.html",
            language=shown.language,
            page=shown,
            languages={language: topic.page_words[language].language for language in pages},
            addresses={language: patient_page_address(base_url, page, language) for language in pages},
            words=topic.page_words[shown.language],
            labels=_labels(shown.language),
            apology=None if wanted == shown.language else (apology, _LABELS[apology].not_in_language),
        )
        response = Response(html, mimetype="text/html")
        response.content_language.add(shown.language)
        return let_caches_keep(response)

    return blueprint


def _labels(language: str) -> _Labels:
    return _LABELS.get(language, _LABELS[FIRST_LANGUAGE])


def _render(topic: Topic, name: str, language: str, base_url: str) -> _Page:
    text, first = topic.patient_pages[name][language], topic.patient_pages[name][FIRST_LANGUAGE]
    headings = [block.lstrip("# ") for block in first.blocks if block.startswith("#")]
    urgent = headings.index(URGENT_HEADING) + 1 if URGENT_HEADING in headings else None
    body = _sections(text.body, urgent)
    address = patient_page_address(base_url, name, language)
    reviewed = {"owner": topic.service.owner, "date": _day(text.head["reviewed-on"], _labels(language))}
    return _Page(
        language,
        text.head,
        list(body),
        [topic.service.evidence[key] for key in text.cited],
        fill(topic.page_words[language].reviewed, reviewed),
        address,
        _qr_code(address),
    )


def _sections(markdown: str, urgent: int | None) -> Iterator[_Section]:
    """The page cut at its headings; `urgent` is the number of the section that is set apart, the first heading's 1."""
    tokens = _MARKDOWN.parse(markdown)
    starts = [number for number, token in enumerate(tokens) if token.type == "heading_open"]
    yield _Section(None, _html(tokens[: starts[0]] if starts else tokens))
    for number, start in enumerate(starts, start=1):
        end = starts[number] if number < len(starts) else len(tokens)
        heading, body = tokens[start + 1 : start + 2], tokens[start + 3 : end]
        yield _Section(_html(heading), _html(body), number == urgent)


def _html(tokens: Sequence[Token]) -> Markup:
    """Markdown of ours with raw HTML switched off, so it is safe to stand in a template."""
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704


def _qr_code(address: str) -> Markup:
    """Black on white with its margin, whatever the colors of the page: not every reader app knows inverted codes.

    Filled rectangles, not the strokes that segno itself would draw: strokes are thickened where a PDF is printed, and
    the longer addresses could then not be read.
    """
    rows = list(segno.make(address, error="m", micro=False).matrix_iter(border=_MARGIN))
    runs = []
    for y, row in enumerate(rows):
        x = 0
        for is_dark, modules in groupby(row):
            width = len(list(modules))
            if is_dark:
                runs.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    size = len(rows)
    ground = f'<path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/>'
    return Markup(f'<svg viewBox="0 0 {size} {size}">{ground}<path fill="#000" d="{"".join(runs)}"/></svg>')  # noqa: S704


def _day(text: str, labels: _Labels) -> str:
    """A date as people write it."""
    day = date.fromisoformat(text)
    return labels.day.format(day=day.day, month=labels.months.split()[day.month - 1], year=day.year)
