"""`python -m bench`: prints every figure. Exit status 1 where the server did not answer as it should."""

from __future__ import annotations

import argparse
import sys

from bench.in_process import print_growth, print_ratios
from bench.over_http import print_load
from bench.report import machine


def main() -> int:
    """Measure, print, and say whether all answers were good."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each figure is measured (default: 7)")
    parser.add_argument("--seconds", type=float, default=5.0, help="load over HTTP, each kind of call (default: 5)")
    options = parser.parse_args()
    print(machine())
    print_ratios(options.rounds)
    print_growth(options.rounds)
    return 1 if print_load(options.rounds, options.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
