"""How settings are documented: flags, defaults, and the table of docs/configuration.md (`make docs`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from cds_service.settings.settings import FROM_FILE, PREFIX, Settings

BEGIN, END = "<!-- made by `make docs`: begin -->\n", "<!-- made by `make docs`: end -->\n"
_WORDS = {"True": "yes", "False": "no", "None": "", "()": ""}


def with_table(document: str) -> str:
    """The document with the current table between its two marks. Raises ValueError without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document must hold the line {BEGIN!r} and, below it, {END!r}")
    return before + begin + "\n" + "".join(f"{line}\n" for line in _table()) + "\n" + end + after


def _table() -> Iterator[str]:
    yield "| variable, flag | takes | default | what it is |"
    yield "| --- | --- | --- | --- |"
    for setting in fields(Settings):
        yield f"| {' | '.join(_cells(setting))} |"


def _cells(setting: Field[Any]) -> Iterator[str]:
    variable = PREFIX + setting.name.upper()
    names = [variable, *([variable + FROM_FILE] if setting.metadata["secret"] else []), flag(setting.name)]
    yield "<br>".join(f"`{name}`" for name in names)
    yield _markdown(setting.metadata["kind"].takes)
    default = default_words(setting)
    required = "**required in production**" if setting.metadata["required"] else ""
    yield required or (f"`{default}`" if default else "none")
    yield _markdown(setting.metadata["about"]) + (". Secret." if setting.metadata["secret"] else "")


def _markdown(text: str) -> str:
    """Plain text in a cell of a table; the name of a document becomes a link."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return re.sub(r"docs/([\w-]+\.md)", r"[\1](\1)", escaped)


def default_words(setting: Field[Any]) -> str:
    """The default in the form of the variable; empty where there is none."""
    return _WORDS.get(str(setting.default), str(setting.default))


def flag(name: str) -> str:
    """The flag of `cds-service serve` for a setting."""
    return "--" + name.replace("_", "-")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text("utf-8")), "utf-8")
