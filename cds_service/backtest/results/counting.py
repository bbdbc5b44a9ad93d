"""From rows to the numbers of a Summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from cds_service.backtest.engine import Results
from cds_service.backtest.judging import NOT_OURS
from cds_service.backtest.plan import Plan
from cds_service.backtest.reading.export_files import Export
from cds_service.backtest.reading.order_lines import week_of
from cds_service.backtest.results.summary import (
    Change,
    Comparison,
    ExportRead,
    Group,
    Interruptions,
    Summary,
    Undated,
)
from cds_service.backtest.rows import AGE_BANDS, OLDEST, UNKNOWN, Answer, Row
from cds_service.version import program_version

NOT_PLACED = (
    "order-not-placed",
    "never placed as an order: a draft, entered in error, not to be done, a plan, or part of another order",
)
SAMPLE_SEED = 1


def summarize(results: Results, plan: Plan, export: Export, sample_orders: int) -> Summary:
    """All numbers of a backtest."""
    topic = plan.topics[0]
    rows = [row for row in results.rows if row.answer.ours]
    with_cards = [row for row in rows if row.answer.cards]
    silent, words = _silences(results)
    unread = results.unread + Counter(why for row in rows for why in Counter(row.unread).elements())
    unread["patient-without-chart"] = len({row.patient for row in rows if not row.has_chart})
    return Summary(
        service=topic.service.id,
        service_title=topic.service.title,
        program_version=program_version(),
        content_version=topic.version,
        digest=digest(results.rows, topic.version),
        first_day=plan.first_day,
        last_day=plan.last_day,
        orders_from=plan.orders_from,
        export=_export_read(results, plan, export),
        orders_seen=results.seen,
        orders_ours=len(rows),
        orders_with_cards=len(with_cards),
        patients_seen=results.patients_seen,
        patients_with_cards=len({row.patient for row in with_cards}),
        cards=_cards(rows, topic.service.cards),
        classes=_sorted(Counter(card.card_class for row in rows for card in row.answer.cards if card.card_class)),
        indicators=_sorted(Counter(card.indicator for row in rows for card in row.answer.cards)),
        silent=silent,
        silent_words=words,
        unread=_sorted(+unread),
        findings=_findings(with_cards),
        by_month=_groups(rows, lambda row: f"{row.on:%Y-%m}", results.by_month),
        by_category=_groups(rows, lambda row: row.category, results.by_category),
        by_age_band=_by_age_band(rows),
        interruptions=_interruptions(with_cards, results.clinician_weeks),
        undated=_undated(rows),
        against=_comparison(results.rows, plan),
        sample_orders=min(sample_orders, len(rows)),
        sample_seed=SAMPLE_SEED,
        cards_off=tuple(sorted(plan.cards_off)),
    )


def digest(rows: Sequence[Row], content_version: str) -> str:
    """A hash over all rows and the content version, in whichever order the rows came."""
    lines = sorted(repr((row.order, row.patient, row.on, row.age_band, *_answers(row))) for row in rows)
    return sha256("\n".join((content_version, *lines)).encode("utf-8", "surrogatepass")).hexdigest()


def _answers(row: Row) -> Iterable[object]:
    for answer in (row.answer, row.without_undated, row.against):
        yield (answer.ours, answer.cards, answer.silence, sorted(answer.findings)) if answer else None


def _silences(results: Results) -> tuple[dict[str, int], dict[str, str]]:
    reasons = Counter(row.answer.silence[0] for row in results.rows if row.answer.silence)
    words = dict(row.answer.silence for row in results.rows if row.answer.silence)
    reasons[NOT_OURS[0]] += results.seen - results.not_placed - len(results.rows)
    reasons[NOT_PLACED[0]] += results.not_placed
    words |= dict((NOT_OURS, NOT_PLACED))
    silent = _sorted(+reasons)
    return silent, {key: words[key] for key in silent}


def _export_read(results: Results, plan: Plan, export: Export) -> ExportRead:
    types = {*plan.topics[0].service.resource_types.values(), "Patient"}
    missing = tuple(sorted(types - plan.present_types))
    size = sum(file.size for file in export.files)
    return ExportRead(len(export.files), size, _sorted(results.lines), plan.exported_on, missing)


def _cards(rows: Iterable[Row], keys: Iterable[str] = ()) -> dict[str, int]:
    counts = Counter(card.key for row in rows for card in row.answer.cards)
    return {key: counts[key] for key in dict.fromkeys((*keys, *sorted(counts)))}


def _groups(rows: Sequence[Row], key: Callable[[Row], str], seen: Mapping[str, int]) -> dict[str, Group]:
    of_key: dict[str, list[Row]] = {name: [] for name in sorted(seen)}
    for row in rows:
        of_key.setdefault(key(row), []).append(row)
    return {name: _group(each, seen.get(name, 0)) for name, each in of_key.items()}


def _group(rows: Sequence[Row], seen: int | None) -> Group:
    return Group(seen, len(rows), sum(bool(row.answer.cards) for row in rows), _cards(rows))


def _by_age_band(rows: Sequence[Row]) -> dict[str, Group]:
    bands = (*(band for _, band in AGE_BANDS), OLDEST, UNKNOWN)
    return {band: _group([row for row in rows if row.age_band == band], None) for band in bands}


def _findings(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    counts = Counter(finding for row in rows for finding in row.answer.findings)
    roles = sorted({role for role, _ in counts})
    return {role: _sorted(Counter({name: n for (of, name), n in counts.items() if of == role})) for role in roles}


def _interruptions(rows: Sequence[Row], clinician_weeks: set[tuple[int, str]]) -> Interruptions:
    counts = Counter((row.clinician, week_of(row.on)) for row in rows if row.clinician is not None)
    by_count = Counter(counts.get(week, 0) for week in clinician_weeks)
    return Interruptions(
        len({clinician for clinician, _ in clinician_weeks}),
        len(clinician_weeks),
        dict(sorted(by_count.items())),
        sum(row.clinician is None for row in rows),
    )


def _undated(rows: Iterable[Row]) -> Undated:
    pairs = [(row.without_undated, row.answer) for row in rows if row.without_undated is not None]
    changes = _changes(pairs)
    return Undated(len(pairs), sum(change.orders for change in changes), changes)


def _comparison(rows: Sequence[Row], plan: Plan) -> Comparison | None:
    if len(plan.topics) < 2:
        return None
    pairs = [(row.against, row.answer) for row in rows if row.against is not None]
    others = [other for other, _ in pairs]
    changes = _changes(pairs)
    cards = Counter(card.key for other in others for card in other.cards)
    return Comparison(
        plan.topics[1].version,
        sum(other.ours for other in others),
        sum(bool(other.cards) for other in others),
        _sorted(cards),
        sum(change.orders for change in changes),
        changes,
    )


def _changes(pairs: Iterable[tuple[Answer, Answer]]) -> tuple[Change, ...]:
    """What differs between two answers, the most frequent first."""
    counts = Counter((before.cards, after.cards) for before, after in pairs if before.cards != after.cards)
    named = [(tuple(map(str, before)), tuple(map(str, after)), n) for (before, after), n in counts.items()]
    return tuple(Change(*each) for each in sorted(named, key=lambda each: (-each[2], each[0], each[1])))


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
