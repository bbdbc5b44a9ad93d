"""Where the tests find things."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
SHARED_DATA = ROOT.parent / "shared" / "data"
SECOND_TOPIC = ROOT / "tests" / "second_topic"  # on `sys.path`, an installed distribution with a topic
