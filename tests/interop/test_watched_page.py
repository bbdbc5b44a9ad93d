"""The watch over pages can fail: each fault is made on purpose, and noticed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.interop.watched_page import PHONE, WatchedPage

Look = Callable[..., AbstractContextManager[WatchedPage]]
POLICY = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'">"""


FAULTS = {
    "an error in the console": ("<script>console.error('broken')</script>", "console, error: broken"),
    "an uncaught error": ("<script>throw new Error('broken')</script>", "uncaught: .*broken"),
    "a picture from elsewhere": ("<img src='http://192.0.2.1/a.png'>", "request to http://192.0.2.1/a.png"),
    "a style from elsewhere": ("<link rel=stylesheet href='http://example.org/a'>", "request to http://example.org/a"),
    "a style against the policy": (POLICY + "<p style='color: red'>", "violates the following Content Security Policy"),
}


@pytest.mark.parametrize(("html", "noticed"), FAULTS.values(), ids=FAULTS)
def test_fault_of_a_page_fails_its_test(html: str, noticed: str, look: Look) -> None:
    def look_at() -> None:
        with look() as watched:
            watched.page.set_content(html, wait_until="networkidle")

    with pytest.raises(AssertionError, match=noticed):
        look_at()


def test_scan_finds_what_a_screen_reader_cannot_read(look: Look) -> None:
    with look() as watched:
        watched.page.set_content("<html lang=en><title>A page</title><main><h1>A page</h1><input></main>")
        assert [one.partition(" ")[0] for one in watched.scan()] == ["label"]


def test_page_that_is_too_wide_for_a_phone_is_noticed(look: Look) -> None:
    with look(size=PHONE) as watched:
        watched.page.set_content("<meta name=viewport content='width=device-width'><p>narrow")
        assert not watched.is_wider_than_its_window()
        watched.page.set_content("<meta name=viewport content='width=device-width'><p style='width: 500px'>wide")
        assert watched.is_wider_than_its_window()
