"""A start that loads what it needs, once: libraries and models by whoever uses them, content for all workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cards.topic import Topic
from cds_service.served_content import served_topics, whole_topics
from cds_service.settings.settings import Settings


def run(code: str, folder: Path) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        pytest.param("import cds_service.cli.main", "fhir", id="the command line loads no FHIR model"),
        pytest.param("import cds_service.cli.main", "flask", id="the command line loads no web framework"),
        pytest.param("import cds_service.server.door", "fhir", id="importing the application loads no FHIR model"),
        pytest.param("import cds_service.server.door", "psycopg", id="importing the application loads no PostgreSQL"),
        pytest.param("import cds_service.server.door", "alembic", id="importing the application loads no migrations"),
        pytest.param(
            "from cds_service.app import create_app; from cds_service.settings.settings import Settings; "
            "create_app(Settings())",
            "psycopg",
            id="an application with SQLite loads no PostgreSQL",
        ),
        pytest.param(
            "import cds_service.server.preloading as p; from cds_service.settings.settings import Settings; "
            "p.preload(Settings())",
            "alembic",
            id="what workers share holds no migrations",
        ),
    ],
)
@pytest.mark.slow
def test_what_is_not_used_is_not_loaded(code: str, absent: str, tmp_path: Path) -> None:
    loaded = run(f"{code}; import sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))", tmp_path)
    assert "cds_service" in loaded.split()
    assert absent not in loaded.split()


_LAST_CALLS = """
import sys
from cards.card import Coding
from cards.fhir.draft_orders import FhirVersion
from cards.fhir.referral import draft_referral
from cds_service.errors import operation_outcome
from cds_service.server.preloading import preload
from cds_service.settings.settings import Settings

preload(Settings())
before = set(sys.modules)
operation_outcome("the body is not JSON", "structure", "hook")
for version in FhirVersion:
    draft_referral(version, "p", Coding("http://snomed.info/sct", "1", "x"), "Back pain", "c")
print(sorted(name for name in set(sys.modules) - before if name.startswith("fhir")))
print("fhir.resources.R4B.operationoutcome" in before)
"""


@pytest.mark.slow
def test_the_first_call_waits_for_no_model(tmp_path: Path) -> None:
    """Every kind of resource that we author has been made once before a worker is forked."""
    assert run(_LAST_CALLS, tmp_path).splitlines() == ["[]", "True"]


def content(settings: Settings) -> Topic:
    (topic,) = served_topics(settings).values()
    return topic


def test_content_is_read_once_by_a_process() -> None:
    assert whole_topics(None, None) is whole_topics(None, None)
    shown, drafts = content(Settings()), content(Settings(draft_translations=True))
    assert drafts is next(iter(whole_topics(None, None).values()))
    assert shown.chart is drafts.chart
    assert shown.version == drafts.version


def test_a_translation_that_awaits_review_is_served_only_where_that_is_asked_for() -> None:
    shown, drafts = content(Settings()), content(Settings(draft_translations=True))
    assert all(set(pages) == {"en"} for pages in shown.patient_pages.values())
    assert all(set(pages) == {"en", "es"} for pages in drafts.patient_pages.values())
