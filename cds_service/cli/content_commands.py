"""The commands on the clinical content: `check`, `test`, `show` and `explain`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cards.content.files import ContentError, is_content
from cards.nearest_names import did_you_mean
from cds_service.cli.ending import refuse, settings_of_environment
from cds_service.errors import BadRequest
from cds_service.readable import counted
from cds_service.settings.settings import Settings

if TYPE_CHECKING:
    from cards.topic import Topic
    from cards.vignettes.casebook import Casebook, Vignette

_LOOK_EVERY_S = 0.5


@click.command()
def check() -> None:
    """Check the clinical content: texts, translations, evidence, value sets, numbers, pages. Changes nothing.

    A site's own codes (CDS_VALUE_SETS_DIR) are checked with it. Exit status 1 and one line per fault, with file and
    line, if something must not be served.
    """
    faults, overdue = content_faults(settings_of_environment("cannot check"), strict=True)
    if faults + overdue:
        refuse(counted(len(faults + overdue), "fault"), faults + overdue)
    click.echo("content: no faults")


@click.command("test")
@click.option("--watch", is_flag=True, help="Run again whenever a content file changes, until interrupted.")
def run_vignettes(watch: bool) -> None:
    """Run the vignettes, and report in clinical terms which do not get the expected cards.

    Exit status 1 if any failed.
    """
    settings = settings_of_environment("cannot test")
    before = _when_changed(settings)  # so that no change during the first run is missed
    passed = _run_vignettes(settings)
    if watch:
        _watch(settings, before)
    if not passed:
        sys.exit(1)


@click.command()
@click.option("--vignette", "name", required=True, metavar="NAME", help="Name of the vignette, or part of it.")
@click.option("--language", metavar="CODE", help="Language that the patient prefers, such as es.")
def show(name: str, language: str | None) -> None:
    """Show the cards of a vignette as a clinician would see them."""
    import msgspec
    from rich.console import Console

    from cds_service.terminal import show_cards

    topics = _topics(settings_of_environment("cannot show"))
    try:
        cases = [case for topic in topics for case in _cases(topic)]
    except ContentError as fault:
        refuse("the vignettes have faults", [str(fault)])
    exact = [case for case in cases if case[2].name == name]
    matching = exact or [case for case in cases if name.lower() in case[2].name.lower()]
    if len(matching) != 1:
        names = [vignette.name for _, _, vignette in matching]
        if not names:
            every = [vignette.name for _, _, vignette in cases]
            nearest = did_you_mean(name, every)
            files = sorted({str(topic.files.vignettes) for topic in topics})
            refuse(f"no vignette has {name!r} in its name{nearest}", [f"All of them: {file}" for file in files])
        refuse(f"{len(names)} vignettes have {name!r} in their names: give more of the name", names)
    topic, casebook, vignette = matching[0]
    if language:
        _check_language(topic, language)
        vignette = msgspec.structs.replace(vignette, language=language)
    click.echo(vignette.name)
    show_cards(casebook.run(vignette, topic).cards, Console())


def _check_language(topic: Topic, language: str) -> None:
    """Exit where neither cards nor patient pages are in this language, or in that of which it is a regional form."""
    known = sorted({*topic.service.languages, *topic.service.patient_languages})
    if language.lower().partition("-")[0] not in known:
        what = f"cards and patient pages are in {', '.join(known)}, not in {language!r} (see {topic.files.service})"
        raise click.BadParameter(what, param_hint="--language")


@click.command()
@click.argument("request", metavar="REQUEST.json", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def explain(request: Path) -> None:
    """Explain a hook request: how each order and resource was understood, why each card was shown or not.

    Nothing is sent anywhere. The output may contain patient data from the request.
    """
    from cds_service.cds_hooks.explain import explain as explain_request

    topics = _topics(settings_of_environment("cannot explain"))
    answers: dict[str, str] = {}
    refusals: list[str] = []
    for topic in topics:
        try:
            answers[topic.service.id] = explain_request(request.read_bytes(), topic, _today())
        except BadRequest as fault:  # of another topic's hook, or of any
            refusals.append(fault.diagnostics)
    if not answers:
        refuse("the service would answer 400", list(dict.fromkeys(refusals)))
    for service_id, answer in answers.items():
        click.echo(f"Service {service_id}\n{answer}" if len(topics) > 1 else answer)


def _load(settings: Settings) -> list[Topic]:
    from cds_service.served_content import served_topics

    return list(served_topics(settings).values())


def _topics(settings: Settings) -> list[Topic]:
    try:
        return _load(settings)
    except ContentError as fault:
        refuse("the clinical content has faults", [str(fault)])


def _cases(topic: Topic) -> list[tuple[Topic, Casebook, Vignette]]:
    """Every vignette of a topic. Raises ContentError."""
    casebook = _casebook(topic)
    return [(topic, casebook, vignette) for vignette in casebook.vignettes]


def content_faults(settings: Settings, *, strict: bool = False) -> tuple[list[str], list[str]]:
    """Faults of the content, and what of it is overdue for review. `strict` adds what is too slow for a start."""
    from cards.checks.run_all import find_faults, find_slow_faults, find_stale
    from cds_service.served_content import whole_topics
    from cds_service.settings.cards_off import find_switch_faults

    today = _today()
    try:
        topics = list(whole_topics(settings.value_sets_dir, settings.topics).values())
        faults = find_faults(topics, today)
        faults += find_switch_faults(settings.cards_off, {topic.service.id: topic for topic in topics})
        if strict:
            faults += find_slow_faults(topics)
            faults += [fault for topic in topics for fault in _boundary_faults(topic)]
        return faults, [line for topic in topics for line in find_stale(topic, today)]
    except ContentError as fault:
        return [str(fault)], []


def _boundary_faults(topic: Topic) -> list[str]:
    from cards.checks.boundaries import find_missing_boundaries

    return find_missing_boundaries(topic, _casebook(topic).marked_boundaries())


def _casebook(topic: Topic) -> Casebook:
    """Its vignettes. Raises ContentError."""
    from cards.vignettes.casebook import load_vignettes

    return load_vignettes(topic.files.vignettes, topic.service.resource_types)


def _run_vignettes(settings: Settings) -> bool:
    """Run every vignette, a site's own codes included, and say how many were as expected."""
    from cds_service.served_content import whole_topics

    whole_topics.cache_clear()  # the files may have changed since
    try:
        cases = [case for topic in _load(settings) for case in _cases(topic)]
    except ContentError as fault:
        click.echo(f"cds-service: {fault}", err=True)
        return False
    failed = 0
    for topic, casebook, vignette in cases:
        failures = casebook.find_failures(vignette, topic)
        failed += bool(failures)
        if failures:
            click.echo(f"✗ {vignette.name}")
        for failure in failures:
            click.echo(f"    {failure}")
    count = len(cases)
    click.echo(f"{count} vignettes, all as expected" if not failed else f"{failed} of {count} vignettes failed")
    return not failed


def _watch(settings: Settings, seen: dict[Path, int]) -> None:
    """Run again whenever a content file changes, until interrupted. `seen`: times of change before the last run."""
    click.echo("Watching the content. Stop with Ctrl-C.", err=True)
    try:
        while True:
            time.sleep(_LOOK_EVERY_S)
            now = _when_changed(settings)
            if now != seen:
                seen = now
                click.echo()
                _run_vignettes(settings)
    except KeyboardInterrupt:
        return


def _when_changed(settings: Settings) -> dict[Path, int]:
    from cards.catalogue import content_files

    local = filter(is_content, settings.value_sets_dir.iterdir()) if settings.value_sets_dir else ()
    return {path: path.stat().st_mtime_ns for path in (*content_files(settings.topics), *local)}


def _today() -> date:
    return datetime.now(UTC).date()
