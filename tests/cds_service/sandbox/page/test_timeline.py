"""The timeline of a chart: its events and their places."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from cards.timeline import Event, Timeline
from cards.topic import Topic
from cds_service.sandbox.page.timeline_drawing import NARROW, WIDE, Format, draw, read_timeline
from tests.charts import ICD_10_CM, LUMBAR_PUNCTURE, PATIENT, SNOMED, coded, condition, patient, procedure, searchset

TODAY = date(2026, 11, 22)
PAIN = coded(SNOMED, "279039007", "Low back pain")
FEVER = coded(SNOMED, "386661006", "Fever")


def timeline(topic: Topic, *conditions: Any, procedures: tuple[Any, ...] = ()) -> Timeline:
    prefetch = {"patient": patient(), "conditions": searchset(*conditions), "procedures": searchset(*procedures)}
    read = read_timeline(
        {key: msgspec.Raw(msgspec.json.encode(one)) for key, one in prefetch.items()}, PATIENT, topic, TODAY
    )
    assert read is not None
    return read


def only(topic: Topic, resource: Any) -> Event:
    is_procedure = resource["resourceType"] == "Procedure"
    (event,) = timeline(
        topic, *([] if is_procedure else [resource]), procedures=(resource,) if is_procedure else ()
    ).events
    return event


@pytest.mark.parametrize(
    ("resource", "kind", "on", "lasts", "remark"),
    [
        pytest.param(
            procedure(LUMBAR_PUNCTURE, performedDateTime="2026-06-22"), "lumbar puncture", "2026-06-22", False, "",
            id="a puncture",
        ),
        pytest.param(
            procedure(LUMBAR_PUNCTURE, performedDateTime="2026-06-22", status="stopped"), "lumbar puncture",
            "2026-06-22", False, "not completed", id="a puncture that was stopped",
        ),
        pytest.param(
            procedure(LUMBAR_PUNCTURE, performedDateTime=None), "lumbar puncture", None, False, "", id="an undated one",
        ),
        pytest.param(condition(PAIN, onsetDateTime="2026-06-24"), "back pain", "2026-06-24", True, "", id="pain"),
        pytest.param(
            condition(PAIN, onsetDateTime="2026-06", clinicalStatus=None), "back pain", "2026-06", True, "",
            id="pain since a month, without a status",
        ),
        pytest.param(
            condition(PAIN, onsetDateTime="2021-01-11", abatementDateTime="2021-02-20"), "back pain", "2021-01-11",
            False, "resolved", id="pain that is over",
        ),
        pytest.param(
            condition(FEVER, onsetDateTime="2026-11-20"), "red flag", "2026-11-20", True, "", id="a red flag",
        ),
        pytest.param(
            condition(coded(SNOMED, "309537005"), onsetDateTime="2026-09-28"), "nerve symptom", "2026-09-28", True,
            "", id="a nerve symptom",
        ),
        pytest.param(condition(), "finding", "2019-03", True, "", id="a finding"),
        pytest.param(
            condition(verificationStatus=coded("s", "provisional")), "finding", "2019-03", True, "unconfirmed",
            id="a finding that nobody confirmed",
        ),
    ],
)  # fmt: skip
def test_an_entry_stands_on_the_timeline_as_what_it_is(
    topic: Topic, resource: Any, kind: str, on: str | None, lasts: bool, remark: str
) -> None:
    event = only(topic, resource)
    assert (event.kind.label, event.on.text if event.on else None, event.lasts, event.remark) == (
        kind,
        on,
        lasts,
        remark,
    )


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param(condition(coded(SNOMED, "195967001", "Asthma")), id="what has nothing to do with it"),
        pytest.param(condition(verificationStatus=coded("s", "refuted")), id="what was refuted"),
        pytest.param(condition({"text": "No evidence of spinal stenosis"}), id="what is denied"),
    ],
)
def test_nothing_else_does(topic: Topic, resource: Any) -> None:
    assert timeline(topic, resource).events == ()


def test_what_was_only_recorded_says_so(topic: Topic) -> None:
    event = only(topic, condition(PAIN, onsetDateTime=None, recordedDate="2026-07-30"))
    assert event.on is not None
    assert (event.on.text, event.only_recorded) == ("2026-07-30", True)


def test_a_chart_of_two_people_has_no_timeline(topic: Topic) -> None:
    conditions = msgspec.Raw(msgspec.json.encode(searchset(condition(subject={"reference": "Patient/other"}))))
    assert read_timeline({"conditions": conditions}, PATIENT, topic, TODAY) is None


@pytest.mark.parametrize("form", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_picture_goes_from_the_oldest_to_today(topic: Topic, form: Format) -> None:
    drawing = draw(
        timeline(
            topic,
            condition(id="1", onsetDateTime="2024"),
            condition(PAIN, id="2", onsetDateTime="2026-06-24"),
            condition(FEVER, id="3", onsetDateTime="2026-11-21"),
            procedures=(procedure(LUMBAR_PUNCTURE, performedDateTime="2026-06-22"),),
        ),
        form,
    )
    places = [row.x for row in drawing.rows]
    assert [row.event.words for row in drawing.rows] == [
        "Spinal stenosis of lumbar region", "Lumbar puncture", "Low back pain", "Fever",
    ]  # fmt: skip
    assert all(place is not None and form.label_width < place < drawing.today_x < form.width for place in places)
    assert places == sorted(places, key=lambda one: one or 0)
    assert drawing.reference_x == places[1]
    assert drawing.spans  # a year is drawn as one
    ticks = [x for x, _ in drawing.ticks]
    assert ticks == sorted(ticks, reverse=True)


def test_a_picture_has_room_for_the_gravest_and_says_what_it_leaves_out(topic: Topic) -> None:
    many = [condition(coded(ICD_10_CM, "M48.061"), id=f"c{number}") for number in range(30)]
    read = timeline(topic, condition(FEVER, id="fever", onsetDateTime="2026-11-20"), *many)
    drawing = draw(read, WIDE)
    assert (len(read.events), len(drawing.rows), drawing.left_out) == (31, 12, 19)
    assert "Fever" in [row.event.words for row in drawing.rows]


def test_what_has_no_date_is_named_and_has_no_place(topic: Topic) -> None:
    (row,) = draw(timeline(topic, condition(onsetDateTime=None)), WIDE).rows
    assert (row.x, row.spans) == (None, False)
