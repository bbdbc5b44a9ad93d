"""`python -m bench.bulk_export`: write a generated FHIR Bulk Data export of one hospital and one year.

The same seed, year, FHIR version and number of files give the same bytes. bench/bulk_export/README.md has the mix.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.bulk_export.files import Plan, write_export
from bench.bulk_export.resources import FHIR_VERSIONS
from bench.harness.report import print_table


def main() -> int:
    """Write it and say what was written."""
    parser = argparse.ArgumentParser(prog="python -m bench.bulk_export", description=__doc__)
    parser.add_argument("--patients", type=int, required=True, help="how many; about 11 kB and 18 lines each")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a folder that is new or empty")
    parser.add_argument("--seed", type=int, default=Plan.seed, help="(default: 1)")
    parser.add_argument("--year", type=int, default=Plan.year, help="of the orders (default: 2025)")
    parser.add_argument(
        "--fhir", choices=FHIR_VERSIONS, default=Plan.fhir, help="STU3 has ProcedureRequest (default: R4)"
    )
    parser.add_argument("--files", type=int, help="of each type (default: one for each 25,000 patients)")
    parser.add_argument("--gzip", action="store_true", help="compress the files")
    parser.add_argument("--no-manifest", action="store_true", help="leave manifest.json out")
    parser.add_argument(
        "--every-kind", action="store_true", help="begin with one patient of each story, and each fault"
    )
    parser.add_argument("--processes", type=int, help="that write (default: as many as there are processors)")
    options = parser.parse_args()
    plan = Plan(
        options.output,
        options.patients,
        options.seed,
        options.year,
        options.fhir,
        min(options.files or -(-options.patients // 25_000), options.patients),
        options.gzip,
        not options.no_manifest,
        options.every_kind,
    )
    began = time.monotonic()
    try:
        written = write_export(plan, options.processes)
    except FileExistsError as fault:
        print(f"bulk_export: {fault}: choose a new folder", file=sys.stderr)
        return 1
    megabytes = sum(path.stat().st_size for path in plan.folder.iterdir()) / 1e6
    counts = written.by_type()
    notes = [f"{megabytes:,.0f} MB, {sum(counts.values()):,} lines in {time.monotonic() - began:.0f} s"]
    print_table(
        "Export",
        notes,
        ["", "lines", "broken"],
        [[name, f"{lines:,}", f"{written.broken[name]:,}"] for name, lines in sorted(counts.items())],
    )
    print_table(
        "Stories", [], ["", "patients"], [[name, f"{count:,}"] for name, count in written.stories.most_common()]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
