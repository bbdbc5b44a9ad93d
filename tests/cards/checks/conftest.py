"""The content, to be damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cards.checks.damaged_content import copy_topic


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A copy of the real content."""
    return copy_topic(tmp_path)
