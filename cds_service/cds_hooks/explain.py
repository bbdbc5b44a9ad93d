"""What each order and resource of a request was taken for, and why each card came or did not: for `cds-service explain`
as text, for the sandbox page as parts.

The explanation quotes the chart, for a reader who has the request. Nothing is logged, and no server is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from cards.explanation.explain import SessionToExplain
from cards.explanation.explain import explain as explain_session
from cards.explanation.words import Paragraph
from cards.fhir.draft_orders import DraftOrder, FhirVersion
from cards.fhir.resources import CodeableConcept
from cards.fhir.strict_reading import has_models, read_strictly
from cards.record.patient_record import PatientRecord
from cards.topic import Fact, Topic, Triage, Verdict
from cds_service.cds_hooks.hook_call import triage_orders
from cds_service.cds_hooks.hook_request import HookRequest, decode_request
from cds_service.cds_hooks.patient_chart import PatientChart
from cds_service.event_log.call_log import ChartLog
from cds_service.fhir_client.prefetch import PrefetchValue, State, sort_value
from cds_service.fhir_client.reader import FhirReader
from cds_service.readable import counted
from cds_service.steps import run_steps

_MOST_NAMED = 20  # resources that are not valid, each by name
_LONGEST_LINE = 400  # characters


@dataclass(frozen=True)
class _Reading:
    """A request as the service reads it, from its prefetch alone. `record` None: no order is ours."""

    call: HookRequest
    orders: tuple[DraftOrder, ...]
    looked_up: Mapping[str, CodeableConcept]
    triage: Triage | None
    record: PatientRecord | None
    values: Mapping[str, PrefetchValue]


@dataclass(frozen=True)
class Explanation:
    """`sections`: paragraphs by heading, in order; `verdicts`: one for each card the topic has."""

    sections: Mapping[str, Sequence[Paragraph]]
    verdicts: tuple[Verdict, ...]


def explain(body: bytes, topic: Topic, today: date) -> str:
    """The explanation of a hook call, for a terminal. Raises BadRequest where the service would.

    It quotes the chart: only for readers who may see the request itself.
    """
    return "\n".join(_lay_out(explain_parts(body, topic, today).sections))


def explain_parts(body: bytes, topic: Topic, today: date) -> Explanation:
    """The explanation of a hook call, in its parts, for a page. Raises BadRequest where the service would."""
    read = _read(body, topic, today)
    entries = {key: value.entries for key, value in read.values.items()}
    session = SessionToExplain(
        read.call.draft_orders, read.orders, read.looked_up, read.triage, read.record, entries, _elsewhere(read)
    )
    explained = explain_session(topic, session, today)
    sections: dict[str, Sequence[Paragraph]] = {
        "Hook": [("", list(_hook(read, today)))],
        "Orders": explained.orders or [("none: draftOrders is empty", [])],
        "Chart": explained.chart,
        "Decision": [
            ("", [*_note(read), *explained.decision]),
            ("", [(verdict.card, _verdict_words(verdict)) for verdict in explained.verdicts]),
        ],
        "Strict reading": list(_strict(read)),
    }
    return Explanation(sections, explained.verdicts)


def _verdict_words(verdict: Verdict) -> str:
    if not verdict.fires:
        return f"does not fire: {verdict.words}"
    offers = f" It offers {', '.join(verdict.offers)}." if verdict.offers else ""
    return f"fires ({verdict.indicator}): “{verdict.words}”{offers}"


def _read(body: bytes, topic: Topic, today: date) -> _Reading:
    call = decode_request(body, topic)
    no_time = FhirReader(budget_ms=0, threads=1)  # no server is called
    chart = PatientChart(call, lambda _: True, no_time, ChartLog())
    ours, looked_up = run_steps(triage_orders(call, chart))
    record = run_steps(chart.read(ours.needs, today, fetching=False)) if ours else None
    values = {key: sort_value(call.prefetch.get(key)) for key in topic.service.prefetch}
    return _Reading(call, call.orders, looked_up, ours, record, values)


def _hook(read: _Reading, today: date) -> Iterator[tuple[str, str]]:
    yield "hook", read.call.hook
    yield "today", f"{today.isoformat()} (UTC)"
    yield "FHIR server", f"{read.call.fhir_server} (not called here)" if read.call.fhir_server else "none given"
    for key, value in read.values.items():
        yield f"prefetch.{key}", _state(value, read)
    for key in sorted(read.call.prefetch.keys() - read.values.keys()):
        yield f"prefetch.{key}", "passed over: the service does not ask for it"


def _state(value: PrefetchValue, read: _Reading) -> str:
    count = counted(len(value.entries), "entry", "entries")
    total = f" of {value.total}" if value.total else ""
    elsewhere = _elsewhere(read) if read.triage else "not needed, for no order is ours"
    return {
        State.SATISFIED: f"satisfied: {count}",
        State.EMPTY: "empty: there is nothing",
        State.FAILED: "failed: an error instead of data",
        State.MISSING: f"not in prefetch: {elsewhere}",
        State.PARTIAL: f"partial: {count}{total}; the rest {elsewhere}",
    }[value.state]


def _note(read: _Reading) -> Iterator[Fact]:
    """That the service would know more than the prefetch, where it would."""
    unknown = [key for key, value in read.values.items() if value.state in (State.MISSING, State.PARTIAL)]
    if read.triage and unknown:
        yield "note", f"judged from the prefetch alone; {', '.join(unknown)}: {_elsewhere(read)}"


def _elsewhere(read: _Reading) -> str:
    """What the service does about what the call does not hold."""
    if read.triage and read.triage.urgent:
        return "would not be fetched, for an urgent order does not wait"
    return "would be fetched from the FHIR server" if read.call.fhir_server else "cannot be read without a FHIR server"


def _strict(read: _Reading) -> Iterator[Paragraph]:
    """What fhir.resources has to say, in the version of the draft orders."""
    drafts = read.triage.orders if read.triage else read.orders
    version = drafts[0].fhir_version if drafts else FhirVersion.R4
    if not has_models(version):
        yield f"{version}: no library keeps up models of this version, so nothing is checked", []
        return
    parts = [("draftOrders", read.call.draft_orders)]
    values = ((key, read.call.prefetch.get(key)) for key in read.values)
    parts += [(f"prefetch.{key}", value) for key, value in values if isinstance(value, msgspec.Raw)]
    strict = read_strictly(parts, version)
    yield f"valid {version}: {strict.valid} of {strict.total} resources", []
    invalid: dict[str, list[Fact]] = {}
    for objection in strict.objections:
        words = f"{objection.path}: {objection.message}" if objection.path else objection.message
        invalid.setdefault(objection.resource, []).append(("invalid", words))
    yield from list(invalid.items())[:_MOST_NAMED]
    if len(invalid) > _MOST_NAMED:
        yield f"{len(invalid) - _MOST_NAMED} more that are not valid", []


def _lay_out(sections: Mapping[str, Sequence[Paragraph]]) -> Iterator[str]:
    """Sections with aligned facts; a label that comes again is not printed again."""
    for heading, paragraphs in sections.items():
        yield heading
        width = max((len(label) for _, facts in paragraphs for label, _ in facts), default=0)
        for title, facts in paragraphs:
            margin = "    " if title else "  "
            if title:
                yield _clean(f"  {title}")
            last = None
            for label, text in facts:
                yield _clean(f"{margin}{'' if label == last else label:<{width}}  {text}")
                last = label
        yield ""


def _clean(line: str) -> str:
    """A line for the terminal, whatever the chart has: without control characters, and cut where it is too long."""
    line = "".join(char if char.isprintable() else " " for char in line[: _LONGEST_LINE + 1])
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
