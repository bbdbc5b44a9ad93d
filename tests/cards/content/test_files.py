"""Content files: every fault names the file and the line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cards.content.files import ContentError, parse_yaml, read_text


class Kind(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    days: int = 0


class Content(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    kinds: list[Kind] = []
    links: dict[str, Kind] = {}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        pytest.param("title: a\ntitel: b\n", 2, "unknown field", id="an unknown key at the top"),
        pytest.param("kinds: []\n", 1, "missing required field `title`", id="a missing key"),
        pytest.param("title: a\nkinds:\n  - label: b\n  - label: 7\n", 4, "Expected `str`", id="a type in a list"),
        pytest.param("title: a\nkinds:\n  - label: b\n    days: x\n", 4, "Expected `int`", id="a type in a mapping"),
        pytest.param("title: a\nlinks:\n  b: {label: c, dayz: 1}\n", 2, "unknown field", id="a key in a mapping"),
        pytest.param("title: a\ntitle: b\n", 2, "is listed twice", id="a key that is listed twice"),
        pytest.param("title: a\nkinds:\n- label: b\n  label: c\n", 4, "is listed twice", id="twice, further down"),
        pytest.param("title: [a\n", 2, "expected ',' or ']'", id="no YAML"),
        pytest.param("title: no\n", 1, "Expected `str`", id="a bare no is not a word"),
    ],
)
def test_a_fault_is_told_by_file_and_line(text: str, line: int, what: str, tmp_path: Path) -> None:
    with pytest.raises(ContentError) as fault:
        parse_yaml(tmp_path / "service.yaml", text, Content)
    assert str(fault.value).startswith(f"{tmp_path.name}/service.yaml:{line}: ")
    assert what in str(fault.value)


def test_lines_count_from_where_the_text_stands_in_its_file(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"card\.en\.md:11: "):
        parse_yaml(tmp_path / "card.en.md", "title: 7\n", Content, first_line=11)


def test_a_file_that_is_missing_or_not_utf_8_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="missing"):
        read_text(tmp_path / "absent.md")
    (tmp_path / "latin.md").write_bytes("punci\u00f3n".encode("latin-1"))
    with pytest.raises(ContentError, match="not UTF-8 at byte 5"):
        read_text(tmp_path / "latin.md")
