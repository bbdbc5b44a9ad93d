// Cards as the CDS Hooks Sandbox (github.com/cds-hooks/sandbox) shows them: most urgent first, the detail always open, one
// button for each suggestion and each link, and "Dismiss" with the override reasons. Raw HTML, which that client lets
// through, shows as text here. A card without a uuid has no "Dismiss".

import { composeOrder } from "./draft.js";
import { requestOf } from "./hook_request.js";
import { ask, send } from "./wire.js";

const ORDER = ["critical", "warning", "info"]; // what is none of these comes last
const page = document.body.dataset;

/** Show cards, with their details rendered by the service's own sandbox. */
export async function showCards(cards) {
  const sorted = [...cards].sort((one, other) => rank(one) - rank(other));
  const html = await ask(
    "details",
    sorted.map((one) => one.detail ?? ""),
  );
  const container = document.getElementById("cards");
  if (!cards.length) container.textContent = "No recommendations. All clear!";
  else container.replaceChildren(...sorted.map((card, index) => cardElement(card, html[index])));
}

function rank({ indicator }) {
  return ORDER.includes(indicator) ? ORDER.indexOf(indicator) : ORDER.length;
}

function cardElement(card, html) {
  const article = make("article", `card ${card.indicator ?? ""}`);
  article.dataset.card = Object.values(card.extension ?? {})[0]?.card ?? "";
  article.append(make("h2", "summary", card.summary));
  if (card.source?.label) {
    const source = make("p", "source", "Source: ");
    source.append(make("span", "inert-link", card.source.label)); // the link of that client leads nowhere
    article.append(source);
  }
  if (card.detail) {
    const detail = make("div", "detail");
    detail.innerHTML = html; // sanitized by the service's own sandbox
    article.append(detail);
  }
  article.append(buttons("suggestions", card.suggestions), buttons("links", card.links));
  if (card.uuid) article.append(dismissal(card));
  return article;
}

function buttons(className, list) {
  const group = make("div", className);
  for (const one of list ?? []) group.append(button(one.label));
  return group;
}

function dismissal(card) {
  const group = make("div", "dismissal");
  group.append(button("Dismiss"));
  if (card.overrideReasons?.length) {
    const select = make("select");
    select.setAttribute("aria-label", "Reason for dismissing the card");
    select.append(new Option("Select an override reason", ""), ...card.overrideReasons.map((one) => new Option(one.display)));
    group.append(select);
  }
  return group;
}

function button(label) {
  return Object.assign(make("button", "", label), { type: "button" });
}

function make(tag, className = "", textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent });
}

async function show() {
  const state = JSON.parse(page.form);
  const status = document.getElementById("status");
  try {
    const body = await requestOf(state, page.hook, [composeOrder(state)]);
    const exchange = await send("call", state.sign === "yes", body);
    await showCards(exchange.json?.cards ?? []);
    status.textContent =
      exchange.status === 200
        ? `The service answered with ${exchange.json.cards.length === 1 ? "1 card" : `${exchange.json.cards.length} cards`}.`
        : `The service answered ${exchange.status}. The reference client shows nothing of it but this:`;
  } catch (problem) {
    status.textContent = `The call was not sent: ${problem.message}.`;
  }
}

if (page.fire === "yes") show();
