// Why / why not: what the service would say of the very request that was sent.

import { SERVICE, ask } from "./wire.js";

const URGENT = ["stat", "asap", "urgent"];
const byId = (id) => document.getElementById(id);

/** Explain a call beside its answer; `isLatest()`: whether no later call was made. */
export async function explain(body, exchange, state, isLatest) {
  byId("why-note").textContent = "Working out why …";
  try {
    const asRead = await asTheServiceReadIt(body, state);
    const { fhirAuthorization, ...request } = asRead; // no token is needed to explain
    const { html, verdicts } = await ask(`explanation?${SERVICE}`, request);
    if (!isLatest()) return;
    byId("verdicts").replaceChildren(...verdicts.map(verdict));
    byId("explanation").innerHTML = html; // of the service's own template, which escapes
    byId("why-note").textContent = remark(exchange, verdicts, state, asRead !== body);
  } catch (problem) {
    if (!isLatest()) return;
    byId("verdicts").replaceChildren();
    byId("explanation").replaceChildren();
    byId("why-note").textContent = `Nothing to explain: ${problem.message}.`;
  }
}

/** What prefetch lacked, the service read from the FHIR server where that answers, unless the order is urgent. */
async function asTheServiceReadIt(body, state) {
  const wasRead = ["normal", "locked"].includes(state.server) && !["complete", "failed"].includes(state.prefetch);
  if (!wasRead || URGENT.includes(state.priority)) return body;
  const { prefetch } = await ask(`prefetch?${SERVICE}`, { base: body.fhirServer, patient: state.patient, mode: "complete" });
  return { ...body, prefetch };
}

function remark(exchange, verdicts, state, wasCompleted) {
  if (exchange.status === 401)
    return "The call was refused before it was read. With a valid token, the decision would be:";
  const came = new Set((exchange.json?.cards ?? []).map((one) => Object.values(one.extension ?? {})[0]?.card));
  if (exchange.status === 200 && !verdicts.every((one) => one.fires === came.has(one.card))) {
    return "The answer has different cards: the service read less of the chart, or silenced a card.";
  }
  if (exchange.status === 412 && wasCompleted)
    return "The service could not read this from the FHIR server.";
  if (wasCompleted) return "Data missing from prefetch is shown as on the FHIR server, if the service read it.";
  if (["slow", "failing", "locked-out"].includes(state.server) && state.prefetch !== "complete") {
    return "The FHIR server returned nothing, so the decision used prefetch only.";
  }
  return "";
}

function verdict({ card, fires, words }) {
  const item = document.createElement("li");
  item.className = fires ? "fires" : "not-shown";
  item.dataset.card = card;
  const [name, state, why] = ["strong", "span", "p"].map((tag) => document.createElement(tag));
  name.textContent = card;
  state.textContent = fires ? "shown" : "not shown";
  state.className = "verdict";
  why.textContent = fires ? words : `${words[0].toUpperCase()}${words.slice(1)}.`;
  item.append(name, state, why);
  return item;
}
