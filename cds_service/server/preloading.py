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
    """Load content, libraries and FHIR models, which the workers that are forked afterwards share.

    One resource of each type that we author is made, because the first one imports its FHIR model. Garbage collection
    has to be off until a worker starts, because it would write to the shared memory pages.
    """
    import_module("cds_service.server.door")  # the application and its imports
    served_topics(settings)
    operation_outcome("preload", "processing")
    for version in FhirVersion:
        draft_referral(version, "preload", Coding("preload", "preload", "preload"), "preload", None)
    gc.freeze()
