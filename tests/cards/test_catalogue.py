"""Topics are found in the package and by the entry points of installed distributions, loaded, checked and tested."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cards.catalogue import TopicError, TopicSource, content_files, find_topics, load_topics
from cards.checks.boundaries import find_missing_boundaries
from cards.checks.run_all import find_faults, find_slow_faults, find_stale
from cards.content.files import ContentError
from cards.vignettes.casebook import load_vignettes
from tests.content import FILES

TODAY = date(2026, 11, 30)
FIRST, SECOND = "lumbar-puncture-back-pain", "colonoscopy-preparation"


@pytest.fixture(autouse=True)
def topics_are_loaded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere each of them is loaded once (tests/content.py)."""
    monkeypatch.setattr(TopicSource, "load", TopicSource.load.__wrapped__)  # type: ignore[attr-defined]


def test_the_topics_of_the_package_are_found_by_the_names_of_their_folders() -> None:
    assert list(find_topics()) == ["lumbar_puncture"]
    assert find_topics()["lumbar_puncture"].files == FILES


@pytest.mark.usefixtures("second_topic_installed")
def test_an_installed_topic_is_found_by_its_entry_point_and_served_beside_the_first() -> None:
    assert list(find_topics()) == ["lumbar_puncture", "colonoscopy"]
    assert list(load_topics()) == [FIRST, SECOND]


@pytest.mark.usefixtures("second_topic_installed")
@pytest.mark.parametrize(
    ("names", "services"),
    [
        pytest.param(["colonoscopy"], [SECOND], id="one of two"),
        pytest.param(["colonoscopy", "lumbar_puncture"], [SECOND, FIRST], id="in the order of the names"),
        pytest.param(["colonoscopy", "colonoscopy"], [SECOND], id="a name that comes twice"),
        pytest.param([], [], id="none"),
    ],
)
def test_only_the_named_topics_are_loaded(names: list[str], services: list[str]) -> None:
    assert list(load_topics(names)) == services


def test_the_version_of_a_topic_does_not_depend_on_other_topics(second_topic_installed: Path) -> None:
    alone = load_topics(["lumbar_puncture"])[FIRST].version
    assert load_topics()[FIRST].version == alone
    assert load_topics()[SECOND].version != alone


def install(folder: Path, name: str, points: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[cds_cards.topics]\n{points}\n")


@pytest.mark.parametrize(
    ("point", "what"),
    [
        pytest.param("broken = no_such_package.topic:load", "topic broken: no_such_package.topic:load", id="no module"),
        pytest.param("broken = cards.evaluate:load", "topic broken: cards.evaluate:load", id="no load function"),
        pytest.param(
            "lumbar_puncture = cards.evaluate:load", "two topics are called lumbar_puncture", id="the name of another"
        ),
        pytest.param(
            "again = cards.topics.lumbar_puncture.topic:load",
            f"topic again: another topic has the service id {FIRST}",
            id="the service id of another",
        ),
    ],
)
def test_a_topic_that_cannot_be_served_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, what: str
) -> None:
    install(tmp_path, "broken-topic", point)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TopicError) as refused:
        load_topics()
    assert str(refused.value).startswith(what)


def test_an_unknown_name_is_refused_with_those_that_are_installed() -> None:
    with pytest.raises(ContentError, match="there is no topic 'knee'; installed are lumbar_puncture"):
        load_topics(["knee"])


@pytest.mark.usefixtures("second_topic_installed")
def test_both_topics_have_no_fault_and_every_vignette_its_cards() -> None:
    topics = load_topics(drafts=True)
    assert find_faults(topics.values(), TODAY) == []
    for topic in topics.values():
        assert find_stale(topic, TODAY) == []
        casebook = load_vignettes(topic.files.vignettes, topic.service.resource_types)
        assert find_missing_boundaries(topic, casebook.marked_boundaries()) == []
    second = topics[SECOND]
    assert find_slow_faults([second]) == []
    casebook = load_vignettes(second.files.vignettes, second.service.resource_types)
    assert [casebook.find_failures(vignette, second) for vignette in casebook.vignettes] == [[]] * 5


def test_a_topic_alone_does_not_make_the_value_sets_of_others_useless(second_topic_installed: Path) -> None:
    assert find_faults(load_topics(["colonoscopy"]).values(), TODAY) == []


def test_the_content_files_of_every_topic_are_listed_once(second_topic_installed: Path) -> None:
    paths = list(content_files())
    assert len(paths) == len(set(paths))
    assert second_topic_installed / "colonoscopy_topic" / "vignettes.yaml" in paths
    assert set(content_files(["lumbar_puncture"])) < set(paths)


def test_a_site_adds_its_codes_to_value_sets_of_any_topic(second_topic_installed: Path, tmp_path: Path) -> None:
    code = '{"system": "urn:example", "concept": [{"code": "ENDO1"}]}'
    shape = '{"resourceType": "ValueSet", "id": "%s", "version": "1", "title": "x", "date": "2026-11-22", %s}'
    (tmp_path / "colonoscopy.json").write_text(shape % ("colonoscopy", f'"compose": {{"include": [{code}]}}'))
    versions = {service: topic.version for service, topic in load_topics().items()}
    local = {service: topic.version for service, topic in load_topics(local_value_sets=tmp_path).items()}
    assert local[FIRST] == versions[FIRST]
    assert local[SECOND] != versions[SECOND]
    with pytest.raises(ContentError, match="there is no value set 'colonoscopy' to add to"):
        load_topics(["lumbar_puncture"], local_value_sets=tmp_path)
