"""A CDS Hooks service on HealthChain, as its documentation builds one; started by `against_healthchain`.

Its handlers do the least that could be called an answer: one walks the raw dictionaries of the prefetch for a code and
returns one short card, the other returns no card without looking. No FHIR model, no words, no events, no CORS. Two
services, because a HealthChain handler cannot tell the orders apart: CDSRequest keeps userId and patientId of the
context, and not its draftOrders.
"""

from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.gateway.cds import CDSHooksConfig
from healthchain.models.requests.cdsrequest import CDSRequest
from healthchain.models.responses.cdsresponse import CDSResponse

_CODE = "18347007"

cards = CDSHooksService(CDSHooksConfig(base_path="/cards"), use_events=False)
silent = CDSHooksService(CDSHooksConfig(base_path="/silent"), use_events=False)


@cards.hook("order-sign", id="bench")
def one_card(request: CDSRequest) -> CDSResponse:
    """One card where a Condition has this code."""
    entries = request.prefetch["conditions"]["entry"]
    found = [
        entry["resource"]["id"]
        for entry in entries
        if any(coding["code"] == _CODE for coding in entry["resource"]["code"]["coding"])
    ]
    summary = f"Found: {len(found)}"
    return CDSResponse(cards=[{"summary": summary, "indicator": "info", "source": {"label": "bench"}}] if found else [])


@silent.hook("order-sign", id="bench")
def no_card(request: CDSRequest) -> CDSResponse:
    """No card."""
    return CDSResponse(cards=[])


app = HealthChainAPI(title="bench", enable_cors=False, enable_events=False)
app.register_service(cards, use_events=False)
app.register_service(silent, use_events=False)
