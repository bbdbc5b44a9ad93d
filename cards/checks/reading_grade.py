"""How hard a patient page is to read. The syllables are estimated by rules, and the formulas are our own few lines.

textstat, the library that is kept up for this, needs a corpus that is downloaded at run time, so it works only online.

English: Flesch (J Appl Psychol 1948;32:221-233), as a school grade after Kincaid et al. (Naval Technical Training
Command, Research Branch Report 8-75, 1975). Spanish: Fernández Huerta (Consigna 1959;214:29-32), with the terms as
corrected since, which is an ease, higher is easier: 206.84 - 60 P - 1.02 F, P syllables per word, F words per sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from cards.content.files import ContentError, read_text
from cards.content.texts import Text

HARDEST_ENGLISH = 6.0  # school grade
HARDEST_SPANISH = 55.0  # ease

_SENTENCE_END = re.compile(r"(?<=[.!?])[”’\"')]*\s+|\n+")
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CITATION = re.compile(r"\s*\[[a-z0-9-]+\](?!\()")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_HEADING = re.compile(r"#+\s.*|\*\*[^*]+\*\*")
_BULLET = re.compile(r"(?:[-*+]|\d+\.)\s+")

_SILENT = re.compile(
    r"(?<=[^aeiouyl])e$|(?<=[aeiouy]l)e$|(?<=[^aeiouyscxzhg])es$|(?<=[^aeiouytd])ed$|(?<=[^aeiouy])e(?=(?:ly|ness|ful)$)"
)
_ENGLISH_VOWELS = re.compile(r"[aeiouy]+")
_ENGLISH_HIATUS = re.compile(r"[^aeiouytscg]i[ao]|[^qg]uid|[aeiouy]ing|rea$|dea$|iet")
_SPANISH_SILENT_U = re.compile(r"(?<=q)u|(?<=g)u(?=[eéií])")
_SPANISH_VOWELS = re.compile(r"(?:[aeiouáéíóúü]|y(?![aeiouáéíóú]))+")
_SPANISH_STRONG = re.compile(r"[aeoáéíóú]")


def flesch_kincaid_grade(text: str) -> float:
    """The school grade of plain English; a sentence ends at a full stop or a line's end. Raises ValueError if empty."""
    words_per_sentence, syllables_per_word = _measure(text, _english_syllables)
    return 0.39 * words_per_sentence + 11.8 * syllables_per_word - 15.59


def fernandez_huerta(text: str) -> float:
    """The ease of plain Spanish; a sentence ends at a full stop or a line's end. Raises ValueError if empty."""
    words_per_sentence, syllables_per_word = _measure(text, _spanish_syllables)
    return 206.84 - 60 * syllables_per_word - 1.02 * words_per_sentence


def plain_sentences(page: Text) -> list[tuple[int, str]]:
    """What a page says, each sentence with its line: headings, marks and citations gone, a bullet ends a sentence."""
    sentences = []
    for number, line in enumerate(read_text(page.path).split("\n"), start=1):
        line = line.strip()
        if number < page.first_line or _HEADING.fullmatch(line):
            continue
        plain = _LINK.sub(r"\1", _CITATION.sub("", _BULLET.sub("", line, count=1)))
        sentences += [(number, sentence) for sentence in _sentences(re.sub(r"[*_`]", "", plain))]
    return sentences


def find_hard_reading(page: Text, language: str) -> Iterator[str]:
    """A fault where a page is too hard, at its longest sentence. Silent in a language for which we have no formula."""
    sentences = plain_sentences(page)
    plain = "\n".join(sentence for _, sentence in sentences)
    if language == "en" and sentences and (grade := flesch_kincaid_grade(plain)) > HARDEST_ENGLISH:
        verdict = f"reads at school grade {grade:.1f}, above {HARDEST_ENGLISH:g}"
    elif language == "es" and sentences and (ease := fernandez_huerta(plain)) < HARDEST_SPANISH:
        verdict = f"reads at an ease of {ease:.1f}, below {HARDEST_SPANISH:g}"
    else:
        return
    line, longest = max(sentences, key=lambda numbered: len(_WORD.findall(numbered[1])))
    words = len(_WORD.findall(longest))
    yield str(ContentError(page.path, f"{verdict}; the longest sentence has {words} words: {longest}", line))


def _measure(text: str, count_syllables: Callable[[str], int]) -> tuple[float, float]:
    """Words per sentence and syllables per word."""
    sentences = _sentences(text)
    words = [word for sentence in sentences for word in _WORD.findall(sentence)]
    if not words:
        raise ValueError("there are no words to grade")
    return len(words) / len(sentences), sum(map(count_syllables, words)) / len(words)


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE_END.split(text) if _WORD.search(sentence)]


def _english_syllables(word: str) -> int:
    """Groups of vowels, less a silent ending, plus vowels that are spoken apart ("flu-id"); a number counts as one."""
    word = re.sub(r"['’]s$", "", word.lower())
    spoken = _SILENT.sub("", word) if len(_ENGLISH_VOWELS.findall(word)) > 1 else word
    return max(len(_ENGLISH_VOWELS.findall(spoken)) + len(_ENGLISH_HIATUS.findall(word)), 1)


def _spanish_syllables(word: str) -> int:
    """Groups of vowels; within one, each strong or accented vowel is a syllable ("ca-er", "dí-a", but "bien")."""
    groups = _SPANISH_VOWELS.findall(_SPANISH_SILENT_U.sub("", word.lower()))
    return max(sum(max(len(_SPANISH_STRONG.findall(group)), 1) for group in groups), 1)
