"""Links to MedlinePlus Connect, which finds patient pages by the code of a problem, in English or Spanish.

The URL form is that of its web application (https://medlineplus.gov/medlineplus-connect/web-application/). It has the
code of the problem and the language, and nothing else of the patient: who opens the link tells both to MedlinePlus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cards.card import Link
from cards.terminology.match import Match

_APPLICATION = "https://connect.medlineplus.gov/application"
_OIDS = {"ICD-10-CM": "2.16.840.1.113883.6.90", "SNOMED CT": "2.16.840.1.113883.6.96"}
_CODE = re.compile(r"[A-Za-z0-9.]+")
_LABELS = {"en": "MedlinePlus Connect: {name}", "es": "MedlinePlus Connect: {name} (in Spanish)"}


def connect_links(problems: Iterable[tuple[str, Match]], language: str) -> list[Link]:
    """A link for each problem with an ICD-10-CM or SNOMED CT code. `problems`: our name of each, and its match."""
    spoken = language if language in _LABELS else "en"
    return [
        Link(
            _LABELS[spoken].format(name=name),
            url=f"{_APPLICATION}?mainSearchCriteria.v.c={match.code}&mainSearchCriteria.v.cs={_OIDS[match.code_system]}"
            f"&informationRecipient.languageCode.c={spoken}",
            language=spoken,
        )
        for name, match in problems
        if match.code and match.code_system in _OIDS and _CODE.fullmatch(match.code)
    ]
