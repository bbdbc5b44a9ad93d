"""What a server process needs before its first call, loaded once and shared with the processes it forks."""

from __future__ import annotations

import gc
from importlib import import_module

from cards.card import Coding
from cards.fhir.draft_orders import FhirVersion
from cards.fhir.referral import draft_referral
from cds_service.errors import operation_outcome
from cds_service.served_content import served_topics
from cds_service.settings.settings import Settings


def preload(settings: Settings) -> None:
    """Load content, libraries and models: workers that are forked afterwards share them, and start with them.

    One of each thing that we author is made, because its FHIR model is imported by the first of its kind. No garbage is
    collected from here on, until a worker begins: a collection would write to the pages that are to be shared.
    """
    gc.disable()
    import_module("cds_service.server.body_buffering")  # the application, and all it imports
    served_topics(settings)
    operation_outcome("preload", "processing")
    for version in FhirVersion:
        draft_referral(version, "preload", Coding("preload", "preload", "preload"), "preload", None)
    gc.freeze()
