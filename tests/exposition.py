"""Reads what /metrics says, as Prometheus would."""

from __future__ import annotations

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, float]


def scrape(client: FlaskClient, **options: object) -> Samples:
    """Every sample by its name and labels, written as Prometheus writes them."""
    response = client.get("/metrics", **options)  # type: ignore[arg-type]
    assert response.status_code == 200
    return samples_in(response.get_data(as_text=True))


def samples_in(text: str) -> Samples:
    """Every sample of an exposition; none stands there twice."""
    families = list(text_string_to_metric_families(text))
    samples = [one for family in families for one in family.samples]
    read = {_written(one.name, one.labels): one.value for one in samples}
    assert len(read) == len(samples)
    assert all(family.documentation for family in families)
    return read


def risen(before: Samples, after: Samples) -> Samples:
    """The counters that rose in between, and by how much. Left out are buckets, sums, and what waits to be written."""
    left_out = ("_bucket", "_sum", "_waiting")
    grown = {name: value - before[name] for name, value in after.items() if value != before[name]}
    return {name: value for name, value in grown.items() if not name.partition("{")[0].endswith(left_out)}


def _written(name: str, labels: dict[str, str]) -> str:
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name
