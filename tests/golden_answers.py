"""Golden answers: compared parsed, kept so that a person can read them (a card's detail as a list of lines)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

FOLDER = Path(__file__).parent / "golden"
_HEADERS = ("Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Allow")


@dataclass(frozen=True)
class Golden:
    accept: bool

    def check(self, name: str, response: TestResponse) -> None:
        """Compare with golden/<name>.json, or write it where the run was told to accept."""
        answer = _readable(response)
        path = FOLDER / f"{name}.json"
        if self.accept:
            path.write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        assert answer == json.loads(path.read_text(encoding="utf-8"))


def _readable(response: TestResponse) -> dict[str, Any]:
    headers = {name: sorted(response.headers[name].split(", ")) for name in _HEADERS if name in response.headers}
    body = _without_version(response.get_json()) if response.is_json else response.get_data(as_text=True)
    for card in body.get("cards", []) if isinstance(body, dict) else []:
        card["detail"] = card["detail"].split("\n")
    return {"status": response.status_code, "headers": headers, "body": body}


def _without_version(value: Any) -> Any:
    """Every `contentVersion` as a fixed word: it is a hash over all content, and every edit would change every file."""
    if isinstance(value, list):
        return [_without_version(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "<content version>" if name == "contentVersion" else _without_version(inner)
        for name, inner in value.items()
    }
