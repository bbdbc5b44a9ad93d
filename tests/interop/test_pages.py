"""Pages that people read: accessible in light and dark, printed as they should be, and with nothing from elsewhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from cards.catalogue import load_topic
from tests.charts import SERVICE
from tests.interop.conftest import COMMAND, PageService
from tests.interop.fhir_client import FhirClient, fixture_entries, prefetch_of
from tests.interop.test_fhir_servers import call_about, keys
from tests.interop.test_sandbox_page import rest
from tests.interop.watched_page import PHONE, WatchedPage

Look = Callable[..., AbstractContextManager[WatchedPage]]
PATIENT_PAGES = sorted(load_topic().patient_pages)
PAGES = {
    "sandbox": "/",
    "sandbox with a warning": "/?patient=lab-lp5mo&fire=order-sign",
    "sandbox with red flags": "/?patient=lab-redflag&fire=order-sign",
    "sandbox without a card": "/?patient=lab-plain&order=other&order-text=Blood+count&fire=order-sign",
    "sandbox with an unknown patient": "/?patient=nobody&order=nothing",
    "reference client": "/sandbox/ehr-view/lab-redflag",
    "infobutton": "/infobutton?mainSearchCriteria.v.c=M54.50&mainSearchCriteria.v.cs=2.16.840.1.113883.6.90",
    "infobutton without a page": "/infobutton?mainSearchCriteria.v.dn=Asthma",
    "nothing here": "/nothing-here",
    **{f"{name} in {code}": f"/education/{name}?lang={code}" for name in PATIENT_PAGES for code in ("en", "es")},
}
NOT_FOUND = r"status of 404"  # the browser's own line about a page that is not there
SHEETS = [
    ("lumbar-puncture", "en", "A4", 2),
    ("lumbar-puncture", "en", "Letter", 2),
    ("lumbar-puncture", "es", "A4", 2),
    ("lumbar-puncture", "es", "Letter", 3),
    ("back-pain-after-lumbar-puncture", "en", "A4", 2),
    ("back-pain-after-lumbar-puncture", "en", "Letter", 2),
    ("back-pain-after-lumbar-puncture", "es", "A4", 3),
    ("back-pain-after-lumbar-puncture", "es", "Letter", 3),
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("name", "path"), PAGES.items(), ids=PAGES)
def test_page_is_accessible(name: str, path: str, dark: bool, look: Look, page_service: PageService) -> None:
    with look(dark=dark, expected=NOT_FOUND if path == "/nothing-here" else None) as watched:
        page = watched.open(page_service.address + path)
        if path == "/" or "fire=" in path:
            rest(page)
        if "lang=" in path:
            expect(page.locator("html")).to_have_attribute("lang", path[-2:])
        watched.unfold()
        watched.picture(f"{name.replace(' ', '-')}-{'dark' if dark else 'light'}")
        assert watched.scan() == []


@pytest.mark.parametrize("name", PATIENT_PAGES)
def test_patient_page_fits_a_phone(name: str, look: Look, page_service: PageService) -> None:
    with look(size=PHONE) as watched:
        watched.open(f"{page_service.address}/education/{name}")
        watched.picture(f"phone-{name}")
        assert not watched.is_wider_than_its_window()


@pytest.mark.parametrize(("name", "language", "paper", "count"), SHEETS)
def test_patient_page_is_printed_with_a_code_that_leads_back_to_it(
    name: str,
    language: str,
    paper: str,
    count: int,
    look: Look,
    page_service: PageService,
    program: dict[str, str],
    screenshots: Path,
) -> None:
    pdf = screenshots / f"{name}-{language}-{paper}.pdf"
    with look() as watched:
        page = watched.open(f"{page_service.address}/education/{name}?lang={language}")
        address = page.locator("link[rel=canonical]").get_attribute("href")
        page.pdf(path=pdf, format=paper)
    sheets = print_out(program, pdf)
    assert len(sheets) == count
    assert run(program["zbarimg"], "--quiet", "--raw", sheets[0]).strip() == address


def print_out(program: dict[str, str], pdf: Path) -> list[Path]:
    """Each page of a PDF as a picture, as fine as an office printer's draft."""
    for old in pdf.parent.glob(f"{pdf.stem}-page-*.png"):
        old.unlink()
    run(program["pdftoppm"], "-r", "150", "-png", pdf, pdf.parent / f"{pdf.stem}-page")
    return sorted(pdf.parent.glob(f"{pdf.stem}-page-*.png"))


def run(*command: object) -> str:
    done = subprocess.run(  # noqa: S603 - programs of the operating system, by their full path
        [str(one) for one in command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def report(page_service: PageService, screenshots: Path) -> Path:
    """The report of a small ledger: cards shown to several patients, some of them answered."""
    service = FhirClient(page_service.address)
    for patient_id, ordered in (("lab-stenosis", "puncture"), ("lab-redflag", "MRI"), ("lab-lp5mo", "MRI")):
        answer = service.call(call_about(patient_id, ordered, prefetch=prefetch_of(fixture_entries(patient_id))))
        assert keys(answer)
        entry = {"card": answer["cards"][0]["uuid"], "outcome": "overridden"}
        service.post(f"{SERVICE}/feedback", {"feedback": [entry | {"outcomeTimestamp": "2026-11-22T15:31:47Z"}]})
    file = screenshots / "report.html"
    run(COMMAND, "report", "--format", "html", "--database-url", page_service.database_url, "--output", file)
    return file


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_report_is_one_accessible_page_that_asks_for_nothing(dark: bool, look: Look, report: Path) -> None:
    with look(dark=dark) as watched:
        page = watched.open(report.as_uri())
        expect(page.get_by_role("heading", level=1)).to_have_text("What happened to the cards")
        watched.picture(f"report-{'dark' if dark else 'light'}")
        assert watched.scan() == []
        assert not watched.is_wider_than_its_window()
