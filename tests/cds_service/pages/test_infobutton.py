"""GET /infobutton, asked as clinical.md 3.1 and 3.2 show it, and as EHRs and people may ask it wrongly."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

ICD_10_CM, SNOMED_CT, ICD_9_CM = "2.16.840.1.113883.6.90", "2.16.840.1.113883.6.96", "2.16.840.1.113883.6.103"
CPT, LOINC = "2.16.840.1.113883.6.12", "2.16.840.1.113883.6.1"
ATOM = "{http://www.w3.org/2005/Atom}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
LP, AFTER = "lumbar-puncture", "back-pain-after-lumbar-puncture"
JSON = {"knowledgeResponseType": "application/json"}
HTML = {"knowledgeResponseType": "text/html"}

STENOSIS_IN_SPANISH = {  # the example of clinical.md 3.1
    "mainSearchCriteria.v.cs": ICD_10_CM,
    "mainSearchCriteria.v.c": "M48.061",
    "mainSearchCriteria.v.dn": "Spinal stenosis, lumbar",
    "informationRecipient.languageCode.c": "es",
}
PROBLEM_LIST_OF_A_CLINICIAN = {  # the parameters of clinical.md 3.2, around a code
    "representedOrganization.id.root": "1.3.6.1.4.1.3768",
    "patientPerson.administrativeGenderCode.c": "F",
    "age.v.v": "77",
    "age.v.u": "a",
    "mainSearchCriteria.v.c": "277762005",
    "mainSearchCriteria.v.cs": SNOMED_CT,
    "mainSearchCriteria.v.dn": "Lumbar puncture",
    "performer": "PROV",
    "taskContext.c.c": "PROBLISTREV",
    "informationRecipient": "PROV",
    "encounter.c.c": "AMB",
    "knowledgeResponseType": "text/xml",
}


def criteria(code: str, system: str, **more: str) -> dict[str, str]:
    return {"mainSearchCriteria.v.c": code, "mainSearchCriteria.v.cs": system} | more


def ask(client: FlaskClient, parameters: dict[str, str], **headers: str) -> TestResponse:
    return client.get("/infobutton", query_string=parameters, headers=headers)


def feed_of(response: TestResponse) -> Element:
    assert response.status_code == 200, response.get_data(as_text=True)
    return fromstring(response.data, forbid_dtd=True)


def pages_of(feed: Element) -> list[str]:
    """The last step of the address of each entry."""
    links = [entry.find(f"{ATOM}link") for entry in feed.findall(f"{ATOM}entry")]
    return [link.attrib["href"].rpartition("/")[2] for link in links if link is not None]


def subtitle_of(feed: Element) -> str:
    return feed.findtext(f"{ATOM}subtitle") or ""


@pytest.fixture
def with_drafts(make_app: Callable[..., Flask]) -> FlaskClient:
    """A site that also serves the Spanish pages, which await their translator."""
    return make_app(draft_translations=True).test_client()


def test_the_example_of_medlineplus_connect(with_drafts: FlaskClient) -> None:
    response = ask(with_drafts, STENOSIS_IN_SPANISH)
    feed = feed_of(response)
    (entry,) = feed.findall(f"{ATOM}entry")
    assert response.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert (feed.attrib[LANG], entry.attrib[LANG], response.headers["Content-Language"]) == ("es", "es", "es")
    assert entry.findtext(f"{ATOM}title") == "Dolor de espalda después de una punción lumbar (punción espinal)"
    assert pages_of(feed) == [f"{AFTER}?lang=es"]
    assert subtitle_of(feed) == "1 page was found."


def test_the_same_where_there_is_no_spanish_page_says_that_it_is_in_english(client: FlaskClient) -> None:
    response = ask(client, STENOSIS_IN_SPANISH)
    feed = feed_of(response)
    assert (feed.attrib[LANG], response.headers["Content-Language"], pages_of(feed)) == ("en", "en", [AFTER])
    assert subtitle_of(feed) == "1 page was found, in English where there is none in the language asked for (es)."


def test_the_example_of_the_hl7_standard(client: FlaskClient) -> None:
    response = ask(client, PROBLEM_LIST_OF_A_CLINICIAN)
    feed = feed_of(response)
    context = {(node.attrib["scheme"], node.attrib["term"]) for node in feed.findall(f"{ATOM}category")}
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert pages_of(feed) == ["what-to-expect", "confounders"]
    assert context == {
        ("informationRecipient", "PROV"),
        ("informationRecipient.languageCode.c", "en"),
        ("mainSearchCriteria.v.c", "277762005"),
        ("mainSearchCriteria.v.cs", SNOMED_CT),
    }


def test_the_feed_is_a_whole_atom_feed(client: FlaskClient) -> None:
    """RFC 4287, 4.1.1 and 4.1.2: what a feed and an entry must have."""
    feed = feed_of(ask(client, criteria("62270", CPT)))
    (entry,) = feed.findall(f"{ATOM}entry")
    for element in (feed, entry):
        for name in ("id", "title", "updated"):
            (member,) = element.findall(f"{ATOM}{name}")
            assert member.text
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    assert entry.findtext(f"{ATOM}summary")


def test_json_has_the_members_that_clients_of_medlineplus_connect_read(client: FlaskClient) -> None:
    response = ask(client, criteria("62270", CPT) | JSON)
    feed = response.get_json()["feed"]
    (entry,) = feed["entry"]
    assert response.mimetype == "application/json"
    assert entry["title"]["_value"] == "Your lumbar puncture (spinal tap)"
    assert entry["link"][0]["href"] == f"http://127.0.0.1:8080/education/{LP}"
    assert entry["summary"]["_value"].startswith("For people who have a lumbar puncture")
    assert (feed["lang"], entry["lang"], feed["subtitle"]["_value"]) == ("en", "en", "1 page was found.")


@pytest.mark.parametrize(
    ("code", "system", "pages"),
    [
        pytest.param("277762005", SNOMED_CT, [LP], id="SNOMED CT by OID"),
        pytest.param("277762005", f"urn:oid:{SNOMED_CT}", [LP], id="SNOMED CT by urn:oid"),
        pytest.param("277762005", "http://snomed.info/sct", [LP], id="SNOMED CT by URI"),
        pytest.param("62270", CPT, [LP], id="CPT"),
        pytest.param("03.31", ICD_9_CM, [LP], id="ICD-9-CM"),
        pytest.param("24973-0", LOINC, [LP], id="LOINC"),
        pytest.param("M54.50", ICD_10_CM, [AFTER], id="ICD-10-CM, low back pain"),
        pytest.param("m5450", ICD_10_CM, [AFTER], id="ICD-10-CM without its dot, in lower case"),
        pytest.param("G97.1", ICD_10_CM, [LP], id="a reaction to lumbar puncture"),
        pytest.param("H53.2", ICD_10_CM, [LP], id="double vision"),
        pytest.param("195967001", SNOMED_CT, [], id="asthma"),
        pytest.param("no such code", ICD_10_CM, [], id="no code of its system"),
    ],
)
def test_codes_find_their_pages(client: FlaskClient, code: str, system: str, pages: list[str]) -> None:
    assert pages_of(feed_of(ask(client, criteria(code, system)))) == pages


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(criteria("E11.9", ICD_10_CM), id="a code of something else"),
        pytest.param(criteria("1", "1.2.3.4"), id="a code system nobody knows"),
        pytest.param({"mainSearchCriteria.v.dn": "Asthma"}, id="words about something else"),
    ],
)
def test_what_no_page_covers_is_an_empty_feed_that_says_so(client: FlaskClient, parameters: dict[str, str]) -> None:
    feed = feed_of(ask(client, parameters))
    assert pages_of(feed) == []
    assert subtitle_of(feed).startswith("No page")
    assert subtitle_of(feed).endswith("are about: Lumbar puncture and back pain.")
    assert ask(client, parameters | JSON).get_json()["feed"]["entry"] == []
    html = ask(client, parameters | HTML)
    assert (html.status_code, "No page" in html.get_data(as_text=True)) == (200, True)


def test_an_unknown_code_system_is_named_as_the_reason(client: FlaskClient) -> None:
    assert "does not know the code system" in subtitle_of(feed_of(ask(client, criteria("277762005", "SNOMED"))))


def test_several_criteria_find_each_page_once_the_certain_one_first(client: FlaskClient) -> None:
    parameters = {
        "mainSearchCriteria.v.c0": "M54.50", "mainSearchCriteria.v.cs0": ICD_10_CM,
        "mainSearchCriteria.v.c1": "M48.061", "mainSearchCriteria.v.cs1": ICD_10_CM,
        "mainSearchCriteria.v.c2": "62270", "mainSearchCriteria.v.cs2": CPT,
    }  # fmt: skip
    assert pages_of(feed_of(ask(client, parameters))) == [LP, AFTER]


@pytest.mark.parametrize("member", ["dn", "ot"])
def test_words_find_a_page_where_there_is_no_code(client: FlaskClient, member: str) -> None:
    assert pages_of(feed_of(ask(client, {f"mainSearchCriteria.v.{member}": "Lumbar puncture"}))) == [LP]


def test_words_that_deny_find_nothing(client: FlaskClient) -> None:
    assert pages_of(feed_of(ask(client, {"mainSearchCriteria.v.ot": "no back pain"}))) == []


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        pytest.param("es-MX", "es", id="a region"),
        pytest.param("es_US", "es", id="an underscore"),
        pytest.param("sp", "es", id="MedlinePlus's own code"),
        pytest.param("spa", "es", id="three letters"),
        pytest.param("ES", "es", id="capitals"),
        pytest.param("vi", "en", id="a language without a page"),
        pytest.param("Spanish!", "en", id="no code of a language"),
        pytest.param("", "en", id="nothing"),
    ],
)
def test_the_nearest_language(with_drafts: FlaskClient, language: str, shown: str) -> None:
    response = ask(with_drafts, criteria("62270", CPT) | {"informationRecipient.languageCode.c": language})
    assert response.headers["Content-Language"] == shown


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        pytest.param("*/*", "application/atom+xml", id="anything"),
        pytest.param("application/json", "application/json", id="JSON"),
        pytest.param("image/png", "application/atom+xml", id="what we do not have"),
    ],
)
def test_without_a_response_type_the_accept_header_decides(client: FlaskClient, accept: str, media_type: str) -> None:
    response = ask(client, criteria("62270", CPT), Accept=accept)
    assert (response.status_code, response.mimetype, response.headers["Vary"]) == (200, media_type, "Accept")


def test_a_browser_is_led_to_the_page(client: FlaskClient) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = ask(client, criteria("62270", CPT), Accept=accept)
    assert (response.status_code, response.headers["Location"]) == (302, f"http://127.0.0.1:8080/education/{LP}")
    assert client.get(response.headers["Location"]).status_code == 200


def test_one_page_that_is_certain_and_related_is_certain(client: FlaskClient) -> None:
    double_vision = {"mainSearchCriteria.v.c1": "H53.2", "mainSearchCriteria.v.cs1": ICD_10_CM}
    assert ask(client, criteria("62270", CPT) | double_vision | HTML).status_code == 302


@pytest.mark.parametrize(
    ("code", "system", "status"),
    [
        pytest.param("G97.1", ICD_10_CM, 302, id="a reaction to lumbar puncture leads to the page"),
        pytest.param("G97.0", ICD_10_CM, 302, id="a leak from a spinal puncture leads to the page"),
        pytest.param("349.0", ICD_9_CM, 302, id="a reaction in ICD-9-CM leads to the page"),
        pytest.param("398987004", SNOMED_CT, 302, id="headache following lumbar puncture leads to the page"),
        pytest.param("H53.2", ICD_10_CM, 200, id="double vision shows the title"),
        pytest.param("G96.81", ICD_10_CM, 200, id="low pressure in the head shows the title"),
        pytest.param("445511002", SNOMED_CT, 200, id="orthostatic headache shows the title"),
    ],
)
def test_only_codes_that_name_the_puncture_open_its_page(
    client: FlaskClient, code: str, system: str, status: int
) -> None:
    assert ask(client, criteria(code, system) | HTML).status_code == status


def test_evidence_is_in_english_and_says_so(client: FlaskClient) -> None:
    parameters = STENOSIS_IN_SPANISH | {"informationRecipient": "PROV"}
    assert subtitle_of(feed_of(ask(client, parameters))).endswith("in the language asked for (es).")


def test_a_person_who_may_not_have_had_the_procedure_sees_the_title_first(client: FlaskClient) -> None:
    """Low back pain says nothing of a lumbar puncture; the page begins "You had a lumbar puncture some time ago"."""
    response = ask(client, criteria("M54.50", ICD_10_CM) | HTML)
    html = response.get_data(as_text=True)
    assert response.status_code == 200
    assert f'href="http://127.0.0.1:8080/education/{AFTER}"' in html
    assert "For people whose back hurts some time after a lumbar puncture" in html


def test_several_pages_are_a_list_for_people(client: FlaskClient) -> None:
    html = ask(client, criteria("62270", CPT) | HTML | {"informationRecipient": "PROV"}).get_data(as_text=True)
    assert html.count("/evidence/lumbar-puncture-back-pain/") == 2


def test_every_page_that_is_named_is_there(client: FlaskClient) -> None:
    for recipient in ("PAT", "PROV"):
        for code, system in (("62270", CPT), ("M54.50", ICD_10_CM), ("M48.061", ICD_10_CM), ("G97.1", ICD_10_CM)):
            feed = feed_of(ask(client, criteria(code, system) | {"informationRecipient": recipient}))
            for entry in feed.findall(f"{ATOM}entry"):
                assert client.get(entry.findtext(f"{ATOM}id")).status_code == 200


BAD = [
    pytest.param({}, "mainSearchCriteria is missing", id="nothing"),
    pytest.param({"mainSearchCriteria.v.c": "62270"}, "mainSearchCriteria.v.cs is missing", id="no code system"),
    pytest.param({"mainSearchCriteria.v.cs": CPT}, "mainSearchCriteria.v.c is missing", id="no code"),
    pytest.param(criteria("62270", CPT) | {"informationRecipient": "DOCTOR"}, "must be PAT", id="a recipient"),
    pytest.param(criteria("6" * 101, CPT), "v.c is longer than 100 characters", id="a long code"),
    pytest.param({"mainSearchCriteria.v.ot": "x" * 501}, "v.ot is longer than 500 characters", id="long words"),
    pytest.param({f"mainSearchCriteria.v.dn{n}": "Asthma" for n in range(11)}, "more than 10", id="many criteria"),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "what"), BAD)
def test_bad_parameters_are_400_in_the_format_asked_for(
    client: FlaskClient, parameters: dict[str, str], what: str
) -> None:
    atom, as_json, html = (ask(client, parameters | more) for more in ({}, JSON, HTML))
    for response in (atom, as_json, html):
        assert (response.status_code, response.headers["Cache-Control"]) == (400, "no-store")
    assert what in subtitle_of(fromstring(atom.data, forbid_dtd=True))
    assert what in as_json.get_json()["feed"]["subtitle"]["_value"]
    assert (html.mimetype, what in html.get_data(as_text=True)) == ("text/html", True)


@pytest.mark.parametrize(
    ("media_type", "what"),
    [
        pytest.param("application/pdf", "must be one of application/atom+xml", id="a type we do not have"),
        pytest.param("application/javascript", "send knowledgeResponseType=application/json", id="JSONP"),
    ],
)
def test_a_response_type_that_is_not_served_is_400_in_what_the_client_accepts(
    client: FlaskClient, media_type: str, what: str
) -> None:
    parameters = criteria("62270", CPT) | {"knowledgeResponseType": media_type}
    response = ask(client, parameters, Accept="application/json")
    assert response.status_code == 400
    assert what in response.get_json()["feed"]["subtitle"]["_value"]


def test_the_same_parameter_twice_is_400(client: FlaskClient) -> None:
    twice = "mainSearchCriteria.v.c=62270&mainSearchCriteria.v.c=62272&mainSearchCriteria.v.cs=" + CPT
    response = client.get(f"/infobutton?{twice}")
    assert (response.status_code, b"number further criteria" in response.data) == (400, True)


ODD = "Zx9\x00\x0b<script>alert(1)</script>&\ufffe"


@pytest.mark.parametrize("name", ["c", "cs", "dn", "ot"])
def test_odd_characters_come_back_in_no_answer_and_break_none(client: FlaskClient, name: str) -> None:
    parameters = criteria("62270", CPT) | {f"mainSearchCriteria.v.{name}": ODD}
    for more in ({}, JSON, HTML):
        response = ask(client, parameters | more)
        assert response.status_code in (200, 302)
        assert b"<script" not in response.data
    fromstring(ask(client, parameters).data, forbid_dtd=True)


def test_nothing_that_was_sent_is_logged(
    client: FlaskClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        for parameters in (PROBLEM_LIST_OF_A_CLINICIAN, STENOSIS_IN_SPANISH, {"age.v.v": "77"}):
            ask(client, parameters)
    assert (events, caplog.records, capfd.readouterr()) == ([], [], ("", ""))


def test_what_an_ehr_says_of_the_patient_changes_nothing_and_is_not_repeated(client: FlaskClient) -> None:
    without = ask(client, criteria("62270", CPT))
    of_patient = {"age.v.v": "8", "age.v.u": "a", "patientPerson.administrativeGenderCode.c": "F", "patientId": "pat-1"}
    assert ask(client, criteria("62270", CPT) | of_patient).data == without.data


def test_an_answer_may_be_kept_and_asked_for_again(client: FlaskClient) -> None:
    response = ask(client, criteria("62270", CPT))
    assert response.headers["Cache-Control"] == "public, max-age=600"
    again = ask(client, criteria("62270", CPT), **{"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_every_web_page_may_read_it_and_no_cookie_is_set(client: FlaskClient) -> None:
    response = ask(client, criteria("62270", CPT), Origin="https://portal.example.org")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in response.headers


def test_production_answers_without_a_token_with_its_public_address(make_app: Callable[..., Flask]) -> None:
    production = make_app(profile="production", public_url="https://cds.example.org").test_client()
    feed = feed_of(ask(production, criteria("62270", CPT)))
    link = feed.find(f"{ATOM}entry/{ATOM}link")
    assert link is not None
    assert link.attrib["href"] == f"https://cds.example.org/education/{LP}"


def test_a_second_topic_answers_for_its_own_codes(
    second_topic_installed: object, make_app: Callable[..., Flask]
) -> None:
    client = make_app().test_client()
    assert pages_of(feed_of(ask(client, criteria("45378", CPT)))) == ["colonoscopy"]
    assert pages_of(feed_of(ask(client, criteria("62270", CPT)))) == [LP]
    nothing: Any = json.loads(ask(client, criteria("E11.9", ICD_10_CM) | JSON).data)
    assert "Lumbar puncture and back pain; Colonoscopy" in nothing["feed"]["subtitle"]["_value"]
