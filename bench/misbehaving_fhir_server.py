"""`python -m bench.misbehaving_fhir_server`: what a call costs whose FHIR server misbehaves, in time and in memory.

Each row is a hook call without `conditions` in its prefetch, answered by the whole application in a process of its own,
which the server that misbehaves does not share.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from structlog.testing import capture_logs

from bench.report import machine, print_table
from cds_service.app import create_app
from cds_service.settings.settings import Settings
from tests.charts import condition, hook_call, patient, post, prefetch, searchset
from tests.misbehaving_server import HTTP_OK, Answer, Handler, LoopbackServer, answer

_CHILD_SECONDS = 120.0
_MEGABYTE = b" " * 1_000_000
_PATH = "/fhir/Condition?patient=pat-1&_count=500"
_CHUNKED = HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n"


def main() -> None:
    """Measure each misbehavior once and print a table."""
    rows = []
    for name, misbehave in _misbehaviors().items():
        server = LoopbackServer()
        server.answers["/fhir/Patient/pat-1"] = answer(patient())
        server.answers[_PATH] = misbehave
        try:
            with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as child:
                status, failure, milliseconds, megabytes = child.submit(_call, server.base).result(_CHILD_SECONDS)
        finally:
            server.close()
        rows.append([name, f"{status}: {failure}", f"{milliseconds:,.0f}", f"{megabytes:,.1f}"])
    notes = [machine(), "the time budget of a call is 1,500 ms; memory is what the process grew by at its peak"]
    print_table("A hook call whose FHIR server ...", notes, ["", "the answer", "ms", "MB"], rows)


def _call(base: str) -> tuple[int, str, float, float]:
    """Status, what became of the conditions, milliseconds, and megabytes at the peak above those of an idle process."""
    folder = TemporaryDirectory()
    client = create_app(Settings(database_url=f"sqlite:///{folder.name}/ledger.sqlite")).test_client()
    call = hook_call(prefetch={key: value for key, value in prefetch().items() if key != "conditions"})
    with capture_logs() as events:
        post(client, call | {"fhirServer": f"{base}/nothing-here"})
        idle = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here (proc(5))
        started = time.perf_counter()
        response = post(client, call | {"fhirServer": base})
        milliseconds = (time.perf_counter() - started) * 1000
        time.sleep(0.5)  # whatever reads on after the answer counts as well
    failure = events[-1].get("cds_hooks.fetch.failure.conditions", "the conditions were read")
    return response.status_code, failure, milliseconds, _memory("VmHWM") - idle


def _memory(which: str) -> float:
    """Megabytes: what is resident now (VmRSS), or was at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) * 1024 / 1_000_000


def _pour(start: bytes, then: Callable[[], Iterator[bytes]]) -> Answer:
    """`start` and then all of `then`, as fast as it is taken."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(start)
        for piece in then():
            handler.wfile.write(piece)

    return send


def _endless(piece: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        while True:
            yield piece

    return pieces


def _bomb(gigabytes: int, layers: int) -> bytes:
    """Blanks, so many gigabytes of them, packed into as little as gzip can."""
    packed = zlib.compressobj(wbits=31)
    data = b"".join(packed.compress(_MEGABYTE) for _ in range(gigabytes * 1000)) + packed.flush()
    for _ in range(layers - 1):
        packed = zlib.compressobj(wbits=31)
        data = packed.compress(data) + packed.flush()
    return data


def _one_more_page(handler: Handler) -> None:
    number = handler.server.page = getattr(handler.server, "page", 0) + 1  # type: ignore[attr-defined]
    next_url = f"{handler.loopback.base}/p{number}"
    handler.loopback.answers[f"/fhir/p{number}"] = _one_more_page
    answer(searchset(condition(id=f"c{number}"), link=[{"relation": "next", "url": next_url}]))(handler)


def _conditions(count: int, **elements: str) -> Answer:
    return answer(searchset(*[condition(id=f"c{number}", **elements) for number in range(count)]))


def _bundle(inside: bytes) -> Answer:
    return answer(b'{"resourceType": "Bundle", "type": "searchset", ' + inside + b"}")


def _misbehaviors() -> dict[str, Answer]:
    """Every row, by what the server does; made by the parent only, for it takes a while."""
    return {
        "answers well: 50 Conditions": _conditions(50),
        "answers well: 1,000 Conditions": _conditions(1_000),
        "answers at length: 9 MB, 18,000 Conditions": _conditions(18_000),
        "never answers": lambda handler: handler.loopback.stopping.wait(10) and None,
        "sends a gzip bomb, 1 MB that are 1 GB": answer(_bomb(1, 1), Content_Encoding="gzip"),
        "sends a bomb in a bomb, gzip in gzip": answer(_bomb(4, 2), Content_Encoding="gzip, gzip"),
        "sends a bomb in a bomb, called gzip": answer(_bomb(4, 2), Content_Encoding="gzip"),
        "sends a body in br": answer(b"x" * 1_000_000, Content_Encoding="br"),
        "sends a body without end": _pour(HTTP_OK + b"\r\n", _endless(_MEGABYTE)),
        "promises a terabyte": _pour(HTTP_OK + b"Content-Length: 1000000000000\r\n\r\n", _endless(_MEGABYTE)),
        "sends chunks without end": _pour(_CHUNKED, _endless(b"f4240\r\n" + _MEGABYTE + b"\r\n")),
        "sends the size of a chunk without end": _pour(_CHUNKED, _endless(b"0" * 1_000_000)),
        "sends trailers without end": _pour(_CHUNKED + b"0\r\n", _endless(b"A: b\r\n" * 10_000)),
        "sends headers without end": _pour(HTTP_OK, _endless(b"A: b\r\n" * 10_000)),
        "sends 90 headers of 60 kB": _pour(HTTP_OK, lambda: iter([(b"A: " + b"b" * 60_000 + b"\r\n") * 90, b"\r\n{}"])),
        "sends a header of a gigabyte": _pour(HTTP_OK + b"A: ", _endless(b"b" * 1_000_000)),
        "sends a status line without end": _pour(b"HTTP/1.1 200 ", _endless(b"O" * 1_000_000)),
        "says 100 Continue without end": _pour(b"", _endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)),
        "nests 9 million deep": answer(b"[" * 9_000_000),
        "nests 100,000 deep inside an entry": _bundle(
            b'"entry": [{"resource": {"resourceType": "Condition", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}]"
        ),
        "sends a Bundle of 1 million entries": _bundle(
            b'"entry": [' + b'{"resource":{"resourceType":"Condition"}},' * 999_999 + b"{}]"
        ),
        "sends 3 million empty entries": _bundle(b'"entry": [' + b"{}," * 3_000_000 + b"{}]"),
        "sends 190,000 bare Conditions in one page": _bundle(
            b'"entry": [' + b'{"resource":{"resourceType":"Condition"}},' * 190_000 + b'{"resource":{}}]'
        ),
        "sends 190,000 links": _bundle(b'"link": [' + b'{"relation":1},' * 190_000 + b"{}]"),
        "sends a Condition with 300,000 codings": _bundle(
            b'"entry": [{"resource": {"resourceType": "Condition", "code": {"coding": [' + b"{}," * 300_000 + b"{}]}}}]"
        ),
        "sends 3 million links": _bundle(b'"link": [' + b"{}," * 3_000_000 + b"{}]"),
        "sends a Condition with 3 million codings": _bundle(
            b'"entry": [{"resource": {"resourceType": "Condition", "code": {"coding": ['
            + b"{}," * 3_000_000
            + b"{}]}}}]"
        ),
        "sends a number of 9 million digits": _bundle(b'"total": ' + b"9" * 9_000_000),
        "sends a text of 9 MB": _bundle(b'"entry": [{"fullUrl": "' + b"a" * 9_000_000 + b'"}]'),
        "leads on from page to page without end": _one_more_page,
    }


if __name__ == "__main__":
    main()
