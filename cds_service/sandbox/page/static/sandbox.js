// The sandbox page: a patient, an order, a hook, and the result. The calls go to the service's real endpoints.

import { countCards, showCards, showNone } from "./cards.js";
import { applySuggestion, composeOrder, referenceTo, showDrafts } from "./draft.js";
import { requestOf } from "./hook_request.js";
import { fhirBases, isOtherServer, readForm, writeAddress } from "./state.js";
import { explain } from "./why.js";
import { SERVICE, addExchange, ask, send, showAnswer, showRequest, wireTabs } from "./wire.js";

const byId = (id) => document.getElementById(id);
const page = document.body.dataset;

let drafts = [];
let taken = []; // suggestions, each with the drafts as they were before it
let fired = "";
let call = 0; // the latest call wins: answers to earlier ones are dropped

function compose() {
  const state = readForm();
  drafts = state.patient ? [composeOrder(state)] : [];
  taken = [];
  byId("order-other").hidden = state.order !== "other";
  byId("reason-other").hidden = state.reason !== "other";
  refreshDrafts();
}

function refreshDrafts() {
  showDrafts(byId("drafts"), drafts, (gone) => {
    const without = (list) => list.filter((one) => referenceTo(one) !== referenceTo(gone));
    drafts = without(drafts);
    taken = taken.map((one) => ({ ...one, before: without(one.before) }));
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
  showAddress(readForm());
  if (!byId("empty")) {
    byId("cards").classList.add("outdated");
    say("The form has changed: sign or select again.");
  }
}

/** The state in the address, and in the link to the same cards as the reference client shows them. */
function showAddress(state, hook) {
  const query = writeAddress(state, hook);
  const link = byId("ehr-view");
  link.hidden = Boolean(state.base) || !state.patient;
  query.delete("patient");
  link.href = `/sandbox/ehr-view/${encodeURIComponent(state.patient)}?${query}`;
}

async function showChart() {
  const state = readForm();
  if (!state.patient) return;
  const query = new URLSearchParams({ base: fhirBases(state).plain, patient: state.patient });
  try {
    const { patient, timeline } = await ask(`chart?${SERVICE}&${query}`);
    if (readForm().patient !== state.patient) return;
    byId("chart").hidden = false;
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
  showAddress(state, hook);
  byId("cards").setAttribute("aria-busy", "true");
  byId("cards").classList.remove("outdated");
  say("Asking …");
  try {
    const body = await requestOf(state, hook, drafts);
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

async function showOutcome(exchange, state) {
  const cards = exchange.json?.cards;
  if (exchange.status === 200 && cards?.length) {
    const html = await ask(
      "details",
      cards.map((one) => one.detail ?? ""),
    );
    taken = [];
    showCards(byId("cards"), cards, html, (kind, card, ...more) => feedback(kind, card, state, ...more), undo);
    say(`${countCards(cards)} Answered in ${exchange.took.toFixed(0)} ms.`);
  } else if (exchange.status === 200) {
    showNone(byId("cards"), "No card", [
      "The order goes through, and the clinician is not interrupted.",
      "See Why / why not for the reason.",
    ]);
    say("No card.");
  } else {
    const diagnostics = exchange.json?.issue?.[0]?.diagnostics;
    showNone(
      byId("cards"),
      `The service answered ${exchange.status}`,
      [
        diagnostics ? sentence(diagnostics) : "It gave no reason.",
        "In an EHR the clinician does not see this, and the order goes through.",
      ],
      "failed",
    );
    say(`The service answered ${exchange.status}.`);
  }
}

/** Take back a suggestion: the drafts as they were before it, and then those that were taken after it. */
function undoSuggestion(suggestion) {
  const at = taken.findIndex((one) => one.suggestion === suggestion);
  const [undone, ...later] = taken.splice(at);
  drafts = undone.before;
  for (const one of later) take(one.suggestion);
  refreshDrafts();
}

function take(suggestion) {
  taken.push({ suggestion, before: drafts });
  drafts = applySuggestion(drafts, suggestion);
}

function undo(kind, suggestion) {
  if (kind === "accept") undoSuggestion(suggestion);
  const what = kind === "accept" ? "The draft is restored" : "The card is shown again";
  say(`${what}. The feedback that was sent stays: CDS Hooks cannot take it back.`);
}

async function feedback(kind, card, state, chosen, comment) {
  const entry = { card: card.uuid, outcome: kind === "accept" ? "accepted" : "overridden" };
  if (kind === "accept") {
    take(chosen);
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
    say(`${done}; feedback ${exchange.status < 300 ? "was stored" : `was answered with ${exchange.status}`}.`);
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
  fire(event.submitter?.value ?? document.querySelector(".fire .suggested").value).then(() => {
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

if (matchMedia("(max-width: 52rem)").matches && byId("compose-form").dataset.isNew === "yes")
  for (const fold of document.querySelectorAll(".fold")) fold.open = false; // the cards come first on a phone
wireTabs(byId("tabs"));
document.documentElement.classList.add("ready");
if (isOtherServer()) await listPatients();
else compose();
showDiscovery();
if (page.fire === "yes") fire(document.querySelector(".fire .suggested").value);
