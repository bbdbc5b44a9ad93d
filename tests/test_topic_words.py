"""No module outside the folder of a topic knows the topic: it uses none of the words that the topic calls its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cards.catalogue import load_topics
from tests.places import INSTALLED, ROOT

TOPICS = ROOT / "cards" / "topics"
CONTENT = {"value_sets", "lexicon"}  # what topics share: codes and words
CHARTS = ROOT / "bench" / "bulk_export"  # generates the charts of a topic
SUFFIXES = {".py", ".html", ".js", ".css", ".yaml", ".toml"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")  # of an identifier, a string, a comment or a docstring

# Where such a word may stand, and why.
EXCEPTIONS = {
    "cds_service/version.py": "the name of the package",
    "cards/checks/us_english.yaml": "phrases that no content may use",
    "cards/terminology/icd_10.py": "what the codes mean that one edition of ICD-10 moved",
    "cards/terminology/value_set.py": "the identifier that our value set files have used since the first version",
}


def own_words() -> frozenset[str]:
    return frozenset().union(*(topic.own_words for topic in load_topics().values()))


def generic_modules(package: str) -> list[Path]:
    files = (path for path in (ROOT / package).rglob("*") if path.suffix in SUFFIXES)
    own = {TOPICS, CHARTS, INSTALLED}
    return sorted(path for path in files if own.isdisjoint(path.parents) and not CONTENT.intersection(path.parts))


def words_in(text: str, own: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Each of these words in a text, with its line; identifiers are split at underscores and capitals."""
    for number, line in enumerate(text.split("\n"), start=1):
        words = [word.lower() for word in _WORD.findall(line)]
        joined = f" {' '.join(words)} "
        yield from ((number, word) for word in sorted(own) if f" {word} " in joined)


def findings(package: str) -> list[str]:
    """`file:line: word` for every word of a topic in a generic module of this package."""
    own = own_words()
    return [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in generic_modules(package)
        if str(path.relative_to(ROOT)) not in EXCEPTIONS
        for line, word in words_in(path.read_text(encoding="utf-8"), own)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("def find_lumbar_punctures() -> None:", ["lumbar", "punctures"], id="an identifier"),
        pytest.param("class RedFlagKind:", ["red flag"], id="a class"),
        pytest.param('"""Whether the Pain lasts."""', ["pain"], id="a docstring"),
        pytest.param("NERVE_SYMPTOM = 1  # nothing", ["nerve"], id="a constant"),
        pytest.param('key = "red-flags"', ["red flags"], id="a string"),
        pytest.param("painted = spinach  # flag it, redder", [], id="other words"),
    ],
)
def test_a_word_of_a_topic_is_seen_wherever_it_stands(text: str, expected: list[str]) -> None:
    assert [word for _, word in words_in(text, own_words())] == expected


@pytest.mark.parametrize("package", ["cards", "cds_service", "bench", "deploy"])
def test_no_generic_module_uses_a_word_of_a_topic(package: str) -> None:
    assert findings(package) == []


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_needed(name: str) -> None:
    assert list(words_in((ROOT / name).read_text(encoding="utf-8"), own_words()))
