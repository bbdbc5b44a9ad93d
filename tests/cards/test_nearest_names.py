"""What is suggested for an unknown name."""

from __future__ import annotations

import pytest

from cards.nearest_names import did_you_mean, nearest_names

KNOWN = ["CDS_PORT", "CDS_PROFILE", "CDS_PUBLIC_URL", "red-flags", "red-flag-actions"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("CDS_PRT", "; did you mean CDS_PORT or CDS_PROFILE?", id="a letter is missing"),
        pytest.param("cds_public_uri", "; did you mean CDS_PUBLIC_URL?", id="other capitals"),
        pytest.param("red-flag", "; did you mean red-flags or red-flag-actions?", id="two are near, the nearer first"),
        pytest.param("colonoscopy", "", id="none is near"),
        pytest.param("", "", id="no name"),
    ],
)
def test_the_end_of_a_message_names_what_may_be_meant(name: str, words: str) -> None:
    assert did_you_mean(name, KNOWN) == words


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert nearest_names("red-flags", ()) == []
