"""Pages in a real Chromium that are watched: anything that goes wrong in one fails its test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request

CHROMIUM = [
    "--no-sandbox",  # CI and many containers run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # what the watch misses leads nowhere
]
AXE = Path(__file__).parent / "npm" / "node_modules" / "axe-core" / "axe.min.js"
TOO_BAD = ("serious", "critical")
DESKTOP = (1440, 900)
PHONE = (390, 844)
_RUN_AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


def start(playwright: Playwright, program: str) -> Browser:
    """The installed Chromium, which downloads nothing."""
    return playwright.chromium.launch(executable_path=program, args=CHROMIUM)


class WatchedPage:
    """A page of its own, in a browser profile of its own. `faults`: what went wrong in it. `folder`: of pictures."""

    def __init__(self, page: Page, folder: Path, expected: str | None) -> None:
        self.page = page
        self.faults: list[str] = []
        self.folder = folder
        self._expected = re.compile(expected) if expected else None
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.context.on("request", self._request)

    def open(self, url: str) -> Page:
        """Go to a page, and wait until it rests."""
        self.page.goto(url, wait_until="networkidle")
        return self.page

    def picture(self, name: str, *, full_page: bool = True) -> None:
        """Keep a picture of the page as it stands: all of it, in a window high enough, or what is in the window."""
        size = self.page.viewport_size
        assert size
        if full_page:
            height = self.page.evaluate("document.documentElement.scrollHeight")
            self.page.set_viewport_size({"width": size["width"], "height": height})
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=full_page)
        self.page.set_viewport_size(size)

    def unfold(self) -> None:
        """Open whatever can be opened."""
        self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")

    def scan(self) -> list[str]:
        """What axe finds wrong for people who use assistive technology, each in one line; only what is serious."""
        self.page.evaluate(AXE.read_text("utf-8"))
        violations: list[dict[str, Any]] = self.page.evaluate(_RUN_AXE)
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: {json.dumps(node['target'])} {node['failureSummary']}"
            for one in violations
            if one["impact"] in TOO_BAD
            for node in one["nodes"]
        ]

    def is_wider_than_its_window(self) -> bool:
        """Whether somebody would have to scroll sideways."""
        return bool(self.page.evaluate("document.scrollingElement.scrollWidth > innerWidth"))

    def _console(self, message: ConsoleMessage) -> None:
        """Also told of every breach of the content security policy."""
        if message.type in ("error", "warning") and not (self._expected and self._expected.search(message.text)):
            self.faults.append(f"console, {message.type}: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.hostname != "127.0.0.1" and parts.scheme not in ("data", "blob", "file"):
            self.faults.append(f"request to {request.url}")


@contextmanager
def watched(
    browser: Browser,
    folder: Path,
    *,
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    expected: str | None = None,
) -> Iterator[WatchedPage]:
    """A page until the block ends, which fails where anything went wrong but console messages as `expected`."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", locale="en-US"
    )
    try:
        context.set_default_timeout(60_000)
        page = WatchedPage(context.new_page(), folder, expected)
        yield page
        assert not page.faults, "\n".join(page.faults)
    finally:
        context.close()
