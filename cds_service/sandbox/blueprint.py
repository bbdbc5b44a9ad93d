"""The sandbox put together: the page at `/`, its own endpoints below /sandbox/, and the FHIR server there.

The hook call, feedback and discovery are not here: the page sends them to the real endpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from flask import Blueprint, Response, abort, render_template, request
from markupsafe import Markup

from cards.topic import Topic
from cds_service.cds_hooks.explain import explain_parts
from cds_service.clients.registry import RegisteredClient
from cds_service.errors import BadRequest
from cds_service.flask_door import read_json_body
from cds_service.sandbox.fhir_server.endpoints import ACCESS_TOKEN, VERSIONS, FhirServer, fhir_blueprint
from cds_service.sandbox.fhir_server.patient_charts import PRACTITIONER_ID, PatientCharts
from cds_service.sandbox.fhir_server.stories import Story, load_stories
from cds_service.sandbox.page.card_detail import render_detail
from cds_service.sandbox.page.ehr import Ehr, describe, prefetch_modes
from cds_service.sandbox.page.loopback import LoopbackReader, NotReadable, loopback_base
from cds_service.sandbox.page.order_choices import PRIORITIES, order_choices
from cds_service.sandbox.page.page_state import Offer, PageState, read_state
from cds_service.sandbox.page.page_token import PageKey
from cds_service.sandbox.page.timeline_drawing import NARROW, WIDE, draw, read_timeline
from cds_service.settings.settings import Settings, is_loopback

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_LONGER_THAN_THE_BUDGET_S = 0.5
_MOST_DETAILS = 50


class _PrefetchWanted(msgspec.Struct):
    base: str
    patient: str
    mode: str = "complete"


class Sandbox:
    """One sandbox for one process. `topics`: by the id of their service; the page begins with the first."""

    def __init__(self, topics: Mapping[str, Topic], settings: Settings, clock: Callable[[], datetime]) -> None:
        self._topics = topics
        self._offers = {name: _offer(topic) for name, topic in topics.items()}
        self._settings = settings
        self._clock = clock
        self._stories = load_stories()
        charts = PatientCharts(self._stories)
        self._ehr = Ehr(charts, LoopbackReader(), self._today, settings.port)
        slow_s = settings.fhir_budget_ms / 1000 + _LONGER_THAN_THE_BUDGET_S
        self._fhir_server = FhirServer(charts, _resource_types(topics.values()), self._today, slow_s)
        self._key = PageKey(f"{settings.base_url}/sandbox") if settings.workers == 1 else None
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._fhir_root = f"http://{host}:{settings.port}/sandbox"

    @property
    def client(self) -> RegisteredClient | None:
        """The page as a client of the services, to be registered; None where another process may answer than signed."""
        return self._key.client() if self._key else None

    def blueprint(self) -> Blueprint:
        """Every address of the sandbox."""
        blueprint = Blueprint(
            "sandbox",
            "cds_service.sandbox.page",
            template_folder="templates",
            static_folder="static",
            static_url_path="/sandbox/static",
        )
        blueprint.before_request(self._refuse_strangers)
        blueprint.register_error_handler(NotReadable, _not_readable)
        blueprint.add_url_rule("/", "page", self.page)
        blueprint.add_url_rule("/sandbox/ehr-view/<patient>", "ehr_view", self.ehr_view)
        blueprint.add_url_rule("/sandbox/patients", "patients", self.patients)
        blueprint.add_url_rule("/sandbox/chart", "chart", self.chart)
        blueprint.add_url_rule("/sandbox/prefetch", "prefetch", self.prefetch, methods=["POST"])
        blueprint.add_url_rule("/sandbox/token/<endpoint>", "token", self.token, methods=["POST"])
        blueprint.add_url_rule("/sandbox/details", "details", self.details, methods=["POST"])
        blueprint.add_url_rule("/sandbox/explanation", "explanation", self.explanation, methods=["POST"])
        blueprint.register_blueprint(fhir_blueprint(self._fhir_server))
        return blueprint

    def _topic(self) -> Topic:
        """The topic of the service that the request at hand is about: `service` of its query, else the first one."""
        return self._topics.get(request.args.get("service", "")) or next(iter(self._topics.values()))

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()

    def _refuse_strangers(self) -> None:
        """No other site may reach this machine through us: neither under a name of its own nor from pages of its own.

        Fictional data may be read from anywhere, and anybody may link to the page.
        """
        host = urlsplit(f"//{request.host}").hostname or ""
        if not is_loopback(host) and host != urlsplit(self._settings.base_url).hostname:
            abort(404)
        is_open = request.endpoint in ("sandbox.page", "sandbox.ehr_view") or request.blueprint != "sandbox"
        if not is_open and request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            abort(404)

    def page(self) -> Response:
        """The page, in the state of its address; the timeline of a patient of the embedded server is drawn already."""
        topic, state = self._topic(), self._state(request.args)
        offer = self._offers[topic.service.id]
        story = None if state.base else self._stories.find(state.patient)
        patient, chart = self._chart(self._base_of(story), story.id) if story else (None, "")
        html = render_template(
            "sandbox.html",
            state=state,
            stories=self._stories.patients,
            story=story,
            patient=patient,
            chart=Markup(chart),  # noqa: S704 - of our own template, which escapes
            services=[topic.service for topic in self._topics.values()],
            offer=offer,
            hook_call=self._stories.hook_call,
            has_stories=topic.service.id == self._stories.service,
            priorities=PRIORITIES,
            can_sign=self._key is not None,
            one_call_at_a_time=self._settings.threads * self._settings.workers == 1,
            pages={name: texts["en"].head["title"] for name, texts in topic.patient_pages.items()},
            budget_ms=self._settings.fhir_budget_ms,
            **self._what_calls_need(topic),
        )
        return Response(html, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})

    def ehr_view(self, patient: str) -> Response:
        """The cards of a story as the reference client shows them; the rest of the state stands in the query."""
        topic, state = self._topic(), self._state({**request.args, "patient": patient, "base": ""})
        story = self._stories.find(state.patient)
        choices = self._offers[topic.service.id].choices
        html = render_template(
            "ehr_view.html",
            state=state,
            story=story,
            stories=self._stories.patients,
            back=urlencode({**request.args, "patient": patient, "fire": state.hook}),
            form=state.as_form()
            | {
                "fhirVersion": story.fhir_version if story else "R4",
                "orderCode": choices.order_code(state.order),
                "reasonCode": choices.reason_code(state.reason),
            },
            **self._what_calls_need(topic),
        )
        status = 404 if story is None else 200
        return Response(html, status, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})

    def _state(self, query: Mapping[str, str]) -> PageState:
        required, can_sign = self._settings.tokens_required, self._key is not None
        offer = self._offers[self._topic().service.id]
        return read_state(query, self._stories.patients, offer, [*self._topics], must_sign=required, can_sign=can_sign)

    def _what_calls_need(self, topic: Topic) -> dict[str, Any]:
        """What a template must know for the script of its page to send calls."""
        return {
            "service": topic.service,
            "base_url": self._settings.base_url,
            "fhir_root": self._fhir_root,
            "practitioner": f"Practitioner/{PRACTITIONER_ID}",
            "access_token": ACCESS_TOKEN,
            "tokens_required": self._settings.tokens_required,
        }

    def patients(self) -> Response:
        """The first patients of a loopback FHIR server."""
        return _json(self._ehr.list_patients(request.args.get("base", "")))

    def chart(self) -> Response:
        """Who a patient is, and the timeline of the chart as HTML."""
        patient, html = self._chart(request.args.get("base", ""), request.args.get("patient", ""))
        return _json({"patient": patient, "timeline": html})

    def _chart(self, base: str, patient_id: str) -> tuple[dict[str, str], str]:
        topic = self._topic()
        prefetch = self._ehr.fill_prefetch(base, patient_id, topic.service.prefetch)
        timeline = read_timeline(prefetch, patient_id, topic, self._today())
        patient = msgspec.json.decode(prefetch["patient"]) if "patient" in prefetch else {}
        drawings = [draw(timeline, form) for form in (WIDE, NARROW)] if timeline else []
        html = render_template("sandbox_timeline.html", timeline=timeline, drawings=drawings)
        return describe(patient if isinstance(patient, dict) else {}), html

    def _base_of(self, story: Story) -> str:
        """Where the embedded server has this patient."""
        name = next(name for name, version in VERSIONS.items() if version == story.fhir_version)
        return f"{self._fhir_root}/{name}"

    def prefetch(self) -> Response:
        """The prefetch of a call, as an EHR would fill it."""
        wanted = _decode(_PrefetchWanted)
        service = self._topic().service
        modes = self._offers[service.id].prefetch_modes
        if wanted.mode not in modes:
            raise BadRequest(f"mode must be one of {', '.join(modes)}")
        loopback_base(wanted.base)
        return _json({"prefetch": self._ehr.fill_prefetch(wanted.base, wanted.patient, service.prefetch, wanted.mode)})

    def token(self, endpoint: str) -> Response:
        """A signed token for one call of one endpoint of the service, as text."""
        address = f"{self._settings.base_url}/cds-services"
        call = f"{address}/{self._topic().service.id}"
        audiences = {"discovery": address, "call": call, "feedback": f"{call}/feedback"}
        if endpoint not in audiences or self._key is None:
            abort(404)
        token = self._key.sign(audiences[endpoint], self._clock())
        return Response(token, mimetype="text/plain", headers={"Cache-Control": "no-store"})

    def details(self) -> Response:
        """Details of cards, from Markdown to HTML, in the order in which they were sent."""
        return _json([render_detail(detail) for detail in _decode(list[str])[:_MOST_DETAILS]])

    def explanation(self) -> Response:
        """Why / why not: the explanation of a hook call as HTML, and the outcome of each card."""
        explained = explain_parts(read_json_body(), self._topic(), self._today())
        html = render_template("sandbox_explanation.html", sections=explained.sections)
        return _json({"html": html, "verdicts": explained.verdicts})


def _offer(topic: Topic) -> Offer:
    service = topic.service
    return Offer(order_choices(topic.order_catalogue), tuple(service.hooks), prefetch_modes(service.prefetch))


def _resource_types(topics: Iterable[Topic]) -> tuple[str, ...]:
    """The resource types of the embedded server: those that the prefetch of a service asks for, and who orders."""
    types = (name for topic in topics for name in topic.service.resource_types.values())
    return tuple(dict.fromkeys(("Patient", *types, "Practitioner")))


def _decode(shape: Any) -> Any:
    try:
        return msgspec.json.decode(read_json_body(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("this address of the sandbox takes what its page sends") from None


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), mimetype="application/json", headers={"Cache-Control": "no-store"})


def _not_readable(why: NotReadable) -> Response:
    return Response(msgspec.json.encode({"error": str(why)}), 422, mimetype="application/json")
