"""How long cards are: words are counted as a reader sees them, and no vignette gives a card that is too long."""

from __future__ import annotations

import pytest

from cards.checks.card_length import MOST_WORDS, MOST_WORDS_BEFORE_SOURCES, count_card_words, count_words
from cards.topic import Topic
from tests.content import casebook

MOST_ACTIONS = 3  # design.md 5.7; red flags add the line on what to ask


@pytest.mark.parametrize(
    ("markdown", "words"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("- Ask about fever; post-void residual.", 5, id="a bullet is no word, a hyphen joins"),
        pytest.param("**In this chart**", 3, id="bold words"),
        pytest.param("A ([evidence and limits](https://x.example/evidence/a b))", 4, id="the address of a link"),
        pytest.param("1 in 6 (over 3 months)", 6, id="numbers"),
    ],
)
def test_words_are_counted_as_they_are_seen(markdown: str, words: int) -> None:
    assert count_words(markdown) == words


def test_no_card_of_a_vignette_takes_longer_than_eleven_seconds_to_act_on(topic: Topic) -> None:
    """design.md 5.7: 60 words before the sources and 90 in all, findings not counted; actions first."""
    heading = topic.phrases.in_this_chart
    for vignette in casebook().vignettes:
        for card in casebook().run(vignette, topic).cards:
            before, in_all = count_card_words(card, heading)
            assert before <= MOST_WORDS_BEFORE_SOURCES, (vignette.name, card.detail)
            assert in_all <= MOST_WORDS, (vignette.name, card.detail, card.sources)
            actions, _, rest = card.detail.partition("\n\n")
            lines = actions.split("\n")
            assert len(lines) <= MOST_ACTIONS + (card.key == "red-flags"), (vignette.name, card.detail)
            assert all(line.startswith("- ") for line in lines)
            assert rest == "" or rest.startswith((f"**{heading}**", "Not checked: "))
