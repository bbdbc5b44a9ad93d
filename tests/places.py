"""Where the tests find things."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
SHARED_DATA = ROOT.parent / "shared" / "data"
INSTALLED = ROOT / "bench" / ".environments"  # other software, once `make bench` has run
SECOND_TOPIC = ROOT / "tests" / "second_topic"  # on `sys.path`, an installed distribution with a topic
