"""How deep JSON nests, against a counter that goes through it character by character (design.md 6: 64 levels)."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.json_depth import is_deeper_than

_TRICKY = st.text(alphabet='[]{}"\\\n,:aé\u2028😀', max_size=12)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), _TRICKY)
_DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    _LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TRICKY, inner, max_size=4))
)


def depth_of(value: Any) -> int:
    """The depth of a decoded document."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def counted(text: str) -> int:
    """The depth of a document that has not been decoded."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif in_string:
            escaped = char == "\\"
            in_string = char != '"'
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


@given(_DOCUMENTS, st.integers(0, 20), st.sampled_from([None, 1]), st.booleans())
def test_a_document_is_deeper_than_every_limit_below_its_depth_and_no_other(
    document: Any, around: int, indent: int | None, escape: bool
) -> None:
    for _ in range(around):
        document = [document, '"]\\']
    text = json.dumps(document, indent=indent, ensure_ascii=escape)
    depth = depth_of(document)
    assert counted(text) == depth
    for limit in range(depth + 3):
        assert is_deeper_than(text.encode(), limit) == (depth > limit)


@given(st.text(alphabet='[]{}"\\,a ', max_size=60), st.integers(0, 8))
def test_what_is_no_json_gets_an_answer_too(text: str, most: int) -> None:
    assert is_deeper_than(text.encode(), most) in (True, False)


@pytest.mark.parametrize(
    ("text", "deeper"),
    [
        pytest.param("[" * 64 + "]" * 64, False, id="64 arrays are as deep as is allowed"),
        pytest.param("[" * 65 + "]" * 65, True, id="65 arrays are too deep"),
        pytest.param('{"a":' * 65 + "1" + "}" * 65, True, id="65 objects are too deep"),
        pytest.param('[{"a":' * 33 + "1" + "}]" * 33, True, id="arrays and objects count alike"),
        pytest.param("[" + "[]," * 200 + "[]]", False, id="many arrays side by side are not deep"),
        pytest.param("[" + "[[]]," * 200 + "[" * 65 + "]" * 66, True, id="one deep branch among many flat ones"),
        pytest.param('["' + "[" * 500 + '"]', False, id="brackets in a string do not count"),
        pytest.param(r'["\"' + "[" * 500 + '"]', False, id="a quote that is escaped ends no string"),
        pytest.param(r'["\\",' + "[" * 64 + "]" * 65, True, id="a backslash that is escaped escapes nothing"),
        pytest.param(
            r'["a\n",' + "[" * 64 + "]" * 65, True, id="an escape at the end of a string does not eat its end"
        ),
        pytest.param('["]]]]",' * 65 + "1" + "]" * 65, True, id="brackets in strings close nothing"),
        pytest.param("[" * 1_000_000, True, id="a million brackets that nobody closes"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_depth_at_its_limit(text: str, deeper: bool) -> None:
    assert is_deeper_than(text.encode(), 64) is deeper


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" + ("[" * 63 + "]" * 63 + ",") * 8_000 + "1]", id="towers as high as is allowed, side by side"),
        pytest.param("[" + '"[",' * 250_000 + "1]", id="a string with a bracket, over and over"),
        pytest.param('["' + r"\\\"" * 250_000 + '"]', id="escapes only"),
        pytest.param("[{}," * 64 + "{}," * 300_000 + "1" + "]" * 64, id="a flat level at the bottom of a deep one"),
    ],
)
def test_no_document_of_a_megabyte_is_beyond_reach(text: str) -> None:
    """Without recursion of its own: a thread with the smallest stack answers."""
    found: list[bool] = []
    before = threading.stack_size(256 * 1024)
    try:
        one = threading.Thread(target=lambda: found.append(is_deeper_than(text.encode(), 64)))
        one.start()
    finally:
        threading.stack_size(before)
    one.join()
    assert found == [counted(text) > 64]
