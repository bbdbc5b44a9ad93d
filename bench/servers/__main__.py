"""`python -m bench.servers`: what each candidate does with the same requests, slow clients and SIGTERM.

Prints one Markdown table, for docs/adr/0014-the-server.md. Exit status 1 where an answer was not as it should be.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from bench.environments import NotInstalled, environment
from bench.load import CLIENTS, NOTE, Clients, running_clients
from bench.report import machine, print_table
from bench.servers import slow_clients, stopping, throughput
from bench.servers.candidates import CANDIDATES, Candidate
from bench.servers.measured import Measured

_PARTS = ("throughput", "slow", "stop")


def main() -> int:
    """Measure, print, and say whether all answers were good."""
    parser = argparse.ArgumentParser(prog="python -m bench.servers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="what is measured (default: all)")
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES), help="(default: all)")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], help="processes (default: 1 2)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=0.9, help="of load in each round (default: 0.9)")
    options = parser.parse_args()
    candidates = {name: CANDIDATES[name] for name in CANDIDATES if name in options.candidates}
    if any(one.needs_packages for one in candidates.values()):
        try:
            environment("servers")
        except NotInstalled as reason:
            print(f"Only granian is measured, for the others could not be installed: {reason}")
            candidates = {name: one for name, one in candidates.items() if not one.needs_packages}
    found = Measured()
    with running_clients() as clients:
        for step in _steps(clients, candidates, options):
            try:
                step(found)
            except RuntimeError as fault:  # the others are measured nonetheless
                print(fault, file=sys.stderr)
                found.wrong += 1
    notes = [
        machine(),
        NOTE,
        f"least / median / greatest of {options.rounds} alternating rounds; against the first: within its round",
        "64 threads and 5 s of grace for each; all servers of one number of processes ran side by side",
    ]
    if found.client_cores:
        least, most = min(found.client_cores), max(found.client_cores)
        notes.append(f"the {CLIENTS} clients took {least:.2f} to {most:.2f} of {os.cpu_count()} cores")
    table = [[what, *cells] for what, cells in found.rows]
    print_table("Servers", notes, ["", *(one.name for one in candidates.values())], table)
    if found.wrong:
        print(f"{found.wrong} answers were not as they should be", file=sys.stderr)
    return 1 if found.wrong else 0


def _steps(
    clients: Clients, candidates: Mapping[str, Candidate], options: argparse.Namespace
) -> Iterator[Callable[[Measured], None]]:
    for workers in options.workers:
        if "throughput" in options.only:
            yield partial(throughput.measure, clients, candidates, workers, options.rounds, options.seconds)
        if "slow" in options.only:
            yield partial(slow_clients.measure, clients, candidates, workers, max(1, options.rounds // 2))
    if "stop" in options.only:
        yield partial(stopping.measure, candidates)


if __name__ == "__main__":
    sys.exit(main())
