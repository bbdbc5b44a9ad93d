"""Where the FHIR reader goes, and what it takes along: only the base it was given, only this call's token (R-2.26, R-2.27)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
