"""`python -m bench`: prints every figure with its aim. Exit status 1 if an answer was wrong.

A missed aim is printed, and does not change the exit status.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench.harness.figures import Aim
from bench.harness.report import machine, print_aims
from bench.measurements import against_healthchain, doors, fetch, growth, over_http, production, stages, start

_PARTS: dict[str, Callable[[int, float], tuple[list[Aim], int]]] = {
    "stages": stages.measure,
    "growth": growth.measure,
    "http": over_http.measure,
    "doors": doors.measure,
    "production": production.measure,
    "start": start.measure,
    "fetch": fetch.measure,
    "healthchain": against_healthchain.measure,
}


def main() -> int:
    """Measure and print. The exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_parts, default=list(_PARTS), help=f"of {','.join(_PARTS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="load over HTTP, each kind of call (default: 5)")
    options = parser.parse_args()
    print(machine())
    aims: list[Aim] = []
    wrong: dict[str, str] = {}
    for name in options.only:
        try:
            found, errors = _PARTS[name](options.rounds, options.seconds)
        except Exception as fault:  # the other parts are still measured
            wrong[name] = f"{type(fault).__name__}: {fault}"
            continue
        aims += found
        if errors:
            wrong[name] = f"{errors} answers were wrong"
    if aims:
        print_aims(aims)
    for name, fault_of_it in wrong.items():
        print(f"{name}: {fault_of_it}", file=sys.stderr)
    return 1 if wrong else 0


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(_PARTS):
        raise argparse.ArgumentTypeError(f"parts are {', '.join(_PARTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
