"""python -m tests.fuzz: send generated calls, print the answers by endpoint and status; exit 1 if one is wrong."""

from __future__ import annotations

import argparse
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.calls import MadeUpCall
from tests.fuzz.production import production_under_fuzz
from tests.fuzz.run import SEED_STEP, one_process
from tests.fuzz.service import service_under_fuzz
from tests.fuzz.tally import Broken, Findings, Tally


def main() -> int:
    """0 where every answer was one that may be, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000, help="calls to make up (default: 100,000)")
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run, to make up the same calls again")
    parser.add_argument("--seconds", type=float, default=3_600, help="stop after this time (default: an hour)")
    parser.add_argument("--processes", type=int, default=2, help="how many work at once (default: 2)")
    parser.add_argument("--again", type=Path, help="send only the calls of this file, one a line as printed")
    parser.add_argument(
        "--profile", choices=["development", "production"], default="development", help="production: tokens, too"
    )
    options = parser.parse_args()
    production = options.profile == "production"
    started = time.monotonic()
    if options.again:
        tally, findings = _again(options.again, production)
    else:
        seed = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
        again = f"--profile {options.profile} --seed {seed} --processes {options.processes}"
        sys.stdout.write(f"{options.examples:,} calls, {again}\n")
        sys.stdout.flush()
        tally, findings = _in_processes(options.examples, seed, options.seconds, options.processes, production)
    return _report(tally, findings, time.monotonic() - started)


def _in_processes(examples: int, seed: int, seconds: float, processes: int, production: bool) -> tuple[Tally, Findings]:
    tally, findings = Tally(), Findings()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        shares = [examples // processes + (index < examples % processes) for index in range(processes)]
        runs = [
            pool.submit(one_process, share, seed + index * 100 * SEED_STEP, seconds, index == 0, production)
            for index, share in enumerate(shares)
        ]
        for run in runs:
            answers, found = run.result()
            tally.answers += answers.answers
            findings.counts += found.counts
            findings.first = found.first | findings.first
    return tally, findings


def _again(file: Path, production: bool) -> tuple[Tally, Findings]:
    findings = Findings()
    under_fuzz = production_under_fuzz if production else service_under_fuzz
    with TemporaryDirectory() as folder, under_fuzz(Path(folder)) as service:
        for line in filter(None, file.read_text(encoding="utf-8").splitlines()):
            try:
                service.send(MadeUpCall.from_json(line))
            except Broken as broken:
                findings.add(broken)
    return service.tally, findings


def _report(tally: Tally, findings: Findings, seconds: float) -> int:
    lines = [str(tally), f"{tally.total:,} answers in {seconds:,.0f} s, {tally.of_status(500):,} of them 5xx"]
    for kind, times in findings.counts.most_common():
        broken = findings.first[kind]
        lines += [
            "",
            f"{times:,} times {broken.what}",
            "send it again (--again takes a file of such lines; a token has new keys each time: use --seed):",
            broken.again,
        ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if findings.counts else 0


if __name__ == "__main__":
    sys.exit(main())
