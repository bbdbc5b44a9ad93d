"""Bundles: an odd entry does not affect the others."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.fhir.bundle import read_bundle
from cards.fhir.tolerant_reading import Unreadable
from cards.record.patient_record import PatientRecord, Section, read_section
from cards.topic import Topic
from cards.topics.lumbar_puncture.decision.findings import find_contributors
from tests.cards.fhir.test_tolerant_reading import FIELDS, json_values
from tests.charts import PATIENT, condition, patient, searchset

TODAY = date(2026, 11, 22)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def ids(bundle: Any) -> list[str | None]:
    """The id of each entry's resource; None for what could not be read."""
    return [entry.resource.id if entry and entry.resource else None for entry in read_bundle(encoded(bundle)).entries]


def test_a_bundle_as_fhir_has_it_gives_its_entries_total_and_next_page() -> None:
    link = [{"relation": "self", "url": "http://x/1"}, {"relation": "next", "url": "http://x/2"}]
    bundle = read_bundle(encoded(searchset(condition(id="a"), patient(), total=2, link=link)))
    assert (bundle.resource_type, bundle.total, bundle.next_url) == ("Bundle", 2, "http://x/2")
    assert [entry.resource.resource_type for entry in bundle.entries if entry and entry.resource] == [
        "Condition",
        "Patient",
    ]


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        pytest.param({"resourceType": "Bundle"}, [], id="without entry"),
        pytest.param({"resourceType": "Bundle", "entry": []}, [], id="empty"),
        pytest.param({"resourceType": "Bundle", "entry": None}, [], id="null for the entries"),
        pytest.param(searchset(condition(id="a"), condition(id="b")), ["a", "b"], id="two entries"),
        pytest.param(searchset(condition(id="a"), None, condition(id="b")), ["a", None, "b"], id="null for a resource"),
        pytest.param(
            searchset(condition(id="a"), 7, condition(id="b")), ["a", None, "b"], id="a number for a resource"
        ),
        pytest.param(
            {"resourceType": "Bundle", "entry": [{"resource": condition(id="a")}, 7, None, "x", []]},
            ["a", None, None, None, None],
            id="entries that are no objects",
        ),
        pytest.param(
            {"resourceType": "Bundle", "entry": [condition(id="a")]}, ["a"], id="a bare resource for an entry"
        ),
        pytest.param(
            {"resourceType": "Bundle", "entry": {"resource": condition(id="a")}}, ["a"], id="one entry without its list"
        ),
        pytest.param(searchset(condition(id=7), condition(id="b")), ["7", "b"], id="a number for an id"),
        pytest.param(searchset(condition(id="a"), total="1"), ["a"], id="a string for the total"),
        pytest.param(searchset(condition(id="a"), link="next"), ["a"], id="a string for the links"),
        pytest.param(searchset(condition(id="a", code=5), condition(id="b")), ["a", "b"], id="a number for a code"),
    ],
)
def test_an_odd_entry_costs_the_others_nothing(bundle: Any, expected: list[str | None]) -> None:
    """clinical.md 6, rule 9."""
    assert ids(bundle) == expected


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b'"x"', b"null", b'{"resourceType": "Bundle", "entry": [}'])
def test_what_is_no_json_object_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_bundle(raw)


def test_a_subject_that_cannot_be_read_does_not_pass_for_one_that_is_not_there() -> None:
    """R-2.88."""
    for subject in (7, {"reference": {"odd": 1}}, ["a", "b"]):
        (entry,) = read_bundle(encoded(searchset(condition(subject=subject)))).entries
        assert entry is not None
        assert entry.resource is not None
        assert entry.resource.subject is not None


def test_another_resource_names_itself_and_has_no_entries() -> None:
    bundle = read_bundle(b'{"resourceType": "OperationOutcome", "issue": []}')
    assert (bundle.resource_type, list(bundle.entries)) == ("OperationOutcome", [])


@pytest.mark.parametrize(
    "link",
    [
        pytest.param([], id="no links"),
        pytest.param([{"relation": "self", "url": "http://x/1"}], id="only itself"),
        pytest.param([{"relation": "next"}], id="next without address"),
        pytest.param([{"relation": "next", "url": ""}], id="next with an empty address"),
        pytest.param([{"url": "http://x/2"}], id="an address without relation"),
    ],
)
def test_without_an_address_there_is_no_next_page(link: list[dict[str, str]]) -> None:
    assert read_bundle(encoded(searchset(link=link))).next_url is None


def test_an_entry_that_is_odd_and_not_utf_8_costs_the_others_nothing() -> None:
    good = encoded(condition(id="a"))
    raw = b'{"resourceType": "Bundle", "entry": [{"resource": ' + good + b'}, {"resource": {"id": {}, "x": "\xff"}}]}'
    entries = read_bundle(raw).entries
    assert [entry.resource.id if entry and entry.resource else None for entry in entries] == ["a", None]


junk_entries = json_values | st.builds(
    lambda fields: {"resource": {"resourceType": "Condition"} | fields},
    st.dictionaries(st.sampled_from([name for name in FIELDS if name not in ("subject", "patient")]), json_values),
)


@settings(max_examples=100, deadline=None)
@given(before=st.lists(junk_entries, max_size=3), after=st.lists(junk_entries, max_size=3))
def test_one_good_condition_is_found_among_any_junk(topic: Topic, before: list[Any], after: list[Any]) -> None:
    """design.md 4: a spine condition is never lost to what stands beside it."""
    bundle = searchset() | {"entry": [*before, {"resource": condition()}, *after]}
    section = Section(read_bundle(encoded(bundle)).entries)
    read = read_section(section, "Condition", PATIENT, topic.chart, TODAY)
    found = find_contributors(PatientRecord(PATIENT, {"Condition": read}), topic, TODAY)
    assert ("spinal-stenosis", "lumbar") in {(finding.kind.value_set, finding.level) for finding in found}
    assert read.seen_count >= 1
