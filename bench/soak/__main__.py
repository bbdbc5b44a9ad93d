"""`make soak`: a node in production under half of its load, for 20 minutes or `--minutes`.

Prints calls by kind and status, p50 and p99 over time, what each worker holds, and cards that were shown and not
recorded. Exit status 1 if a call had an unexpected status, a worker ended, a card was lost, or the memory of a
worker grew in the last quarter by more than the printed limit.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.harness.figures import p99
from bench.harness.report import machine, print_table
from bench.harness.server import settle
from bench.soak.calls import Mix
from bench.soak.clients import CLIENTS, Answers, Client, send_together
from bench.soak.node import Node, new_forge, recorded_cards, running_node
from bench.soak.verdict import Soak, allowed_mb, faults_of, growth_mb
from bench.soak.watch import Sample, Watch, workers_of

_FEWEST_MINUTES = 0.5
_WINDOWS = 10  # for the table of latencies
_TRIAL_SHARE = 0.02  # of the time at full load, to know what half load is
_WARM_UP_SHARE = 0.1


def main() -> int:
    """Run it, print it, judge it."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="of half load (default: 20)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the node (default: 2)")
    parser.add_argument("--database-url", help="an empty database; default: a SQLite file of its own")
    parser.add_argument("--per-second", type=float, help="calls a second, in place of half of what the node can do")
    parser.add_argument("--seed", type=int, default=20_261_130, help="of the order of the calls")
    options = parser.parse_args()
    if options.minutes < _FEWEST_MINUTES:
        parser.error(f"--minutes {options.minutes:g}: at least {_FEWEST_MINUTES:g}, or there are too few samples")
    print(machine())
    with TemporaryDirectory() as folder:
        with running_node(Path(folder), options.workers, options.database_url) as node:
            settle(node.server)
            soak = _soak(node, options.minutes * 60, options.per_second, options.seed)
        lost = soak.answers.issued - recorded_cards(node.database_url)
    _print_answers(soak)
    _print_latencies(soak)
    _print_workers(soak)
    faults = faults_of(soak, lost)
    print(f"\n{len(soak.answers.issued):,} cards shown, {len(lost):,} of them not recorded after the stop")
    for fault in faults:
        print(f"FAULT: {fault}")
    print("Failed." if faults else "Passed.")
    return 1 if faults else 0


def _soak(node: Node, seconds: float, per_second: float | None, seed: int) -> Soak:
    workers = workers_of(node.server.process.pid)
    dice = [random.Random(f"{seed}/{number}") for number in range(CLIENTS)]  # noqa: S311 - to repeat a run
    clients = [Client(node.server.port, Mix(new_forge, node.fhir_server, node.dead_server, one)) for one in dice]
    with Watch(node.server.process.pid) as watch:
        if per_second is None:
            trial_s = max(5.0, _TRIAL_SHARE * seconds)
            send_together(clients, trial_s, None)
            per_second = _all(clients).counts.total() / trial_s / 2
        told = f"{per_second:,.0f} calls a second from {CLIENTS} clients to {len(workers)} workers"
        print(f"{told}, for {seconds / 60:g} minutes", flush=True)
        begun = time.monotonic()
        send_together(clients, 0.75 * seconds, per_second)
        accepted_before = _all(clients).accepted
        send_together(clients, 0.25 * seconds, per_second)
        ended = time.monotonic()
    at_end = workers_of(node.server.process.pid)
    return Soak(_all(clients), watch, workers, at_end, begun, ended, accepted_before)


def _all(clients: Sequence[Client]) -> Answers:
    return Answers().add(client.answers for client in clients)


def _print_answers(soak: Soak) -> None:
    counts = soak.answers.counts
    rows = [[kind, str(status or "none"), f"{count:,}"] for (kind, status), count in sorted(counts.items())]
    rows.append(["all", "", f"{counts.total():,}"])
    print_table("Calls by kind and status", ["the trial at full load included"], ["kind", "status", "calls"], rows)


def _print_latencies(soak: Soak) -> None:
    window_s = (soak.ended - soak.begun) / _WINDOWS
    rows = []
    for number in range(_WINDOWS):
        since, until = soak.begun + number * window_s, soak.begun + (number + 1) * window_s
        taken = [seconds * 1000 for sent, seconds in soak.answers.latencies if since <= sent < until]
        if taken:
            from_to = f"{number * window_s / 60:.1f} to {(number + 1) * window_s / 60:.1f} min"
            rows.append(
                [from_to, f"{len(taken):,}", *(f"{one:,.1f}" for one in (median(taken), p99(taken), max(taken)))]
            )
    notes = ["from sending to the whole answer, all kinds; what else the machine did is in it"]
    print_table("Latency in ms", notes, ["", "calls", "p50", "p99", "longest"], rows)


def _print_workers(soak: Soak) -> None:
    rows = []
    warm = soak.begun + _WARM_UP_SHARE * (soak.ended - soak.begun)
    for pid in soak.workers:
        samples = soak.watch.samples[pid]
        after_warm_up = next(sample for sample in samples if sample.at >= warm)
        for what, sample in (("start", samples[0]), ("after the warm-up", after_warm_up), ("end", samples[-1])):
            rows.append([f"{pid}, {what}", *_figures(sample)])
        peak = max(samples, key=_pss)
        rows.append([f"{pid}, at its most", *_figures(peak)])
    grown = [growth_mb(soak.watch.samples[pid], soak.begun, soak.ended) for pid in soak.workers]
    notes = [
        f"last quarter: {', '.join(f'{one:+.1f}' for one in grown)} MB PSS; {allowed_mb(soak):.1f} MB are allowed "
        "(2 MB, and 300 bytes for each token that a worker remembers, up to 20,000)"
    ]
    print_table("Workers", notes, ["worker", "RSS MB", "PSS MB", "files", "threads"], rows)


def _pss(sample: Sample) -> float:
    return sample.memory.pss_mb


def _figures(sample: Sample) -> list[str]:
    memory = sample.memory
    return [f"{memory.rss_mb:.1f}", f"{memory.pss_mb:.1f}", str(sample.files), str(sample.threads)]


if __name__ == "__main__":
    sys.exit(main())
