"""Which orders are a lumbar puncture, and which cards follow."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from cards.card import Card
from cards.evaluate import Triage, evaluate, triage
from cards.fhir.bundle import read_bundle
from cards.fhir.draft_orders import read_draft_orders
from cards.record.patient_record import PatientRecord, Section, SectionRead, read_section
from cards.topic import Topic
from tests.charts import CPT, ICD_10_CM, LUMBAR_PUNCTURE, PATIENT, SNOMED, coded, condition, order, procedure, searchset

TODAY = date(2026, 11, 22)
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"
OPCS = "https://fhir.hl7.org.uk/Id/opcs-4"
LOINC = "http://loinc.org"
LUMBAR_PUNCTURES = [
    (SNOMED, "277762005"), (SNOMED, "171765004"), (CPT, "62270"), (CPT, "62272"), (CPT, "62328"), (CPT, "62329"),
    (CPT, "96450"), (PCS, "009U3ZX"), (PCS, "009U3ZZ"), (PCS, "009Y3ZX"), (PCS, "009Y3ZZ"), (ICD_9, "03.31"),
    (OPCS, "A55.8"), (OPCS, "A55.9"), (OPCS, "A54.9"), (LOINC, "24973-0"),
]  # fmt: skip
NEAR_MISSES = [
    *((CPT, code) for code in (
        "61055", "61050", "62284", "62302", "62303", "62304", "62305", "62273", "62322", "62323", "64483", "64520",
        "77003",
    )),
    *((SNOMED, code) for code in (
        "171787008", "18946005", "58611004", "35597003", "67716003", "112943005", "231249005", "231253007", "231255000",
        "231258003",
        "231261002", "398044000", "180886007", "367401004", "65725008", "72741000", "426805006", "35603000",
        "119566000", "178814008", "431928000", "446861007", "258450006", "85921004",
    )),
    *((PCS, code) for code in (
        "009U30Z", "009Y30Z", "009T3ZX", "009T3ZZ", "00HU33Z", "3E0R3BZ", "3E0S33Z", "3E0S3GC", "00JU3ZZ",
    )),
]  # fmt: skip
OIDS = {SNOMED: "6.96", CPT: "6.12", PCS: "6.4", ICD_9: "6.104", LOINC: "6.1"}
MRI = coded(CPT, "72148")
PUNCTURE = procedure(LUMBAR_PUNCTURE, performedDateTime="2026-11-08")
PAIN = condition(coded(ICD_10_CM, "M54.50"), id="pain", onsetDateTime="2026-11-09")
CAUDA_EQUINA = condition(coded(ICD_10_CM, "G83.4"), id="ces", onsetDateTime="2026-11-10")
DEVICES = ["via Ommaya reservoir", "intrathecal PUMP refill", "intraventricular", "por reservorio", "bomba intratecal"]


def triaged(topic: Topic, *drafts: Any) -> Triage | None:
    return triage(topic, read_draft_orders(json.dumps(searchset(*drafts)).encode(), None))


def is_lumbar_puncture(topic: Topic, *drafts: Any) -> bool:
    found = triaged(topic, *drafts)
    return found is not None and bool(found.lumbar_punctures)


def cards(topic: Topic, *drafts: Any, chart: Any = (), language: str | None = None) -> dict[str, Card]:
    found = triaged(topic, *drafts)
    assert found is not None
    entries = read_bundle(json.dumps(searchset(*chart)).encode()).entries
    conditions, procedures = (
        read_section(Section(entries), resource_type, PATIENT, topic.chart, TODAY)
        for resource_type in ("Condition", "Procedure")
    )
    return {card.key: card for card in evaluate(topic, found, record(conditions, procedures, language), TODAY)}


def record(conditions: SectionRead, procedures: SectionRead, language: str | None = None) -> PatientRecord:
    return PatientRecord(PATIENT, {"Condition": conditions, "Procedure": procedures}, language)


@pytest.mark.parametrize(("system", "code"), LUMBAR_PUNCTURES, ids=lambda one: one.rsplit("/", 1)[-1])
def test_a_code_for_lumbar_puncture_is_one_however_it_is_written(topic: Topic, system: str, code: str) -> None:
    """clinical.md 2a, the rows of lp_match; 2, rules 1 and 5."""
    oid = f"2.16.840.1.113883.{OIDS[system]}" if system in OIDS else system
    systems = [system, f"{system}/", f" {system} ", system.lower(), oid, f"urn:oid:{oid}" if system in OIDS else system]
    if system == PCS:
        systems += ["http://www.icd10data.com/icd10pcs", "http://hl7.org/fhir/sid/icd-10-pcs"]
    spellings = [code, f"{code}  ", code.lower(), code.replace(".", "")]
    for one, spelling in [(one, code) for one in systems] + [(system, spelling) for spelling in spellings]:
        assert is_lumbar_puncture(topic, order(coded(one, spelling))), (one, spelling)
        assert is_lumbar_puncture(topic, order({"concept": coded(one, spelling)})), (one, spelling)


@pytest.mark.parametrize(("system", "code"), NEAR_MISSES, ids=lambda one: one.rsplit("/", 1)[-1])
def test_a_near_miss_is_silent_even_where_its_text_speaks_of_a_lumbar_puncture(
    topic: Topic, system: str, code: str
) -> None:
    """clinical.md 2a-bis."""
    assert triaged(topic, order(coded(system, code))) is None
    assert triaged(topic, order(coded(system, code) | {"text": "Lumbar puncture"})) is None


def test_a_lumbar_puncture_coded_beside_a_near_miss_is_one(topic: Topic) -> None:
    both = {"coding": [*coded(CPT, "77003")["coding"], *coded(CPT, "62270")["coding"]]}
    assert is_lumbar_puncture(topic, order(both))


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        pytest.param(coded(CPT, "62270") | {"text": "Epidural blood patch"}, True, id="a code outweighs the words"),
        pytest.param(coded("http://example.org/local", "LP1", "Lumbar puncture"), True, id="a local code's display"),
        pytest.param({"coding": [{"code": "277762005"}]}, False, id="a bare number"),
        pytest.param(coded(ICD_10_CM, "009U3ZX"), True, id="ICD-10-PCS under the name of ICD-10-CM"),
        pytest.param(coded(PCS, "009U3"), False, id="no family in ICD-10-PCS"),
        pytest.param(coded(SNOMED, "392021009"), False, id="lumpectomy, which others label lumbar puncture"),
        pytest.param(coded(CPT, "72148"), False, id="an MRI of the spine"),
        pytest.param(coded(ICD_9 + "/diagnosis", "033.1"), False, id="whooping cough in ICD-9-CM"),
        pytest.param({}, False, id="nothing"),
    ],
)  # fmt: skip
def test_the_code_decides_and_words_where_there_is_none(topic: Topic, code: Any, ours: bool) -> None:
    assert is_lumbar_puncture(topic, order(code)) is ours


@pytest.mark.parametrize(
    "text",
    ["Lumbar puncture", "LUMBAR PUNCTURE - adult", "lumbar-puncture", "Spinal tap", "spinal puncture", "Punción lumbar",
     "Punción lumbar diagnóstica", "puncion lumbar", "LP, diagnostic", "Diagnostic LP", "LP for CSF", "LP/CSF",
     "Therapeutic LP", "LP with opening pressure", "LP tap", "Lumbar puncture under fluoroscopy",
     "Lumbar puncture to rule out meningitis", "Lumbar puncture after CT head", "No contrast; lumbar puncture"],
)  # fmt: skip
def test_words_for_a_lumbar_puncture_are_recognized(topic: Topic, text: str) -> None:
    """clinical.md 2a, text fallback."""
    assert is_lumbar_puncture(topic, order({"text": text}))


@pytest.mark.parametrize("word", ["epidural", "blood patch", "myelogram", "LP shunt", "facet"])
def test_words_that_mean_something_else_are_rejected_wherever_they_stand(topic: Topic, word: str) -> None:
    """clinical.md 2a, text fallback."""
    for text in (
        f"Lumbar puncture, {word}",
        f"{word} / lumbar puncture",
        f"{word.upper()} (spinal tap)",
        f"LP diagnostic {word}",
    ):
        assert not is_lumbar_puncture(topic, order({"text": text})), text


@pytest.mark.parametrize(
    "text",
    ["Cisternal puncture", "Lumbar drain placement", "Lumboperitoneal shunt", "Lumbar sympathetic block",
     "Lumbar nerve root block", "Thoracic epidural"],
)  # fmt: skip
def test_procedures_of_the_same_region_are_silent(topic: Topic, text: str) -> None:
    assert not is_lumbar_puncture(topic, order({"text": text}))


@pytest.mark.parametrize(
    "text",
    ["LP", "LP(a)", "Lipoprotein LP(a), diagnostic", "LP record", "Post-lumbar-puncture headache",
     "Post lumbar puncture care", "After lumbar puncture", "s/p spinal tap", "No lumbar puncture",
     "Possible lumbar puncture", "Lumbar puncture?",
     "Lumbar puncture tray", "Consent for lumbar puncture", "Sedation for lumbar puncture",
     "Cefalea tras punción lumbar", "Cefalea postpunción lumbar", "Sin punción lumbar", "Lumbar MRI",
     "Puncture of vein", "helping LPs diagnostic"],
)  # fmt: skip
def test_words_that_only_look_like_an_order_for_one_are_silent(topic: Topic, text: str) -> None:
    assert not is_lumbar_puncture(topic, order({"text": text}))


@pytest.mark.parametrize("code", [coded(SNOMED, "171765004"), coded(CPT, "96450")], ids=["SNOMED CT", "CPT"])
@pytest.mark.parametrize("words", DEVICES)
def test_chemotherapy_into_a_device_is_no_lumbar_puncture_wherever_the_draft_says_so(
    topic: Topic, code: Any, words: str
) -> None:
    """clinical.md 2a-bis."""
    assert is_lumbar_puncture(topic, order(code))
    for element in ({"note": [{"text": words}]}, {"bodySite": [{"text": words}]}, {"patientInstruction": words}):
        assert triaged(topic, order(code, **element)) is None
    assert triaged(topic, order(code | {"text": words})) is None
    assert is_lumbar_puncture(topic, order(note=[{"text": words}]))


def test_the_reason_of_an_order_does_not_make_it_a_lumbar_puncture(topic: Topic) -> None:
    assert not is_lumbar_puncture(topic, order(MRI, reasonCode=[LUMBAR_PUNCTURE]))
    assert triaged(topic, order({"text": "Chest X-ray"}, reasonCode=[LUMBAR_PUNCTURE])) is None


def test_an_empty_chart_gets_what_to_expect_with_the_instruction_as_a_suggestion(topic: Topic) -> None:
    (card,) = cards(topic, order()).values()
    assert (card.key, card.indicator) == ("what-to-expect", "info")
    (suggestion,) = card.suggestions
    (action,) = suggestion.actions
    assert action.type == "update"
    assert "sore back" in json.loads(action.resource)["patientInstruction"]
    assert 3 <= len(card.override_reasons) <= 5


def test_every_lumbar_puncture_of_the_session_is_updated_by_the_one_suggestion(topic: Topic) -> None:
    (card,) = cards(topic, order(id="a"), order(MRI, id="b"), order(id="c"), order(id=None)).values()
    (suggestion,) = card.suggestions
    assert [json.loads(action.resource)["id"] for action in suggestion.actions] == ["a", "c"]


def test_without_an_order_to_update_there_is_no_suggestion(topic: Topic) -> None:
    assert cards(topic, order(id=None))["what-to-expect"].suggestions == ()


@pytest.mark.parametrize("priority", ["stat", "asap", "urgent", " STAT"])
@pytest.mark.parametrize(
    "chart",
    [
        pytest.param([condition()], id="where the chart holds a contributor"),
        pytest.param([PUNCTURE, PAIN], id="where there is pain since an earlier puncture"),
    ],
)
def test_an_urgent_order_gets_what_to_expect_alone_and_waits_for_no_chart(
    topic: Topic, priority: str, chart: list[Any]
) -> None:
    """design.md 5: an emergency puncture is never delayed."""
    drafts = [order(id="a"), order(id="b", priority=priority)]
    found = triaged(topic, *drafts)
    assert found is not None
    assert found.urgent
    (card,) = cards(topic, *drafts, chart=chart).values()
    assert (card.key, card.suggestions) == ("what-to-expect", ())


def test_a_red_flag_outranks_the_urgency_of_an_order(topic: Topic) -> None:
    """design.md 5: red flags still outrank it, and nothing reassures beside them."""
    (card,) = cards(topic, order(priority="stat"), chart=[PUNCTURE, CAUDA_EQUINA, condition()]).values()
    assert (card.key, card.indicator, card.suggestions) == ("red-flags", "critical", ())


def test_an_urgent_order_for_something_else_changes_nothing(topic: Topic) -> None:
    answer = cards(topic, order(priority="routine"), order(MRI, priority="stat"), chart=[condition()])
    assert list(answer) == ["what-to-expect", "confounders"]
    assert answer["what-to-expect"].suggestions


def test_a_tumor_is_never_called_a_contributor(topic: Topic) -> None:
    tumor = condition({"text": "Spinal metastasis"}, id="t")
    alone = cards(topic, order(), chart=[tumor])["confounders"]
    assert "evaluate on its own" in alone.summary
    assert "ontributor" not in alone.summary + alone.detail
    both = cards(topic, order(), chart=[tumor, condition()])["confounders"]
    assert both.summary.startswith("Chart shows cancer")
    assert {entry.value_set for entry in both.provenance} == {"spinal-malignancy", "spinal-stenosis"}


def test_a_chart_that_could_not_be_read_is_not_called_empty(topic: Topic) -> None:
    found = triaged(topic, order())
    assert found is not None
    (card,) = evaluate(topic, found, record(SectionRead(obtained=False), SectionRead()), TODAY)
    assert "not available" in card.summary


@pytest.mark.parametrize(
    ("text", "language", "path"),
    [
        pytest.param("Lumbar disc protrusion", "es", "/spanish/herniateddisk.html", id="a Spanish page is known"),
        pytest.param("Lumbago", "es", "/spanish/backpain.html", id="another one"),
        pytest.param("Lumbar stenosis", "es", "/spinalstenosis.html", id="no Spanish page is known"),
        pytest.param("Lumbar disc protrusion", "en", "/herniateddisk.html", id="English"),
        pytest.param("Lumbar disc protrusion", "fr", "/herniateddisk.html", id="a language without pages"),
        pytest.param("Lumbar disc protrusion", None, "/herniateddisk.html", id="no language"),
    ],
)
def test_links_are_in_the_patients_language_where_a_page_is_known(
    topic: Topic, text: str, language: str | None, path: str
) -> None:
    card = cards(topic, order(), chart=[condition({"text": text})], language=language)["confounders"]
    assert [link.url for link in card.links] == [f"https://medlineplus.gov{path}"]


def test_every_card_has_a_summary_a_source_and_its_evidence(topic: Topic) -> None:
    """R-4.21, R-4.35; design.md 5.7: one line of sources, and a link to the evidence."""
    for card in cards(topic, order(), chart=[condition()]).values():
        assert 0 < len(card.summary) < 140
        assert card.source.url.startswith("https://")
        assert "Sources: " in card.sources
        assert "{" not in card.detail
