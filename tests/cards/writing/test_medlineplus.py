"""Links to MedlinePlus Connect: the code of the problem and the language, and nothing else of the patient."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from cards.card import Link
from cards.terminology.match import Match
from cards.writing.medlineplus import connect_links
from tests.charts import ICD_10_CM, cards_of, coded, condition, hook_call, prefetch

APPLICATION = "https://connect.medlineplus.gov/application"
STENOSIS = coded(ICD_10_CM, "M48.061", "Spinal stenosis, lumbar region")


def url(code: str, oid: str, language: str) -> str:
    return (
        f"{APPLICATION}?mainSearchCriteria.v.c={code}&mainSearchCriteria.v.cs={oid}"
        f"&informationRecipient.languageCode.c={language}"
    )


@pytest.mark.parametrize(
    ("system", "code", "language", "expected"),
    [
        pytest.param("ICD-10-CM", "M48.061", "en", url("M48.061", "2.16.840.1.113883.6.90", "en"), id="ICD-10-CM"),
        pytest.param("SNOMED CT", "76107001", "es", url("76107001", "2.16.840.1.113883.6.96", "es"), id="in Spanish"),
        pytest.param("ICD-10-CM", "M48.061", "fr", url("M48.061", "2.16.840.1.113883.6.90", "en"), id="no French"),
        pytest.param("ICD-9-CM", "724.02", "en", None, id="another code system"),
        pytest.param("ICD-10-CM", "M48&x=1", "en", None, id="a code that would change the URL"),
        pytest.param(None, None, "en", None, id="a problem known by words"),
    ],
)
def test_a_link(system: str | None, code: str | None, language: str, expected: str | None) -> None:
    links = connect_links([("spinal stenosis", Match("spinal-stenosis", system, code))], language)
    assert [link.url for link in links] == ([expected] if expected else [])
    assert all(isinstance(link, Link) and "spinal stenosis" in link.label for link in links)


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_card_links_by_code_beside_the_topic_page(client: FlaskClient, language: str) -> None:
    call = hook_call(prefetch=prefetch(condition(STENOSIS), language=language))
    urls = [link["url"] for link in cards_of(client, call)["confounders"]["links"]]
    assert url("M48.061", "2.16.840.1.113883.6.90", language) in urls
    assert any(address.startswith("https://medlineplus.gov/") for address in urls)


def test_no_more_than_a_summary_names(client: FlaskClient) -> None:
    codes = [("M48.061", "Stenosis"), ("M43.16", "Spondylolisthesis"), ("M51.26", "Disc"), ("M41.9", "Scoliosis")]
    conditions = [condition(coded(ICD_10_CM, code, name), id=f"c{place}") for place, (code, name) in enumerate(codes)]
    links = cards_of(client, hook_call(prefetch=prefetch(*conditions)))["confounders"]["links"]
    assert sum(link["url"].startswith(APPLICATION) for link in links) == 2
