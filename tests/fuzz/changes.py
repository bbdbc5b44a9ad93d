"""Real calls with parts of their JSON swapped, lost, doubled or retyped, with bytes flipped, or sent oddly."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from hypothesis import strategies as st

from tests.charts import LUMBAR_PUNCTURE, SERVICE
from tests.fake_fhir_server import BASE
from tests.fuzz import odd
from tests.fuzz.calls import CALLS, CHARTS, MRI, MadeUpCall, Original, Place, call_about

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

_SPREAD = 2_654_435_761  # hypothesis likes small numbers; this makes a place anywhere in a text of each
_texts = st.text(max_size=30)
_names = st.sampled_from(odd.NAMES) | _texts
_values = st.one_of(
    st.sampled_from(odd.VALUES),
    _texts,
    st.integers(),
    st.floats(),
    st.dictionaries(_names, st.sampled_from(odd.VALUES), max_size=3),
    st.lists(st.sampled_from(odd.VALUES), max_size=3),
)
_calls, _charts = st.sampled_from(CALLS), st.sampled_from(CHARTS)
_latin_1 = st.text(st.characters(max_codepoint=255), max_size=20)
_header_texts = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
_header_values = {name: st.sampled_from(values) | _header_texts for name, values in odd.HEADERS.items()}
_header_names = st.lists(st.sampled_from(sorted(odd.HEADERS)), max_size=4, unique=True)
_content_types = st.just("application/json") | st.sampled_from(odd.CONTENT_TYPES) | _header_texts
_queries = st.sampled_from(odd.QUERIES) | _latin_1.map(quote)
_paths = st.sampled_from(odd.PATHS) | st.tuples(st.sampled_from(odd.FOLDERS), _latin_1).map("".join)
_targets = st.sampled_from(odd.TARGETS) | st.tuples(st.sampled_from(odd.METHODS), _paths)


@st.composite
def changed_calls(draw: Draw) -> MadeUpCall:
    """A real call with up to four changes of its JSON."""
    call = draw(_calls)
    return MadeUpCall(odd.to_bytes(_changed(draw, call, CALLS)), call.path)


@st.composite
def changed_answers(draw: Draw) -> MadeUpCall:
    """A good call without prefetch, whose FHIR server gives a chart with up to four changes of its JSON."""
    chart = draw(_charts)
    patient_id = chart.document["patient"]["id"]
    addresses = {
        "patient": f"Patient/{patient_id}",
        "conditions": f"Condition?patient={patient_id}&_count=500",
        "procedures": f"Procedure?patient={patient_id}&_count=500",
    }
    changed = _changed(draw, chart, CHARTS)
    given = changed if isinstance(changed, dict) else dict.fromkeys(addresses, changed)
    answers = {addresses[key]: odd.to_bytes(given[key]) for key in addresses if key in given}
    code = draw(st.sampled_from([LUMBAR_PUNCTURE, MRI]))
    call = call_about(patient_id, code, prefetch=None, fhirServer=BASE)
    return MadeUpCall(odd.to_bytes(call), answers=answers)


@st.composite
def damaged_calls(draw: Draw) -> MadeUpCall:
    """A real call with one or two damages to its bytes."""
    call = draw(_calls)
    text = call.text
    for _ in range(draw(st.integers(1, 2))):
        text = _damaged(draw, text)
    return MadeUpCall(text, call.path)


@st.composite
def odd_requests(draw: Draw) -> MadeUpCall:
    """Any method, path, query and headers, around a real body or none."""
    call = draw(_calls)
    method, path = draw(_targets)
    headers = {"Content-Type": draw(_content_types)}
    for name in draw(_header_names):
        headers[name] = draw(_header_values[name])
    return MadeUpCall(
        body=_pick(draw, [b"", b"{}", b"a=b", b"\xff", call.text]),
        path=call.path if path == SERVICE else path,
        method=method,
        query=draw(_queries),
        headers=tuple(headers.items()),
    )


def _changed(draw: Draw, original: Original, donors: list[Original]) -> Any:
    document = original.document
    for _ in range(draw(st.integers(1, 4))):
        try:
            document = _change(draw, document, original.places, donors)
        except (LookupError, TypeError, AttributeError):  # an earlier change took the place away
            continue
    return document


def _change(draw: Draw, document: Any, places: list[Place], donors: list[Original]) -> Any:
    """The document with one thing changed. Raises LookupError, TypeError or AttributeError: there is no such place."""
    place = _pick(draw, places)
    old = value_at(document, place)
    match draw(st.sampled_from(["value", "remove", "double", "rename", "swap", "graft", "retype", "nest"])):
        case "remove" if place:
            return _replaced(document, place, _remove)
        case "double" if place:
            times, name = draw(st.sampled_from([1, 2, 30, 300])), draw(_names)
            return _replaced(document, place, lambda container, key: _double(container, key, times, name))
        case "rename" if place:
            name = draw(_names)
            return _replaced(document, place, lambda container, key: _put(_remove(container, key), name, old))
        case "swap":
            other = _pick(draw, places)
            new = value_at(document, other)
            if other[: len(place)] != place != () and place[: len(other)] != other != ():
                document = _put_at(document, other, old)
        case "graft":
            donor = _pick(draw, donors)
            new = value_at(donor.document, _pick(draw, donor.places))
        case "nest":
            new = old
            for wrap in draw(st.lists(st.booleans(), min_size=1, max_size=8)) * draw(st.sampled_from([1, 10])):
                new = [new] if wrap else {"resource": new}
        case "value":
            new = draw(_values)
        case _:
            new = _retyped(old, draw(st.sampled_from(["list", "object", "items", "text"])))
    return _put_at(document, place, new)


def _pick(draw: Draw, those: Sequence[T]) -> T:
    """One of those. `sampled_from` would look at all of them first, and a chart has thousands of places."""
    return those[draw(st.integers(0, len(those) - 1))]


def value_at(document: Any, place: Place) -> Any:
    """The value at a place. Raises LookupError or TypeError where there is no such place."""
    for key in place:
        document = document[key]
    return document


def _replaced(document: Any, place: Place, change: Callable[[Any, Any], Any]) -> Any:
    """The document, its containers on the way to the place copied, the last of them by `change(copy, last key)`."""
    key, *rest = place
    if not rest:
        return change(document.copy(), key)
    return _put(document.copy(), key, _replaced(document[key], tuple(rest), change))


def _put_at(document: Any, place: Place, value: Any) -> Any:
    return _replaced(document, place, lambda container, key: _put(container, key, value)) if place else value


def _put(container: Any, key: Any, value: Any) -> Any:
    container[key] = value
    return container


def _remove(container: Any, key: Any) -> Any:
    del container[key]
    return container


def _double(container: Any, key: Any, times: int, name: str) -> Any:
    if isinstance(container, list):
        container[key:key] = [container[key]] * times
        return container
    return _put(container, name, container[key])


def _retyped(value: Any, to: str) -> Any:
    """The value as another type of JSON that holds the same words."""
    if to == "items" and isinstance(value, dict):
        return list(value.values())
    if to == "items" and isinstance(value, list):
        return {str(index): one for index, one in enumerate(value)}
    if to == "text":
        return value if isinstance(value, str) else json.dumps(value)[:2_000]
    return {"value": value} if to == "object" else [value]


def _damaged(draw: Draw, text: bytes) -> bytes:
    """The text with one damage of the kind that lines, disks and wrong programs do."""
    at = draw(st.integers(0, 2**31)) * _SPREAD % max(len(text), 1)
    match draw(st.sampled_from(["flip"] * 6 + ["insert", "cut", "double", "end", "encode"])):
        case "flip":
            bit = 1 << draw(st.integers(0, 7))
            return text[:at] + bytes(byte ^ bit for byte in text[at : at + 1]) + text[at + 1 :]
        case "insert":
            return text[:at] + _pick(draw, odd.BYTES) + text[at:]
        case "cut":
            return text[:at] + text[at + draw(st.integers(1, 200)) :]
        case "double":
            return text[: at + draw(st.integers(1, 200))] + text[at:]
        case "encode":
            return text.decode("utf-8", "replace").encode(_pick(draw, odd.ENCODINGS), "replace")
        case _:
            return text[:at]
