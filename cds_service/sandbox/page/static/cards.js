// Cards as an EHR shows them: urgency, summary, folded detail, suggestions, links, dismissal.

const URGENCY = { critical: "Critical", warning: "Warning", info: "Information" };
const SHAPES = {
  // one shape for each urgency, so that color is never alone
  critical: "M8.6 2h6.8L22 8.6v6.8L15.4 22H8.6L2 15.4V8.6zM12 6.5v7M12 17v.5",
  warning: "M12 3 22.5 21h-21zM12 9.5v5M12 17.5v.5",
  info: "M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20zM12 11v6M12 7v.5",
};

/** Show cards; `html`: their rendered details. `act(kind, card, ...)` is called for every suggestion and dismissal,
 *  `undo(kind, suggestion)` where one is taken back. */
export function showCards(container, cards, html, act, undo) {
  container.replaceChildren(...cards.map((card, index) => cardElement(card, html[index], act, undo)));
}

/** What an EHR shows without a card: nothing. `words` explain it on this page. */
export function showNone(container, title, words, kind = "none") {
  const box = make("div", { className: `no-cards ${kind}` });
  box.append(
    make("p", { className: "no-cards-title", textContent: title }),
    ...words.map((one) => make("p", { textContent: one })),
  );
  container.replaceChildren(box);
}

/** "2 cards: 1 warning, 1 information", for the live region. */
export function countCards(cards) {
  if (!cards.length) return "No card.";
  const counts = Object.entries(URGENCY)
    .map(([key, words]) => [cards.filter((one) => one.indicator === key).length, words.toLowerCase()])
    .filter(([count]) => count);
  return `${cards.length} ${cards.length === 1 ? "card" : "cards"}: ${counts.map(([count, words]) => `${count} ${words}`).join(", ")}.`;
}

function cardElement(card, html, act, undo) {
  const name = card.extension ? Object.values(card.extension)[0]?.card : undefined;
  const article = make("article", { className: `card ${card.indicator}` });
  const title = make("h4", { id: `card-${card.uuid}`, textContent: card.summary });
  article.setAttribute("aria-labelledby", title.id);
  if (name) article.dataset.card = name;
  article.dataset.uuid = card.uuid ?? "";
  article.append(urgency(card), title);
  if (card.detail) article.append(detail(html));
  if (card.suggestions) article.append(suggestions(card, act, undo));
  if (card.links) article.append(links(card));
  article.append(source(card));
  const provenance = why(card);
  if (provenance) article.append(provenance);
  if (card.uuid) article.append(dismissal(card, article, act, undo));
  return article;
}

function urgency(card) {
  const line = make("p", { className: "urgency" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SHAPES[card.indicator] ?? SHAPES.info);
  svg.append(path);
  line.append(svg, URGENCY[card.indicator] ?? card.indicator);
  return line;
}

function detail(html) {
  const more = make("details", { className: "detail" });
  const body = make("div", { className: "markdown" });
  body.innerHTML = html; // rendered and sanitised by the service's own sandbox, never taken from the answer as it is
  for (const table of body.querySelectorAll("table")) {
    const scroll = make("div", { className: "scroll", tabIndex: 0 });
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Table of the card");
    table.replaceWith(scroll);
    scroll.append(table);
  }
  more.append(make("summary", { textContent: "Details" }), body);
  return more;
}

function suggestions(card, act, undo) {
  const group = make("div", { className: "suggestions" });
  group.setAttribute("role", "group");
  group.setAttribute(
    "aria-label",
    card.selectionBehavior === "at-most-one" && card.suggestions.length > 1
      ? "Suggestions, one at most"
      : "Suggestions",
  );
  for (const one of card.suggestions) {
    const button = make("button", { type: "button", textContent: one.label });
    button.dataset.suggestion = one.uuid ?? "";
    button.addEventListener("click", () => {
      const all = card.selectionBehavior === "at-most-one" ? [...group.querySelectorAll("button")] : [button];
      for (const each of all) each.disabled = true;
      button.classList.add("taken");
      button.textContent = `✓ ${one.label}`;
      const back = undoButton(`Undo: ${one.label}`, () => {
        for (const each of all) each.disabled = false;
        button.classList.remove("taken");
        button.textContent = one.label;
        back.remove();
        button.focus();
        undo("accept", one);
      });
      button.after(back);
      act("accept", card, one);
    });
    group.append(button);
  }
  return group;
}

function links(card) {
  const list = make("ul", { className: "links" });
  for (const one of card.links) {
    const item = make("li");
    const href = /^https?:/i.test(one.url) ? one.url : undefined;
    const link = make("a", { textContent: one.label, target: "_blank", rel: "noopener noreferrer" });
    if (href) link.href = href;
    link.append(make("span", { className: "hidden-words", textContent: " (opens in a new tab)" }));
    item.append(link);
    list.append(item);
  }
  return list;
}

function source(card) {
  const line = make("p", { className: "source", textContent: "Source: " });
  const { label, url } = card.source ?? {};
  line.append(
    url && /^https?:/i.test(url)
      ? make("a", { href: url, textContent: label, target: "_blank", rel: "noopener noreferrer" })
      : (label ?? "not given"),
  );
  return line;
}

/** Where the words of a card come from, as the service's extension says. */
function why(card) {
  const extension = card.extension ? Object.values(card.extension)[0] : undefined;
  if (!extension?.provenance?.length) return null;
  const more = make("details", { className: "why" });
  const list = make("ul");
  for (const one of extension.provenance) {
    const item = make("li");
    const coded = [one.code, one.date].filter(Boolean).join(", ");
    item.append(make("strong", { textContent: one.role ?? "" }), ` ${one.resource ?? ""}${coded ? ` (${coded})` : ""}`);
    if (one.valueSet)
      item.append(
        make("span", { className: "muted", textContent: ` in ${one.valueSet} ${one.valueSetVersion ?? ""}` }),
      );
    list.append(item);
  }
  const words = extension.class ? `Why: ${extension.class}` : "Why";
  more.append(
    make("summary", {
      textContent: `${words}, from ${extension.provenance.length} ${extension.provenance.length === 1 ? "entry" : "entries"} of the chart`,
    }),
    list,
  );
  return more;
}

function dismissal(card, article, act, undo) {
  const more = make("details", { className: "dismissal" });
  const form = make("form");
  const reasons = card.overrideReasons ?? [];
  if (reasons.length) {
    const set = make("fieldset");
    set.append(make("legend", { textContent: "Reason, if you like" }));
    for (const [index, one] of reasons.entries()) {
      const label = make("label");
      label.append(
        make("input", { type: "radio", name: `reason-${card.uuid}`, value: String(index) }),
        make("span", { textContent: one.display ?? one.code }),
      );
      set.append(label);
    }
    form.append(set);
  }
  const label = make("label", { textContent: "Comment" });
  const comment = make("input", {
    name: "comment",
    maxLength: 500,
    placeholder: "sent; stored only where the service is set to",
  });
  label.append(comment);
  form.append(label, make("button", { type: "submit", textContent: "Dismiss card" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input[type=radio]:checked");
    const reason = chosen ? reasons[Number(chosen.value)] : undefined;
    article.classList.add("dismissed");
    const words = make("p", {
      className: "dismissed-words",
      textContent: `Dismissed${reason ? `: ${reason.display}` : ""}`,
      tabIndex: -1,
    });
    const back = undoButton("Undo the dismissal", () => {
      article.classList.remove("dismissed");
      words.replaceWith(more);
      back.remove();
      more.open = false;
      more.querySelector("summary").focus();
      undo("dismiss");
    });
    more.replaceWith(words, back);
    words.focus();
    act("dismiss", card, reason, comment.value.trim());
  });
  more.append(make("summary", { textContent: "Dismiss" }), form);
  return more;
}

function undoButton(label, act) {
  const button = make("button", { type: "button", className: "link undo", textContent: "Undo" });
  button.setAttribute("aria-label", label);
  button.addEventListener("click", act);
  return button;
}

function make(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}
