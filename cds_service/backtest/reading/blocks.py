"""Blocks of an export: what one task reads, line by line.

A plain file is cut at line ends into blocks of about the same size. A compressed file is one block, read as a stream.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import fsspec
from fsspec.utils import read_block

from cds_service.backtest.reading.export_files import DAMAGED, ExportFile

BLOCK_BYTES = 16_000_000
_MARK = b"\xef\xbb\xbf"  # some tools begin a UTF-8 file with it


@dataclass(frozen=True)
class Block:
    """A part of a file. `size` None: all of a compressed file; `stored_bytes`: for the progress bar."""

    url: str
    resource_type: str
    start: int
    size: int | None
    stored_bytes: int


def cut(files: Iterable[ExportFile], block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of these files, every byte in exactly one."""
    for file in files:
        if file.is_compressed:
            yield Block(file.url, file.resource_type, 0, None, file.size)
            continue
        for start in range(0, file.size, block_bytes):
            size = min(block_bytes, file.size - start)
            yield Block(file.url, file.resource_type, start, size, size)


def read_lines(block: Block, unread: Counter[str]) -> Iterator[bytes]:
    """The lines of a block that are not empty, without their ends. A line belongs to the block it begins in.

    A line that is not one JSON object is left out and counted in `unread`; so is the damaged end of a compressed file.
    """
    with fsspec.open(block.url, "rb") as stored:
        lines = _stream(stored, unread) if block.size is None else _cut_lines(stored, block)
        for line in lines:
            text = line.strip(b" \t\r\n" + _MARK) if line[:1] != b"{" or line[-1:] != b"}" else line
            if text[:1] == b"{" and text[-1:] == b"}":
                yield text
            elif text:
                unread["line-not-json"] += 1


def _cut_lines(stored: object, block: Block) -> list[bytes]:
    whole: bytes = read_block(stored, block.start, block.size, delimiter=b"\n")
    return whole.split(b"\n")


def _stream(stored: object, unread: Counter[str]) -> Iterator[bytes]:
    try:
        yield from gzip.GzipFile(fileobj=stored)  # type: ignore[call-overload]
    except DAMAGED:
        unread["file-damaged"] += 1
