"""Real answers, checked against the specification by a small conformance checker (R-0.2, R-4.1 to R-4.58)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.charts import (
    CARDS,
    CPT,
    ICD_10_CM,
    LUMBAR_PUNCTURE,
    PATIENT,
    SNOMED,
    STENOSIS,
    cards_of,
    coded,
    condition,
    hook_call,
    order,
    post,
    prefetch,
    procedure,
)
from tests.places import FIXTURES
from tests.work_ups import after_puncture

EXAMPLES = FIXTURES / "spec_examples"
CARD = {
    "uuid",
    "summary",
    "detail",
    "indicator",
    "source",
    "suggestions",
    "selectionBehavior",
    "overrideReasons",
    "links",
    "extension",
}
REQUIRED = {"uuid", "summary", "indicator", "source", "extension"}
EXTENSION = "lumbar-puncture-back-pain"
SERVICE = "lumbar-puncture-back-pain"
REASONS = "urn:uuid:ee27832a-68fa-52f8-8dd6-be623b0f60e3"
ROLES = {"contributor", "serious", "complaint", "puncture", "red-flag"}
MRI = coded(CPT, "72148")
PUNCTURE = procedure(LUMBAR_PUNCTURE, performedDateTime="2026-06-22")
CHRONIC = condition(coded(ICD_10_CM, "M54.50"), id="chronic", onsetDateTime="2026-06-24")
NUMBNESS = condition(coded(ICD_10_CM, "R20.0", "Numbness of the left leg"), id="numb", onsetDateTime="2026-06-24")
RETENTION = condition(coded(ICD_10_CM, "R33.9"), id="retention", onsetDateTime="2026-06-24")
DISC = condition(coded(ICD_10_CM, "M51.26"), id="disc")
BACK_PAIN = condition(coded(ICD_10_CM, "M54.50"), id="pain")
TUMOR = condition(coded(ICD_10_CM, "C41.2"), id="tumor")
MANY = [
    condition(coded(ICD_10_CM, code), id=code)
    for code in ["M48.061", "M51.26", "M51.36", "M43.16", "M47.816", "M41.9", "M45.9", "M54.50"]
]


def example(name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))["request"]


def after(*conditions: Any, draft: Any = None) -> dict[str, Any]:
    """A call after a lumbar puncture, for an MRI of the spine unless `draft` says otherwise."""
    return hook_call(draft or order(MRI), prefetch=prefetch(*conditions, procedures=[PUNCTURE]))


FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
CALLS = [
    pytest.param(hook_call(), 1, id="an empty chart"),
    pytest.param(hook_call(prefetch=None), 1, id="no chart"),
    pytest.param(hook_call(prefetch={"conditions": FAILED}), 1, id="a chart that failed"),
    pytest.param(hook_call(prefetch=prefetch(condition())), 2, id="stenosis"),
    pytest.param(hook_call(prefetch=prefetch(*MANY)), 2, id="many findings"),
    pytest.param(hook_call(prefetch=prefetch(TUMOR)), 2, id="a serious finding"),
    pytest.param(hook_call(prefetch=prefetch(TUMOR, DISC)), 2, id="a serious finding beside another"),
    pytest.param(hook_call(order(priority="stat"), prefetch=prefetch(condition())), 1, id="an urgent order"),
    pytest.param(hook_call(prefetch=prefetch(DISC, BACK_PAIN, language="es")), 2, id="a patient who speaks Spanish"),
    pytest.param(hook_call(prefetch=prefetch(condition(), 5, {"resource": None})), 2, id="data that was not read"),
    pytest.param(hook_call(order(), order(id="order-2")), 1, id="two punctures"),
    pytest.param(hook_call(order({"text": "chest X-ray"})), 0, id="an order that is not ours"),
    pytest.param(hook_call(order(MRI)), 0, id="a work-up without an earlier puncture"),
    pytest.param(after(CHRONIC), 1, id="a work-up of chronic pain after a puncture"),
    pytest.param(after(CHRONIC, condition(), TUMOR), 1, id="a work-up of pain with findings"),
    pytest.param(after(), 0, id="a work-up without a complaint, too long after the puncture"),
    pytest.param(after(NUMBNESS), 1, id="a work-up of numbness"),
    pytest.param(after(CHRONIC, RETENTION), 1, id="a red flag"),
    pytest.param(after(CHRONIC, draft=order()), 2, id="another puncture, and pain since the last one"),
    pytest.param(after(CHRONIC, draft=order(MRI, resourceType="ProcedureRequest")), 1, id="a work-up in STU3"),
    pytest.param(
        after(CHRONIC, draft={"resourceType": "DiagnosticOrder", "item": [{"code": MRI}]}), 1, id="a work-up in DSTU2"
    ),
    pytest.param(after(CHRONIC, draft=order({"concept": MRI})), 1, id="a work-up in R5"),
    *[
        pytest.param(example(f"library-{hook}-{version}-lumbar-puncture"), None, id=f"{hook} in {version.upper()}")
        for hook in ("order-sign", "order-select")
        for version in ("dstu2", "stu3", "r4", "r5")
    ],
]


def faults_of(answer: Any, call: dict[str, Any], base_url: str = "http://127.0.0.1:8080") -> Iterator[str]:
    """What in this answer is against the specification, by rule."""
    if not isinstance(answer, dict) or set(answer) != {"cards"} or not isinstance(answer["cards"], list):
        yield f"R-4.1, R-4.2: {answer}"
        return
    uuids = [card["uuid"] for card in answer["cards"]]
    uuids += [one["uuid"] for card in answer["cards"] for one in card.get("suggestions", [])]
    if len(set(uuids)) != len(uuids) or any(str(UUID(one)) != one for one in uuids):
        yield f"R-4.20, R-4.41: {uuids}"
    for card in answer["cards"]:
        yield from (f"R-0.2: {place}" for place in empty_places(card))
        yield from card_faults(card, base_url)
        yield from (fault for link in card.get("links", []) for fault in link_faults(link))
        yield from (fault for one in card.get("suggestions", []) for fault in suggestion_faults(one, call))


def empty_places(value: Any, path: str = "$") -> Iterator[str]:
    """Where a value is null or empty; a client's own resource is as the client wrote it (R-4.5)."""
    if value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip()):
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        if key != "resource":
            yield from empty_places(inner, f"{path}.{key}")


def card_faults(card: dict[str, Any], base_url: str) -> Iterator[str]:
    if not REQUIRED <= set(card) <= CARD:
        yield f"R-4.20 to R-4.30: {set(card)}"
    if len(card["summary"]) >= 140 or "\n" in card["summary"]:
        yield f"R-4.21, R-4.31: {card['summary']}"
    if card["indicator"] not in ("info", "warning", "critical"):
        yield f"R-4.23: {card['indicator']}"
    if ("selectionBehavior" in card) != ("suggestions" in card):
        yield "R-4.26: selectionBehavior goes with suggestions"
    if card.get("selectionBehavior", "at-most-one") not in ("at-most-one", "any"):
        yield f"R-4.26: {card['selectionBehavior']}"
    if re.search(r"<\s*[a-zA-Z/!]|javascript:", card["detail"]):
        yield f"R-4.32: {card['detail']}"
    source = card["source"]
    if (
        not is_absolute(source["url"])
        or not isinstance(source["label"], str)
        or set(source) - {"label", "url", "topic"}
    ):
        yield f"R-4.35, R-4.36: {source}"
    systems = {one["system"] for one in card["overrideReasons"]}
    if systems != {REASONS}:
        yield f"R-4.27, R-8.7: {systems}"
    codings = [source["topic"], *card.get("overrideReasons", [])]
    if any(
        {"code", "system", "display"} != {name for name in coding if isinstance(coding[name], str)}
        for coding in codings
    ):
        yield f"R-4.27, R-4.38, R-4.39: {codings}"
    if PATIENT in json.dumps([source, card.get("links"), card["uuid"], card["extension"]]):
        yield "R-4.33: the patient in a place that is no secret"
    yield from extension_faults(card)
    told = card["extension"].get(EXTENSION, {}).get("card")
    if not re.search(
        rf"\n\nSources: .*\(\[evidence and limits\]\({base_url}/evidence/{SERVICE}/{told}\)\)$", card["detail"]
    ):
        yield f"design.md 5.7: no line of sources: {card['detail']}"


def extension_faults(card: dict[str, Any]) -> Iterator[str]:
    """One object under one key of ours; each provenance an entry of the chart."""
    if set(card["extension"]) != {EXTENSION}:
        yield f"R-4.29, R-7.1: {card['extension']}"
        return
    told = card["extension"][EXTENSION]
    if not {"card", "contentVersion"} <= set(told) <= {"card", "contentVersion", "class", "provenance", "orders"}:
        yield f"R-4.29, R-7.1: {set(told)}"
    if told.get("card") not in CARDS or not re.fullmatch(r"[0-9a-f]{12}", told.get("contentVersion", "")):
        yield f"R-4.29, R-7.1: {told}"
    if not all(re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}", reference) for reference in told.get("orders", [])):
        yield f"R-4.29: no references: {told['orders']}"
    for one in told.get("provenance", []):
        if one["role"] not in ROLES or not {"role", "resource", "valueSet", "valueSetVersion"} <= set(one):
            yield f"R-4.29, R-7.1: {one}"
        if not re.fullmatch(r"(Condition|Procedure)(/\S+)?", one["resource"]) or ("system" in one) != ("code" in one):
            yield f"R-4.29, R-7.1: {one}"


def is_absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url


def link_faults(link: dict[str, Any]) -> Iterator[str]:
    if set(link) != {"label", "url", "type"} or link["type"] != "absolute" or not is_absolute(link["url"]):
        yield f"R-4.55 to R-4.58: {link}"


def suggestion_faults(suggestion: dict[str, Any], call: dict[str, Any]) -> Iterator[str]:
    if set(suggestion) != {"label", "uuid", "actions"} or not suggestion["actions"]:
        yield f"R-4.40 to R-4.44: {suggestion}"
    drafts = {entry["resource"].get("id"): entry["resource"] for entry in call["context"]["draftOrders"]["entry"]}
    for action in suggestion["actions"]:
        if set(action) != {"type", "description", "resource"} or action["type"] not in ("create", "update"):
            yield f"R-4.45, R-4.46: {action}"
        if action["type"] == "create":
            whose = action["resource"].get("subject") or action["resource"].get("patient")
            if "id" in action["resource"] or whose != {"reference": f"Patient/{PATIENT}"}:
                yield f"R-4.47, R-4.51: {action['resource']}"
            continue
        draft = drafts.get(action["resource"]["id"], {})
        added = set(action["resource"]) - set(draft)
        if not draft or {**action["resource"], **draft} != {**action["resource"]} or len(added) != 1:
            yield f"R-4.48, R-4.50: {action['resource']} for {draft}"


@pytest.mark.parametrize(("call", "count"), CALLS)
def test_an_answer_keeps_every_rule(client: FlaskClient, call: dict[str, Any], count: int | None) -> None:
    response = post(client, call)
    answer = response.get_json()
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert list(faults_of(answer, call)) == []
    assert len(answer["cards"]) == count if count is not None else answer["cards"]


@pytest.mark.parametrize("call", [call for call in (one.values[0] for one in CALLS) if isinstance(call, dict)][:9])
def test_cards_of_one_call_have_the_same_ids_again_and_another_call_has_others(
    client: FlaskClient, call: dict[str, Any]
) -> None:
    """R-2.17, R-4.20."""
    again, other = dict(call), call | {"hookInstance": "00000000-1111-2222-3333-444444444444"}
    ids = [{card["uuid"] for card in post(client, one).get_json()["cards"]} for one in (call, again, other)]
    assert ids[0] == ids[1]
    assert not ids[0] & ids[2]


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        pytest.param(lambda card: card.update(summary="x" * 140), "R-4.21", id="a long summary"),
        pytest.param(lambda card: card.update(indicator="hard-stop"), "R-4.23", id="an old indicator"),
        pytest.param(lambda card: card.update(detail="<b>x</b>"), "R-4.32", id="raw HTML"),
        pytest.param(lambda card: card.update(links=[]), "R-0.2", id="an empty list"),
        pytest.param(lambda card: card.pop("selectionBehavior"), "R-4.26", id="no selectionBehavior"),
        pytest.param(lambda card: card["links"][0].update(url="/x"), "R-4.55", id="a relative link"),
        pytest.param(lambda card: card["source"].update(url="x"), "R-4.35", id="a source without address"),
        pytest.param(lambda card: card["overrideReasons"][0].pop("display"), "R-4.27", id="a reason without display"),
        pytest.param(lambda card: card["suggestions"][0].update(uuid=card["uuid"]), "R-4.20", id="equal ids"),
        pytest.param(
            lambda card: card["suggestions"][0]["actions"][0]["resource"].update(status="active"),
            "R-4.48",
            id="a draft that was changed",
        ),
        pytest.param(
            lambda card: card.update(detail=card["detail"].replace("Sources", "By")), "design.md 5.7", id="no sources"
        ),
        pytest.param(lambda card: card["extension"].update(other={"a": 1}), "R-4.29", id="a key of nobody"),
        pytest.param(lambda card: card["extension"][EXTENSION].update(card="x"), "R-4.29", id="an unknown card"),
        pytest.param(lambda card: card["extension"][EXTENSION].update(provenance=[]), "R-0.2", id="no provenance"),
    ],
)
def test_the_checker_sees_a_broken_rule(client: FlaskClient, spoil: Callable[[Any], None], rule: str) -> None:
    answer = post(client, hook_call()).get_json()
    spoil(answer["cards"][0])
    assert [fault for fault in faults_of(answer, hook_call()) if fault.startswith(rule)]


def updates(client: FlaskClient, *orders: dict[str, Any]) -> list[dict[str, Any]]:
    """The drafts as the suggestion would write them."""
    suggestions = cards_of(client, hook_call(*orders))["what-to-expect"].get("suggestions", [])
    return [action["resource"] for suggestion in suggestions for action in suggestion["actions"]]


def test_an_update_is_the_draft_with_the_instruction_behind_what_stands_there(client: FlaskClient) -> None:
    """R-4.48: an odd or empty element of the client stays as it is."""
    draft = order(patientInstruction="Come sober.", reasonCode=[], extension=[{"url": "x", "valueDecimal": 1.5}])
    (updated,) = updates(client, draft)
    assert updated.pop("patientInstruction").startswith("Come sober.\n\nAfter your lumbar puncture")
    assert updated == {name: value for name, value in draft.items() if name != "patientInstruction"}


def test_an_update_never_changes_a_number(client: FlaskClient) -> None:
    """R-4.48: FHIR decimals keep their precision (https://hl7.org/fhir/R4/json.html#primitive)."""
    body = json.dumps(hook_call(order(quantityQuantity={"value": "@"}))).replace('"@"', "1.10")
    answer = client.post("/cds-services/lumbar-puncture-back-pain", data=body, content_type="application/json")
    assert '"value": 1.10' in answer.get_data(as_text=True).replace('"value":1.10', '"value": 1.10')


def test_only_drafts_that_lack_the_instruction_are_updated(client: FlaskClient) -> None:
    (updated,) = updates(client, order())
    assert updates(client, updated) == []
    assert [one["id"] for one in updates(client, updated, order(id="order-2"))] == ["order-2"]


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"id": None}, id="has no id"),
        pytest.param({"id": ""}, id="has an empty id"),
        pytest.param({"priority": "stat"}, id="is urgent"),
        pytest.param({"patientInstruction": {"a": 1}}, id="has an instruction of no known shape"),
    ],
)
def test_there_is_no_suggestion_for_an_order_that(client: FlaskClient, elements: dict[str, Any]) -> None:
    """R-4.26, R-4.48: nothing to update by, or nothing to update safely."""
    assert updates(client, order(**elements)) == []
    assert "selectionBehavior" not in cards_of(client, hook_call(order(**elements)))["what-to-expect"]


def test_links_are_in_the_language_of_the_patient(client: FlaskClient) -> None:
    card = cards_of(client, hook_call(prefetch=prefetch(DISC, language="es")))["confounders"]
    labels = [link["label"] for link in card["links"]]
    assert labels == [
        "MedlinePlus: Hernia de disco",
        "MedlinePlus Connect: disc displacement (in Spanish)",
        "Evidence and limits of this card",
    ]


@pytest.mark.parametrize(
    ("drafts", "named"),
    [
        pytest.param([order()], ["ServiceRequest/order-1"], id="the order by its id"),
        pytest.param([order(), order(id="b")], ["ServiceRequest/order-1", "ServiceRequest/b"], id="several orders"),
        pytest.param([order(), order(coded(SNOMED, "1", "Chest X-ray"), id="x")], ["ServiceRequest/order-1"],
                     id="not the other orders of the session"),
        pytest.param([order(id=None)], None, id="no order without an id"),
        pytest.param([order(id="a b/c")], None, id="no id that is no FHIR id"),
    ],
)  # fmt: skip
def test_a_card_names_its_orders(client: FlaskClient, drafts: list[Any], named: list[str] | None) -> None:
    card = cards_of(client, hook_call(*drafts))["what-to-expect"]
    assert card["extension"][EXTENSION].get("orders") == named


def test_a_card_on_a_work_up_names_the_work_up(client: FlaskClient) -> None:
    """And not the puncture of the same session."""
    ordered = [order(MRI, id="mri"), order(id="lp")]
    cards = cards_of(client, after_puncture(*ordered))
    assert cards["pain-after-puncture"]["extension"][EXTENSION]["orders"] == ["ServiceRequest/mri"]
    assert cards["what-to-expect"]["extension"][EXTENSION]["orders"] == ["ServiceRequest/lp"]


HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "http://evil.example and www.evil.example and a@evil.example",
    "<http://evil.example>",
    "`code` **bold** _it_ ~~gone~~ | a | b |",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "line\n\n# heading\n- list\n> quote\n1. one",
    "{not_read} {{context.patientId}} [spineinfo]",
    "\\[x\\](http://evil.example) \\<b>",
    "\u202egpj.exe\u0000\u0007",
]


LEG_NUMBNESS = coded(SNOMED, "309537005")
TOLD = [
    pytest.param("confounders", order(), STENOSIS, id="a contributor"),
    pytest.param("pain-after-puncture", order(MRI), CHRONIC["code"], id="the pain"),
    pytest.param("nerve-symptoms", order(MRI), LEG_NUMBNESS, id="a nerve symptom"),
    pytest.param("red-flags", order(MRI), coded(ICD_10_CM, "G83.4"), id="a red flag"),
]


@pytest.mark.parametrize("words", HARMFUL)
@pytest.mark.parametrize(("key", "draft", "code"), TOLD)
def test_no_words_of_the_chart_stand_on_a_card(
    client: FlaskClient, key: str, draft: Any, code: Any, words: str
) -> None:
    """R-4.32: a card names what it found in words of its own."""

    def detail(text: str, resource_id: str | None) -> str:
        told = condition(code | {"text": text}, id=resource_id, onsetDateTime="2026-11-15")
        puncture = procedure(LUMBAR_PUNCTURE, performedDateTime="2026-11-10")
        chart = prefetch(told, procedures=[] if key == "confounders" else [puncture])
        detail: str = cards_of(client, hook_call(draft, prefetch=chart))[key]["detail"]
        return detail

    assert detail(words, None) == detail("plain words", "other")
