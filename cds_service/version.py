"""The name and the version of this program, as pip knows them."""

from __future__ import annotations

from importlib.metadata import version

PROJECT = "lumbar-puncture-back-pain"


def program_version() -> str:
    """The installed version, such as "0.1.0"."""
    return version(PROJECT)
