"""docs/production.md is run as it stands: its commands in one shell, in its order; what it promises is what they print.

A block of commands is fenced as `sh`. A block fenced as `text` below it is its output, standard error included: each of
its lines must come in this order, and `…` stands for what differs from run to run.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.places import ROOT
from tests.server_process import environment, free_port

PAGE = (ROOT / "docs/production.md").read_text("utf-8")
STEPS = [
    "make setup",
    "cds-service keys new",
    "CDS_CLIENTS_FILE",
    "cds-service db upgrade",
    "cds-service doctor",
    "cds-service serve",
    "cds-service call",
    "cds-service keys token",
    "--accept",
    "kill",
    "cds-service report",
]
_ENDS_S = 300
_FENCES = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands, and the lines that they are said to print."""

    commands: str
    promised: tuple[str, ...] = ()


def blocks() -> list[Block]:
    """The blocks of the page, in its order."""
    found: list[Block] = []
    for kind, text in _FENCES.findall(PAGE):
        if kind == "sh":
            found.append(Block(text))
        else:
            found[-1] = Block(found[-1].commands, tuple(text.splitlines()))
    return found


def first_line_missing(promised: tuple[str, ...], output: str) -> str | None:
    """The first line that is promised and does not come after those before it."""
    lines = iter(output.splitlines())
    for line in promised:
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        if not any(pattern.fullmatch(printed) for printed in lines):
            return line
    return None


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block prints, of all blocks run in one shell, which begins in this clone with an empty home."""
    folder = tmp_path_factory.mktemp("production")
    files = [folder / f"output-{number}" for number in range(len(blocks()))]
    script = ["set -euo pipefail"]
    for file, block in zip(files, blocks(), strict=True):
        script += [f"exec > '{file}' 2>&1", block.commands]
    command = ["bash", "-c", "\n".join(script)]
    variables = environment(HOME=str(folder), CDS_PORT=str(free_port()), PYTHONPATH=str(ROOT))
    shell = subprocess.Popen(command, cwd=ROOT, env=variables, start_new_session=True)  # noqa: S603 - our own page
    try:
        status = shell.wait(_ENDS_S)
    finally:
        end_group(shell.pid)
    texts = [file.read_text("utf-8") for file in files if file.exists()]
    assert status == 0, f"block {len(texts)} ended with {status}:\n{texts[-1][-4_000:]}"
    return texts


def end_group(group: int) -> None:
    """End what a shell left behind, by its own process group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def test_the_page_goes_through_every_step_in_order() -> None:
    everything = "".join(block.commands for block in blocks())
    places = [everything.find(step) for step in STEPS]
    assert -1 not in places
    assert places == sorted(places)
    assert sum(bool(block.promised) for block in blocks()) >= len(STEPS) - 3


@pytest.mark.parametrize(
    ("promised", "kept"),
    [
        pytest.param(("200 in … ms", "done"), True, id="two lines, in order, others between them"),
        pytest.param(("done", "200 in … ms"), False, id="the wrong order"),
        pytest.param(("200 in 3 ms",), False, id="another number"),
        pytest.param(("200 in",), False, id="a part of a line"),
    ],
)
def test_a_promise_that_is_not_kept_is_noticed(promised: tuple[str, ...], kept: bool) -> None:
    assert (first_line_missing(promised, "begun\n200 in 4 ms\n\ndone\n") is None) is kept


@pytest.mark.parametrize("number", range(len(blocks())), ids=lambda number: blocks()[number].commands.splitlines()[0])
def test_a_block_prints_what_the_page_promises(outputs: list[str], number: int) -> None:
    missing = first_line_missing(blocks()[number].promised, outputs[number])
    assert missing is None, f"{missing!r} is not in\n{outputs[number]}"
