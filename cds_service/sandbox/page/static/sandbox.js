// The sandbox page: a patient, an order, a hook, and what came of it. The calls go to the service's real endpoints.

import { countCards, showCards, showNone } from "./cards.js";
import { applySuggestion, bundleOf, composeOrder, referenceTo, showDrafts } from "./draft.js";
import { fhirBases, isOtherServer, readForm, writeAddress } from "./state.js";
import { explain } from "./why.js";
import { SERVICE, addExchange, ask, send, showAnswer, showRequest, wireTabs } from "./wire.js";

const byId = (id) => document.getElementById(id);
const page = document.body.dataset;

let drafts = [];
let fired = "";
let call = 0; // the latest call wins: answers to earlier ones are dropped

function compose() {
  const state = readForm();
  drafts = state.patient ? [composeOrder(state)] : [];
  byId("order-other").hidden = state.order !== "other";
  byId("reason-other").hidden = state.reason !== "other";
  refreshDrafts();
}

function refreshDrafts() {
  showDrafts(byId("drafts"), drafts, (gone) => {
    drafts = drafts.filter((one) => one !== gone);
    refreshDrafts();
    say(`${referenceTo(gone)} is no longer in the draft.`);
  });
}

function sentence(words) {
  return `${words[0].toUpperCase()}${words.slice(1).replace(/[.?]$/, "")}${words.endsWith("?") ? "?" : "."}`;
}

function say(words) {
  byId("status").textContent = words;
}

/** What was answered belongs to a form that has changed: say so, and keep it readable. */
function outdate() {
  fired = "";
  writeAddress(readForm());
  if (!byId("empty")) {
    byId("cards").classList.add("outdated");
    say("The form has changed since: sign or select again.");
  }
}

async function showChart() {
  const state = readForm();
  if (!state.patient) return;
  const query = new URLSearchParams({ base: fhirBases(state).plain, patient: state.patient });
  try {
    const { patient, timeline } = await ask(`chart?${SERVICE}&${query}`);
    if (readForm().patient !== state.patient) return;
    byId("banner-name").textContent = patient.name;
    byId("banner-facts").textContent = [patient.gender, patient.birthDate && `born ${patient.birthDate}`, patient.id]
      .filter(Boolean)
      .join(" · ");
    byId("timeline").innerHTML = timeline; // of the service's own template, which escapes
  } catch (problem) {
    byId("timeline").replaceChildren(
      Object.assign(document.createElement("p"), {
        className: "error",
        textContent: `The chart could not be read: ${problem.message}.`,
      }),
    );
  }
}

async function fire(hook) {
  const state = readForm();
  if (!state.patient) {
    say("Choose a patient first.");
    return;
  }
  const mine = ++call;
  fired = hook;
  writeAddress(state, hook);
  byId("cards").setAttribute("aria-busy", "true");
  byId("cards").classList.remove("outdated");
  say("Asking …");
  try {
    const body = await requestOf(state, hook);
    const exchange = await send("call", state.sign === "yes", body);
    if (mine !== call) return;
    showRequest(byId("panel-request"), exchange);
    showAnswer(byId("panel-answer"), exchange);
    await showOutcome(exchange, state);
    if (mine !== call) return;
    byId("cards").removeAttribute("aria-busy"); // what explains them may come a little later
    await explain(body, exchange, state, () => mine === call);
  } catch (problem) {
    if (mine !== call) return;
    showNone(byId("cards"), "The call was not sent", [sentence(problem.message)], "failed");
    say("The call was not sent.");
  } finally {
    if (mine === call) byId("cards").removeAttribute("aria-busy");
  }
}

async function requestOf(state, hook) {
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

async function showOutcome(exchange, state) {
  const cards = exchange.json?.cards;
  if (exchange.status === 200 && cards?.length) {
    const html = await ask(
      "details",
      cards.map((one) => one.detail ?? ""),
    );
    showCards(byId("cards"), cards, html, (kind, card, ...more) => feedback(kind, card, state, ...more));
    say(`${countCards(cards)} Answered in ${exchange.took.toFixed(0)} ms.`);
  } else if (exchange.status === 200) {
    showNone(byId("cards"), "No card", [
      "The order goes its way, and nobody is interrupted.",
      "Why not, stands under Why / why not.",
    ]);
    say("No card.");
  } else {
    const diagnostics = exchange.json?.issue?.[0]?.diagnostics;
    showNone(
      byId("cards"),
      `The service answered ${exchange.status}`,
      [
        diagnostics ? sentence(diagnostics) : "It gave no reason.",
        "In an EHR the clinician sees nothing of this, and the order goes its way.",
      ],
      "failed",
    );
    say(`The service answered ${exchange.status}.`);
  }
}

async function feedback(kind, card, state, chosen, comment) {
  const entry = { card: card.uuid, outcome: kind === "accept" ? "accepted" : "overridden" };
  if (kind === "accept") {
    drafts = applySuggestion(drafts, chosen);
    refreshDrafts();
    entry.acceptedSuggestions = [{ id: chosen.uuid }];
  } else if (chosen || comment) {
    entry.overrideReason = {};
    if (chosen) entry.overrideReason.reason = chosen;
    if (comment) entry.overrideReason.userComment = comment;
  }
  entry.outcomeTimestamp = new Date().toISOString();
  const done = kind === "accept" ? "Applied to the draft" : "Dismissed";
  try {
    const exchange = await send("feedback", state.sign === "yes", { feedback: [entry] });
    addExchange(byId("panel-feedback"), exchange, kind === "accept" ? `Accepted: ${chosen.label}` : "Overridden");
    say(`${done}; feedback ${exchange.status < 300 ? "was taken" : `was answered with ${exchange.status}`}.`);
  } catch (problem) {
    say(`${done}; feedback was not sent: ${problem.message}.`);
  }
}

async function listPatients() {
  const [error, select] = [byId("base-error"), byId("server-patients")];
  error.hidden = true;
  try {
    const { fhirVersion, patients } = await ask(`patients?${new URLSearchParams({ base: byId("base").value.trim() })}`);
    if (!patients.length) throw new Error("the server has no patients");
    select.dataset.fhirVersion = fhirVersion;
    select.replaceChildren(...patients.map((one) => new Option(`${one.name} · ${one.birthDate || one.id}`, one.id)));
    const wanted = select.dataset.wanted;
    if (patients.some((one) => one.id === wanted)) select.value = wanted;
    useOtherServer(true);
  } catch (problem) {
    error.textContent = sentence(problem.message);
    error.hidden = false;
  }
}

function useOtherServer(other) {
  byId("patients").hidden = byId("story").hidden = other;
  byId("server-patient").hidden = byId("embedded-again").hidden = !other;
  for (const radio of document.querySelectorAll("input[name=patient]")) radio.disabled = other;
  for (const option of byId("server").options) option.disabled = other && !["normal", "none"].includes(option.value);
  if (other && byId("server").selectedOptions[0].disabled) byId("server").value = "normal";
  if (!other && !document.querySelector("input[name=patient]:checked"))
    document.querySelector("input[name=patient]").checked = true;
  patientChanged();
}

function patientChanged() {
  compose();
  outdate();
  showChart();
}

function storyChanged(radio) {
  byId("story").textContent = radio.dataset.story;
  byId("order").value = radio.dataset.order;
  for (const button of document.querySelectorAll(".fire button"))
    button.classList.toggle("suggested", button.value === radio.dataset.hook);
  patientChanged();
}

async function showDiscovery() {
  try {
    addExchange(byId("panel-discovery"), await send("discovery", page.tokensRequired === "yes"), "Discovery");
  } catch (problem) {
    byId("panel-discovery").textContent = `Discovery could not be read: ${problem.message}.`;
  }
}

byId("compose-form").addEventListener("submit", (event) => {
  event.preventDefault();
  fire(event.submitter?.value ?? document.querySelector(".fire button").value).then(() => {
    const cards = byId("cards").getBoundingClientRect();
    if (cards.top > innerHeight - 120) byId("ehr").scrollIntoView(); // on a phone they are far below the form
  });
});
byId("compose-form").addEventListener("change", (event) => {
  if (event.target.id === "service") location.search = `service=${encodeURIComponent(event.target.value)}`;
  else if (event.target.name === "patient") storyChanged(event.target);
  else if (event.target.id === "server-patients") patientChanged();
  else if (event.target.id !== "base") {
    if (!["prefetch", "server", "sign"].includes(event.target.id)) compose();
    outdate();
  }
});
byId("base").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  listPatients();
});
byId("list-patients").addEventListener("click", listPatients);
byId("embedded-again").addEventListener("click", () => useOtherServer(false));

wireTabs(byId("tabs"));
document.documentElement.classList.add("ready");
if (isOtherServer()) await listPatients();
else compose();
showDiscovery();
if (page.fire === "yes") fire(document.querySelector(".fire .suggested").value);
