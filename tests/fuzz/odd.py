"""Odd values, texts, bytes, headers and addresses: what has broken services before."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.charts import SERVICE

# What Python's json cannot write, or not so. `to_bytes` puts it where a document has the string «name».
_JSON = {
    "«deep list»": "[" * 60 + "]" * 60,
    "«deeper list»": "[" * 900 + "]" * 900,
    "«deepest list»": "[" * 20_000 + "]" * 20_000,
    "«deep object»": '{"resource":' * 60 + "1" + "}" * 60,
    "«deepest object»": '{"resource":' * 20_000 + "1" + "}" * 20_000,
    "«open list»": "[" * 2_000,
    "«huge»": "1e999",
    "«tiny»": "-1e-999",
    "«long number»": "9" * 5_000,
    "«NaN»": "NaN",
    "«minus zero»": "-0.0",
    "«lone surrogate»": '"\\ud800"',
    "«equal keys»": '{"resourceType": "Bundle", "resourceType": 5, "resourceType": "Condition"}',
    "«long text»": '"' + "back pain " * 5_000 + '"',
}
_MARKER = re.compile('"(«[^»]*»)"')
_TEXTS = [
    *("", " ", "\x00", "\x7f", "\u202e", "\u2028", "\ufeff", "e\u0301" * 50, "𝔅𝔞𝔠𝔨 🦴", "ß", "İ", "\U0010ffff"),
    *("<script>alert(1)</script>", "[x](javascript:x)", "{{context.patientId}}", "../../etc", "%00", "' OR 1=1 --"),
    *("lab-plain,lab-lp5mo", "lab_plain", "a" * 65, "..", "*"),
    *("Patient/", "/", "#", "#held", "Patient/lab-plain", "urn:uuid:0", "http://[::1", "http://a:99999999/", "(" * 500),
    *("http://127.0.0.1:8113/fhir/R4", "http://127.0.0.1:8113/fhir/R4/Condition?_offset=20", "http://localhost:0"),
    *("Bundle", "Condition", "Procedure", "Patient", "OperationOutcome", "ServiceRequest", "Parameters", "null"),
    *("0000-00-00", "9999-12-31T23:59:60Z", "2026-02-30", "2026-11-22T00:00:00+99:99", "-2026", "2026-11", "٢٠٢٦"),
    *("order-sign", "order-select", "patient-view", "accepted", "overridden", "active", "completed", "next"),
]  # fmt: skip
_NUMBERS = [0, -1, 1, 0.5, 2**31, 2**63, 2**64, 10**40, 1e308, -1e-308]

VALUES: list[Any] = [None, True, False, [], {}, [[]], [None], {"": None}, *_TEXTS, *_NUMBERS, *_JSON]
NAMES = [
    *("resourceType", "resource", "entry", "code", "coding", "system", "reference", "id", "text", "link", "total"),
    *("selections", "draftOrders", "feedback", "extension", "", "\x00", "__class__", "_id"),
]  # fmt: skip
BYTES = [
    *(b"\xff", b"\x00", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\", b'"', b"{", b"}", b"[", b"]"),
    *(b"NaN", b"Infinity", b"-", b"0", b",", b"1e999", b"null", b"//", b"/* */", b"\x0b", b"\xc2\xa0", b"\r\n\r\n"),
    b"[" * 70,
]  # fmt: skip
ENCODINGS = ["utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-7"]

METHODS = [
    *("POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY", "PROPFIND"),
    *("post", "", "\xff", "GET /"),
]  # fmt: skip
TARGETS = [
    *[("POST", SERVICE)] * 6,
    *[("POST", f"{SERVICE}/feedback")] * 2,
    *[("GET", "/cds-services")] * 2,
    *[("GET", "/education/lumbar-puncture")] * 3,
    *[("GET", "/")] * 2,
    ("GET", "/openapi.json"),
]
FOLDERS = ["/", "/cds-services/", "/education/", "/sandbox/"]
PATHS = [
    *("/", "", "*", "//", "/health", "/favicon.ico", "/.well-known/jwks.json", "/%", "/\r\nX: y"),
    *("/cds-services", "/cds-services/", "/cds-services//x", "/cds-services/x/y/z", "/cds-services;x=y"),
    *("/cds-services/%2e%2e", "/cds-services/../x", "/cds-services/\x00", "/cds-services/\xff\xfe"),
    *("/cds-services/" + "a" * 5_000, "/cds-services/x/feedback", "http://evil.example/cds-services"),
    *(f"{SERVICE}/", f"{SERVICE}/feedback", f"{SERVICE}/feedback/", f"{SERVICE}/analytics", SERVICE.upper()),
    *("/education/lumbar-puncture", "/education/x", "/education/", "/education/../x", "/education/\xff"),
    *("/sandbox/patients", "/sandbox/chart", "/sandbox/prefetch", "/sandbox/details", "/sandbox/explanation"),
    *("/sandbox/token/call", "/sandbox/fhir/metadata", "/sandbox/fhir/Condition", "/sandbox/fhir-stu3/Patient/x"),
    *("/openapi.json", "/openapi.json/", "/static/page.css", "/static/../app.py", "/static/", "/static/\x00"),
]  # fmt: skip
QUERIES = [
    *("", "base=&patient=%00", "patient=lab-plain&_count=-1&_offset=x", "base=http://[::1&patient=../x", "base=%ff"),
    *("patient=stella&order=x&hook=y", "patient=" + "a" * 5_000, "_count=99999999999999999999&_offset=-5"),
    *("lang=es", "lang=", "lang=%ff", "lang=\xff", "lang=es&lang=en", "lang=../../x", "&&==", "%"),
    "lang=" + "e" * 5_000,
]  # fmt: skip
CONTENT_TYPES = [
    *("application/json; charset=utf-8", "APPLICATION/JSON;CHARSET=UTF-8", "application/fhir+json", "application/"),
    *("application/json; charset=utf-16", "application/json; charset=", 'application/json; charset="', "*/*", "/"),
    *("application/json;;;", "application/json, text/plain", "application/json; charset*=utf-8''utf-8", "", ";"),
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x"),
]  # fmt: skip
HEADERS: dict[str, list[str]] = {
    "Accept": ["*/*", "application/json", "text/html", "application/fhir+json;q=0", "q=x;;,", ""],
    "Accept-Encoding": ["gzip", "br;q=x", "identity;q=0"],
    "Access-Control-Request-Headers": ["authorization,content-type", ",,,", "\xff"],
    "Access-Control-Request-Method": ["POST", "x", ""],
    "Authorization": [
        "Bearer",
        "Bearer x.y.z",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Basic \xff",
        "Digest a=",
        "bearer a b",
    ],
    "Content-Encoding": ["gzip", "identity", "br", "gzip, identity", ""],
    "Content-Length": ["", "-1", "+5", "1e3", "0x10", " 7 ", "5, 5", "99999999999999999999", "7", "0", "abc", "\xb2"],
    "Cookie": ["a=b", "=", 'a="b;c', "\xff=\xff"],
    "Expect": ["100-continue", "x"],
    "Host": ["", "a b", "a..b", "x" * 70, "[::1", "x:99999999", "\xff", "evil.example"],
    "If-None-Match": ["*", '"x"', "W/"],
    "Origin": ["null", "http://127.0.0.1:8105", "https://evil.example", "\xff", "*"],
    "Range": ["bytes=0-1", "bytes=9-1", "x"],
    "Traceparent": ["00-0-0-00", "00-" + "f" * 32 + "-" + "f" * 16 + "-01", "\xff"],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "identity", "x"],
    "X-Forwarded-For": ["\xff", "127.0.0.1"],
    "X-Http-Method-Override": ["DELETE"],
}


def to_bytes(document: Any) -> bytes:
    """The document as JSON in UTF-8, with the odd JSON it speaks of; a lone surrogate is escaped."""
    text = json.dumps(document, ensure_ascii=False)
    if "«" in text:
        text = _MARKER.sub(lambda found: _JSON.get(found[1], found[0]), text)
    return text.encode("utf-8", "backslashreplace")
