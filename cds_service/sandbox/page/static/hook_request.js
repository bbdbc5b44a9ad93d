// The body of a hook call, as an EHR would send it.

import { bundleOf, referenceTo } from "./draft.js";
import { fhirBases } from "./state.js";
import { SERVICE, ask } from "./wire.js";

const page = document.body.dataset;

/** The request for a state of the form and its draft orders, with the prefetch filled in. */
export async function requestOf(state, hook, drafts) {
  const bases = fhirBases(state);
  const body = { hook, hookInstance: crypto.randomUUID() };
  if (bases.call) body.fhirServer = bases.call;
  if (bases.call && state.server === "locked") {
    body.fhirAuthorization = {
      access_token: page.accessToken,
      token_type: "Bearer",
      expires_in: 300,
      scope: "patient/*.read",
      subject: "cds-service-sandbox",
    };
  }
  body.context = { userId: page.user, patientId: state.patient, draftOrders: bundleOf(drafts) };
  if (hook === "order-select") body.context.selections = [referenceTo(drafts[0])];
  const { prefetch } = await ask(`prefetch?${SERVICE}`, {
    base: bases.call ?? bases.plain,
    patient: state.patient,
    mode: state.prefetch,
  });
  if (Object.keys(prefetch).length) body.prefetch = prefetch;
  return body;
}
