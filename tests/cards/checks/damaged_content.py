"""A copy of the content, to be damaged: one change for each fault that loading, or the content check, must find."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from cards.content.topic_files import SHARED_LEXICON, SHARED_VALUE_SETS, TopicFiles
from tests.content import FILES

Change = Callable[[str], str]
_SHARED = {"value_sets": SHARED_VALUE_SETS, "lexicon": SHARED_LEXICON}  # copied where a file of theirs is damaged
SERVICE = "topic/service.yaml"
TEXT = "topic/text/"
EXPECT = TEXT + "what-to-expect.en.md"
CONFOUNDERS = TEXT + "confounders.en.md"
NERVE = TEXT + "nerve-class-usual.en.md"
BLEEDING = TEXT + "bleeding-risk.en.md"
FLAGS = TEXT + "red-flags.en.md"
REFERRAL = TEXT + "referral.en.md"
UNKNOWN = TEXT + "pain-class-unknown.en.md"
PHRASES = TEXT + "phrases.en.yaml"
STENOSIS = "value_sets/spinal-stenosis.json"
TERMS = "lexicon/red-flags.yaml"
PAGE = "topic/patient_pages/lumbar-puncture.en.md"
PAGE_ES = "topic/patient_pages/lumbar-puncture.es.md"


def copy_topic(folder: Path) -> Path:
    """A folder with a copy of the topic's own files."""
    shutil.copytree(FILES.folder, folder / "topic", ignore=shutil.ignore_patterns("*.py*"))
    return folder


def files_of(content: Path) -> TopicFiles:
    """The copy, with the real shared files where none of them is damaged."""
    shared = {name: content / name if (content / name).exists() else real for name, real in _SHARED.items()}
    return TopicFiles(content / "topic", shared["value_sets"], shared["lexicon"])


def copy_of(content: Path, file: str) -> Path:
    """A file that may be damaged, by its folder and name."""
    folder = file.partition("/")[0]
    if folder in _SHARED and not (content / folder).exists():
        shutil.copytree(_SHARED[folder], content / folder)
    return content / file


def damage(content: Path, file: str, change: Change) -> None:
    path = copy_of(content, file)
    sound = path.read_text(encoding="utf-8")
    assert change(sound) != sound, "this change breaks nothing"
    path.write_text(change(sound), encoding="utf-8")


def place_of(content: Path, file: str, words: str) -> str:
    """`folder/file:line` of the first line that begins with these words, or else holds them."""
    path = content / file
    lines = list(enumerate(path.read_text(encoding="utf-8").split("\n"), 1))
    number = next((at for at, line in lines if line.startswith(words)), 0) or next(
        at for at, line in lines if words in line
    )
    return f"{path.parent.name}/{path.name}:{number}"


def swap(old: str, new: str) -> Change:
    return lambda text: text.replace(old, new, 1)


def add(words: str) -> Change:
    return lambda text: f"{text}\n{words}\n"


def cut_line(words: str) -> Change:
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if words not in line)
