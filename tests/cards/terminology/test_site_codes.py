"""A site's own codes: added to our value sets by file name, and checked as ours are (docs/site-codes.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from cards.catalogue import load_topic
from cards.content.files import ContentError
from tests.charts import CPT, SNOMED, cards_of, coded, hook_call, order, prefetch, procedure
from tests.places import FIXTURES

EXAMPLE = FIXTURES / "site_value_sets"
HOSPITAL = "urn:oid:2.999.7.1"


def write(folder: Path, name: str, *includes: Any, **elements: Any) -> Path:
    """A site's ValueSet file."""
    file = {"resourceType": "ValueSet", "id": name, "version": "7", "title": "Ours", "date": "2026-11-22"}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(file | {"compose": {"include": list(includes)}} | elements, indent=1))
    return path


def listed(system: str, *codes: str) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code} for code in codes]}


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        pytest.param(coded(HOSPITAL, "NEU-LP-01"), True, id="as the file has it"),
        pytest.param(coded("2.999.7.1", " neu-lp-02 "), True, id="a bare OID, lower case, with blanks"),
        pytest.param(coded(HOSPITAL, "NEU-LP-03"), False, id="a code the site did not list"),
        pytest.param(coded(HOSPITAL, "NEU-LP-03", "Lumbar puncture"), True, id="not listed, told by its words"),
        pytest.param(coded("urn:oid:2.999.7.2", "NEU-LP-01"), False, id="the same code of another system"),
        pytest.param(coded(SNOMED, "277762005"), True, id="our own codes still count"),
    ],
)
def test_an_order_by_a_local_code_is_ours(make_app: Callable[..., Flask], code: Any, ours: bool) -> None:
    client = make_app(value_sets_dir=EXAMPLE).test_client()
    assert ("what-to-expect" in cards_of(client, hook_call(order(code)))) is ours


def test_without_the_folder_a_local_code_means_nothing(client: Any) -> None:
    assert cards_of(client, hook_call(order(coded(HOSPITAL, "NEU-LP-01")))) == {}


def test_a_local_code_counts_in_the_chart_and_the_card_names_both_versions(make_app: Callable[..., Flask]) -> None:
    client = make_app(value_sets_dir=EXAMPLE).test_client()
    puncture = procedure(coded(HOSPITAL, "NEU-LP-01"), performedDateTime="2026-11-20")
    call = hook_call(order(coded(CPT, "72148")), prefetch=prefetch(procedures=[puncture]))
    card = cards_of(client, call)["pain-after-puncture"]
    (traced,) = card["extension"]["lumbar-puncture-back-pain"]["provenance"]
    assert (traced["system"], traced["code"]) == (HOSPITAL, "NEU-LP-01")
    assert traced["valueSetVersion"] == "2026.11.0+1"


def test_the_content_version_changes_with_a_sites_codes(tmp_path: Path) -> None:
    versions = {load_topic().version, load_topic(local_value_sets=tmp_path).version}
    assert len(versions) == 1
    write(tmp_path, "spine-imaging", listed(HOSPITAL, "MRI-L"))
    versions.add(load_topic(local_value_sets=tmp_path).version)
    write(tmp_path, "spine-imaging", listed(HOSPITAL, "MRI-L", "MRI-M"))
    versions.add(load_topic(local_value_sets=tmp_path).version)
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("name", "include", "elements", "line", "fault"),
    [
        pytest.param("lumbar-punctures", listed(HOSPITAL, "A"), {}, 1, "no value set 'lumbar-punctures'", id="unknown"),
        pytest.param("fever", listed(HOSPITAL, "A"), {"id": "x"}, 1, "id the name of the file", id="another id"),
        pytest.param("fever", listed(SNOMED, "386661007"), {}, 13, "wrong SNOMED CT check digit", id="check digit"),
        pytest.param("fever", listed(SNOMED, "386661006"), {}, 13, "in our value set already", id="ours already"),
        pytest.param("fever", {"system": HOSPITAL}, {}, 10, "known code system and codes", id="no codes"),
        pytest.param("lumbar-puncture", listed(CPT, "62273"), {}, 13, "stands in not-lumbar-puncture", id="near miss"),
        pytest.param("not-lumbar-puncture", listed(CPT, "62270"), {}, 13, "stands in lumbar-puncture", id="a puncture"),
    ],
)  # fmt: skip
def test_a_fault_names_file_and_line(
    tmp_path: Path, name: str, include: Any, elements: Any, line: int, fault: str
) -> None:
    path = write(tmp_path, name, include, **elements)
    with pytest.raises(ContentError) as caught:
        load_topic(local_value_sets=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path.name}/{path.name}:{line}: ")
    assert fault in str(caught.value)


def test_two_files_of_a_site_cannot_contradict_each_other(tmp_path: Path) -> None:
    write(tmp_path, "lumbar-puncture", listed(HOSPITAL, "A"))
    write(tmp_path, "not-lumbar-puncture", listed(HOSPITAL, "a"))
    with pytest.raises(ContentError, match="a lumbar puncture or it is none"):
        load_topic(local_value_sets=tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="missing"):
        load_topic(local_value_sets=tmp_path / "nowhere")
