"""The clinician's tests: every vignette gets its cards, every rule has a vignette, and faults are easy to read."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cards.content.files import ContentError
from cards.content.service import INDICATORS
from cards.fhir.draft_orders import FhirVersion
from cards.topic import Topic
from cards.vignettes.casebook import Expected, Vignette, load_vignettes
from cards.vignettes.fhir_builder import FhirBuilder
from tests.content import casebook

CASEBOOK = casebook()
SECTIONS = ("conditions", "procedures")
EXPECTED = [(key, card) for vignette in CASEBOOK.vignettes for key, card in vignette.expect.items()]
MODELS = {
    FhirVersion.STU3: "fhir.resources.STU3",
    FhirVersion.R4: "fhir.resources.R4B",
    FhirVersion.R5: "fhir.resources",
}
NEVER = ("does not cause", "due to your", "{", "}")  # clinical.md 1.2, and a placeholder that nobody filled


@pytest.mark.parametrize("vignette", CASEBOOK.vignettes, ids=lambda vignette: vignette.name)
def test_vignette(topic: Topic, vignette: Vignette) -> None:
    assert CASEBOOK.find_failures(vignette, topic) == []


# What the casebook as a whole has to cover, so that no rule is without a clinician's word.


def test_there_are_enough_vignettes_and_no_two_have_one_name() -> None:
    names = [vignette.name for vignette in CASEBOOK.vignettes]
    assert len(names) >= 120
    assert len(set(names)) == len(names)


def test_every_card_is_expected_by_some_vignette(topic: Topic) -> None:
    assert {key for key, _ in EXPECTED} == set(topic.service.cards)


def test_every_class_of_pain_is_expected(topic: Topic) -> None:
    assert {card.class_ for _, card in EXPECTED if card.class_} == set(topic.service.after_puncture.classes)


def test_every_kind_of_red_flag_is_expected(topic: Topic) -> None:
    assert named(card.flags for _, card in EXPECTED) == {kind.value_set for kind in topic.service.red_flags}


def test_every_kind_of_finding_that_is_switched_on_is_expected_and_no_other(topic: Topic) -> None:
    enabled = {kind.value_set for kind in topic.service.contributors if kind.enabled}
    flags = {kind.value_set for kind in topic.service.red_flags}  # listed where they are too old to be flags
    expected = named(card.findings for _, card in EXPECTED)
    assert enabled <= expected
    assert expected <= enabled | flags


def test_every_suggestion_is_offered(topic: Topic) -> None:
    referrals = {f"refer-{name}" for name in topic.service.after_puncture.referrals}
    assert named(card.offers for _, card in EXPECTED) == referrals | {"patient-instruction", "stat-update"}


def test_every_indicator_silence_and_refusal_are_expected() -> None:
    assert {card.indicator for _, card in EXPECTED if card.indicator} == set(INDICATORS)
    assert any(not vignette.expect and not vignette.refused for vignette in CASEBOOK.vignettes)
    assert any(vignette.refused for vignette in CASEBOOK.vignettes)


@pytest.mark.parametrize("version", FhirVersion)
@pytest.mark.parametrize("card", ["what-to-expect", "pain-after-puncture"])
def test_every_fhir_version_has_a_vignette_before_and_after_a_puncture(version: FhirVersion, card: str) -> None:
    assert any(vignette.fhir is version and card in vignette.expect for vignette in CASEBOOK.vignettes)


def test_every_value_set_of_orders_is_ordered(topic: Topic) -> None:
    settings = topic.service.orders
    wanted = {settings.lumbar_puncture, settings.unless_into_a_device, settings.near_miss}
    assert wanted.union(settings.work_up) <= value_sets_of_orders(topic)


def test_every_value_set_of_complaints_is_a_reason(topic: Topic) -> None:
    reasons = [reason for one in CASEBOOK.vignettes for order in CASEBOOK.orders(one) for reason in order.reasons]
    found = {match.value_set for reason in reasons for match in topic.orders.match(reason)}
    assert set(topic.service.complaints.value_sets) <= found


def test_every_concept_is_used() -> None:
    used: set[str | None] = set()
    for vignette in CASEBOOK.vignettes:
        used |= {line.what for line in (*vignette.conditions, *vignette.medications)}
        used |= {name for order in vignette.orders for name in (order.what, order.reason)}
        used |= {name for procedure in vignette.procedures for name in (procedure.what, procedure.reason)}
    assert used - {None} == set(CASEBOOK.concepts)


def value_sets_of_orders(topic: Topic) -> set[str]:
    """Every value set that some order of the casebook belongs to."""
    ordered = [what for one in CASEBOOK.vignettes for order in CASEBOOK.orders(one) for what in order.what]
    return {match.value_set for concept in ordered for match in topic.orders.match(concept)}


def named(lists: Iterable[list[str] | None]) -> set[str]:
    return {name for names in lists for name in names or ()}


# What holds for every answer, whatever a vignette compares.


@pytest.mark.parametrize("vignette", CASEBOOK.vignettes, ids=lambda vignette: vignette.name)
def test_an_answer_is_short_the_most_urgent_first_and_a_red_flag_alone(topic: Topic, vignette: Vignette) -> None:
    cards = CASEBOOK.run(vignette, topic).cards
    urgency = [INDICATORS.index(card.indicator) for card in cards]
    assert len(cards) <= 3
    assert urgency == sorted(urgency)
    assert len({card.key for card in cards}) == len(cards)
    assert len(cards) == 1 or all(card.key != "red-flags" for card in cards)
    for card in cards:
        assert len(card.summary) < 140
        assert not [words for words in NEVER if words in card.summary + card.detail]


@pytest.mark.parametrize("vignette", CASEBOOK.vignettes, ids=lambda vignette: vignette.name)
def test_what_a_vignette_writes_is_fhir_of_its_version(vignette: Vignette) -> None:
    """Strictly so, apart from what its `elements` break on purpose; DSTU2 has no models that are kept up."""
    if vignette.fhir not in MODELS:
        return
    builder = FhirBuilder(vignette.fhir, CASEBOOK.today, CASEBOOK.concepts)
    resources = [builder.order(one, 1) for one in vignette.orders if not (one.elements or one.type)]
    resources += [builder.condition(one, 1) for one in vignette.conditions if not one.elements and one.status != "none"]
    resources += [builder.procedure(one, 1) for one in vignette.procedures if not one.elements]
    for resource in resources:
        name: str = resource["resourceType"]
        model = getattr(import_module(f"{MODELS[vignette.fhir]}.{name.lower()}"), name)
        model.model_validate(resource)


# What a vignette that fails says.

MRI, PUNCTURE = [{"what": "lumbar MRI"}], [{"what": "lumbar puncture"}]
DONE = [{"what": "lumbar puncture", "performed": "30 days ago"}]
PAIN = [{"what": "low back pain", "onset": "20 days ago"}]
STENOSIS = [{"what": "spinal stenosis", "onset": "2019"}]
ASTHMA = [{"what": "asthma"}]
FAILURES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "a card that did not come",
        {"orders": PUNCTURE, "conditions": [*ASTHMA, *ASTHMA], "expect": {"what-to-expect": {}, "confounders": {}}},
        [
            "expected card `confounders`, got `what-to-expect`; 2 conditions read, neither matched; "
            "no procedure in the chart"
        ],
    ),
    (
        "no card at all",
        {"orders": MRI, "conditions": [*ASTHMA, *ASTHMA], "expect": {"confounders": {}}},
        ["expected card `confounders`, got none; 2 conditions read, neither matched; no procedure in the chart"],
    ),
    (
        "what was read of more entries, and of one",
        {
            "orders": MRI,
            "conditions": [*ASTHMA, *STENOSIS, *PAIN],
            "procedures": [{"what": "lumbar puncture", "performed": "2020"}],
            "expect": {"confounders": {}},
        },
        ["expected card `confounders`, got none; 3 conditions read, 2 matched; 1 procedure read, it matched"],
    ),
    (
        "none of three",
        {"orders": MRI, "conditions": [*ASTHMA] * 3, "procedures": [{"what": "asthma"}], "expect": {"confounders": {}}},
        ["expected card `confounders`, got none; 3 conditions read, none matched; 1 procedure read, it did not match"],
    ),
    (
        "a section that could not be read",
        {"orders": PUNCTURE, "not-read": ["conditions"], "expect": {"what-to-expect": {}, "confounders": {}}},
        ["expected card `confounders`, got `what-to-expect`; conditions could not be read; no procedure in the chart"],
    ),
    (
        "an order that is not ours",
        {"orders": [{"what": "chest film"}], "expect": {"what-to-expect": {}}},
        ["expected card `what-to-expect`, got none; no order is one we speak about"],
    ),
    (
        "a card too many",
        {"orders": PUNCTURE, "conditions": STENOSIS, "expect": {"what-to-expect": {}}},
        [
            "expected no card `confounders`, got: Chart shows spinal stenosis: may contribute to back pain. "
            "Document baseline pain before the LP."
        ],
    ),
    (
        "a card of another kind",
        {
            "orders": MRI,
            "conditions": [*PAIN, *STENOSIS],
            "procedures": DONE,
            "expect": {
                "pain-after-puncture": {
                    "indicator": "warning",
                    "class": "chronic",
                    "findings": ["spondylosis"],
                    "flags": ["fever"],
                    "offers": [],
                    "links": [],
                    "says": ["exceedingly rare cause"],
                    "never-says": ["In this chart"],
                }
            },
        },
        [
            "card `pain-after-puncture`: expected indicator warning, got info",
            "card `pain-after-puncture`: expected class chronic, got lingering",
            "card `pain-after-puncture`: expected findings `spondylosis`, got `spinal-stenosis`",
            "card `pain-after-puncture`: expected flags `fever`, got none",
            "card `pain-after-puncture`: expected offers none, got `refer-neurology`, `refer-spine`",
            "card `pain-after-puncture`: expected links none, got `Back pain after a lumbar puncture (spinal tap)`, "
            "`MedlinePlus Connect: spinal stenosis`, `MedlinePlus: Back Pain`, `MedlinePlus: Spinal Stenosis`",
            "card `pain-after-puncture`: does not say “exceedingly rare cause”",
            "card `pain-after-puncture`: says “In this chart”, which it must not",
        ],
    ),
    (
        "a card that has no class",
        {"orders": PUNCTURE, "expect": {"what-to-expect": {"class": "chronic"}}},
        ["card `what-to-expect`: expected class chronic, got none"],
    ),
    (
        "a refusal",
        {"orders": MRI, "not-read": ["procedures"], "expect": {}},
        ["expected an answer, got 412: the procedures could not be read"],
    ),
    ("no refusal", {"orders": MRI, "refused": True, "expect": {}}, ["expected 412, got an answer"]),
]


@pytest.mark.parametrize(("vignette", "sentences"), [one[1:] for one in FAILURES], ids=[one[0] for one in FAILURES])
def test_what_is_not_as_expected_is_told_in_clinical_words(
    topic: Topic, vignette: dict[str, Any], sentences: list[str]
) -> None:
    assert CASEBOOK.find_failures(msgspec.convert({"name": "a patient"} | vignette, Vignette), topic) == sentences


def test_what_is_not_expected_is_not_compared(topic: Topic) -> None:
    vignette = {"name": "a patient", "orders": MRI, "conditions": PAIN, "procedures": DONE}
    silent = msgspec.convert(vignette | {"expect": {"pain-after-puncture": {}}}, Vignette)
    assert silent.expect == {"pain-after-puncture": Expected()}
    assert CASEBOOK.find_failures(silent, topic) == []


# What a casebook that cannot be right says, and where.

HEAD = """\
today: 2026-11-22
concepts:
  lumbar puncture: {system: SNOMED CT, code: "277762005"}
vignettes:
  - name: a patient
    orders: [{what: lumbar puncture}]
    expect: {what-to-expect: {}}
"""
SECOND = "  - name: a second patient\n    orders: [{what: lumbar puncture}]\n"
FAULTS = {
    "a name that is listed twice": (
        SECOND.replace("a second", "a") + "    expect: {}\n",
        8,
        "is listed twice: a patient",
    ),
    "a name within another": ("  - name: a\n    orders: []\n    expect: {}\n    not-reed: []\n", 11, "not-reed"),
    "an order that is no concept": (
        "  - name: a second patient\n    orders: [{what: lumber puncture}]\n    expect: {}\n",
        8,
        "a second patient: 'lumber puncture' is not among the concepts",
    ),
    "a reason that is no concept": (
        "  - name: a second patient\n    orders: [{what: lumbar puncture, reason: fear}]\n    expect: {}\n",
        8,
        "'fear' is not among the concepts",
    ),
    "a condition that is no concept": (SECOND + "    conditions: [{what: gout}]\n    expect: {}\n", 8, "'gout' is not"),
    "a procedure that is no concept": (SECOND + "    procedures: [{what: tap}]\n    expect: {}\n", 8, "'tap' is not"),
    "a procedure's reason that is no concept": (
        SECOND + "    procedures: [{what: lumbar puncture, reason: fear}]\n    expect: {}\n",
        8,
        "'fear' is not",
    ),
    "an onset that is no date": (
        SECOND + "    conditions: [{what: lumbar puncture, onset: 7 day before}]\n    expect: {}\n",
        8,
        "a second patient: '7 day before' is not a date",
    ),
    "a procedure performed on no date": (
        SECOND + "    procedures: [{what: lumbar puncture, performed: yesterday}]\n    expect: {}\n",
        8,
        "'yesterday' is not a date",
    ),
    "an unknown key": (SECOND + "    expected: {}\n    expect: {}\n", 10, "`expected`"),
    "an unknown key of a condition": (
        SECOND + "    conditions:\n      - what: lumbar puncture\n        since: today\n    expect: {}\n",
        12,
        "`since`",
    ),
    "an unknown key of a card": (SECOND + "    expect:\n      what-to-expect: {finding: []}\n", 10, "`finding`"),
    "an unknown FHIR version": (SECOND + "    expect: {}\n    fhir: R6\n", 11, "'R6'"),
    "an invalid section of the chart": (
        SECOND + "    expect: {}\n    not-read: [problems]\n",
        8,
        "'problems' is not a section of the chart",
    ),
    "a key that is listed twice": (SECOND + "    expect: {}\n    expect: {}\n", 11, "the key 'expect' is listed twice"),
    "no orders": ("  - name: a second patient\n    expect: {}\n", 8, "`orders`"),
    "no YAML": ("  - name: [\n", 9, ""),
}


@pytest.mark.parametrize(("text", "line", "what"), FAULTS.values(), ids=FAULTS)
def test_a_casebook_that_cannot_be_right_is_refused_by_file_and_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    path = tmp_path / "vignettes.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        load_vignettes(path, SECTIONS)
    assert str(caught.value).startswith(f"{tmp_path.name}/vignettes.yaml:{line}: ")
    assert what in str(caught.value)


def test_a_casebook_that_is_right_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vignettes.yaml"
    path.write_text(HEAD + SECOND + "    expect: {}\n", encoding="utf-8")
    read = load_vignettes(path, SECTIONS)
    assert [vignette.name for vignette in read.vignettes] == ["a patient", "a second patient"]
    assert read.find("a second patient") is read.vignettes[1]
    assert read.find("somebody else") is None


def test_a_casebook_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"vignettes\.yaml: the file is missing"):
        load_vignettes(tmp_path / "vignettes.yaml", SECTIONS)
