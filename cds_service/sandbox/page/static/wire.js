// Requests as they go over the wire, and the panels that show them.

const MOST_LINES = 1500; // shown of one JSON text; copying takes all of it
const HEREDOC = "CDS_HOOKS_JSON";
const page = document.body.dataset;
export const SERVICE = `service=${encodeURIComponent(page.service)}`; // of every request to the page's own endpoints

/** What the page asks of its own helpers below /sandbox/. Throws an Error with words for the developer. */
export async function ask(path, body) {
  const options =
    body === undefined
      ? {}
      : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/sandbox/${path}`, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new Error(answer.error ?? answer.issue?.[0]?.diagnostics ?? `the sandbox answered ${response.status}`);
  return answer;
}

/** One request to the service itself, and everything about it. `endpoint`: discovery, call or feedback. */
export async function send(endpoint, sign, body) {
  const path = { discovery: "", call: `/${page.service}`, feedback: `/${page.service}/feedback` }[endpoint];
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (sign) headers.Authorization = `Bearer ${await newToken(endpoint)}`;
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const method = body === undefined ? "GET" : "POST";
  const began = performance.now();
  const response = await fetch(`/cds-services${path}`, { method, headers, body: sent });
  const text = await response.text();
  const took = performance.now() - began;
  const type = response.headers.get("Content-Type") ?? "";
  return {
    endpoint,
    method,
    url: `${page.baseUrl}/cds-services${path}`,
    headers,
    body,
    status: response.status,
    statusText: response.statusText,
    type,
    text,
    json: parse(text),
    took,
    sign,
  };
}

/** Show the request of an exchange in a panel, with a curl command that does the same. */
export function showRequest(panel, exchange) {
  const lines = [
    `${exchange.method} ${exchange.url}`,
    ...Object.entries(exchange.headers).map(([name, value]) => `${name}: ${value}`),
  ];
  const copies = [["Copy as curl", () => curl(exchange)]];
  if (exchange.body !== undefined) copies.push(["Copy JSON", () => pretty(exchange.body)]);
  const parts = [bar(copies), code(lines.join("\n"), "Request line and headers", "head")];
  if (exchange.sign) parts.push(claims(exchange.headers.Authorization));
  if (exchange.body !== undefined) parts.push(json(exchange.body, "Body of the request"));
  panel.replaceChildren(...parts);
}

/** Show the answer of an exchange in a panel. */
export function showAnswer(panel, exchange) {
  const status = `${exchange.status} ${exchange.statusText}`.trim();
  const head = code(`${status}\nContent-Type: ${exchange.type}`, "Status and headers", "head");
  const took = element("p", `Answered in ${exchange.took.toFixed(0)} ms, as the browser measures it.`, "muted");
  const body =
    exchange.json === undefined
      ? code(exchange.text || "(no body)", "Body of the answer")
      : json(exchange.json, "Body of the answer");
  panel.replaceChildren(bar([["Copy JSON", () => exchange.text]]), head, took, body);
}

/** Add an exchange to the top of a panel. */
export function addExchange(panel, exchange, title) {
  const section = document.createElement("section");
  section.className = "exchange";
  const [request, answer] = [document.createElement("div"), document.createElement("div")];
  showRequest(request, exchange);
  showAnswer(answer, exchange);
  section.append(element("h3", title), request, element("h4", "Answer"), answer);
  panel.querySelector(":scope > p.muted")?.remove();
  panel.prepend(section);
}

/** Tabs as the ARIA Authoring Practices have them: arrows move, one tab stop. */
export function wireTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const choose = (chosen, focus) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    if (focus) chosen.focus();
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    choose(tabs[(next + tabs.length) % tabs.length], true);
  });
}

function tokenPath(endpoint) {
  return `/sandbox/token/${endpoint}?${SERVICE}`;
}

async function newToken(endpoint) {
  const response = await fetch(tokenPath(endpoint), { method: "POST" });
  if (!response.ok) throw new Error("this process cannot sign");
  return response.text();
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pretty(value) {
  return JSON.stringify(value, null, 2);
}

/** A command that sends the same; a token is good for one call, so the command asks for a new one. */
function curl(exchange) {
  const parts = [`curl -s -X ${exchange.method} '${exchange.url}'`];
  if (exchange.sign)
    parts.push(`-H "Authorization: Bearer $(curl -s -X POST '${page.baseUrl}${tokenPath(exchange.endpoint)}')"`);
  if (exchange.body === undefined) return parts.join(" \\\n  ");
  parts.push(
    "-H 'Content-Type: application/json'",
    `--data-binary @- <<'${HEREDOC}'\n${JSON.stringify(exchange.body)}\n${HEREDOC}`,
  );
  return `${parts.join(" \\\n  ")}\n`;
}

function claims(authorization) {
  const parts = authorization.split(".").slice(0, 2);
  const read = (part) =>
    JSON.parse(
      atob(
        part
          .replace(/^Bearer /, "")
          .replaceAll("-", "+")
          .replaceAll("_", "/"),
      ),
    );
  const more = document.createElement("details");
  more.append(
    element("summary", "The token, decoded"),
    json({ header: read(parts[0]), payload: read(parts[1]) }, "The token, decoded"),
  );
  return more;
}

function bar(buttons) {
  const row = document.createElement("div");
  row.className = "copy-bar";
  for (const [words, text] of buttons) {
    const button = element("button", words, "small");
    button.type = "button";
    button.addEventListener("click", async () => {
      const done = await Promise.resolve(navigator.clipboard?.writeText(text()) ?? Promise.reject()).then(
        () => true,
        () => false,
      );
      button.textContent = done ? "Copied" : "The browser refused";
      setTimeout(() => (button.textContent = words), 1500);
    });
    row.append(button);
  }
  return row;
}

/** Pretty JSON, lightly colored, as text nodes: nothing of it is ever markup. */
function json(value, label) {
  const lines = pretty(value).split("\n");
  const block = code("", label, "json");
  const target = block.firstChild;
  const token = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d[\d.eE+-]*/g;
  const text = lines.slice(0, MOST_LINES).join("\n");
  let at = 0;
  for (const match of text.matchAll(token)) {
    target.append(text.slice(at, match.index));
    const name = match[1] ? (match[2] ? "key" : "string") : "literal";
    target.append(element("span", match[1] ?? match[0], name));
    at = match.index + (match[1] ?? match[0]).length;
  }
  target.append(text.slice(at));
  if (lines.length > MOST_LINES) target.append(`\n… ${lines.length - MOST_LINES} more lines; Copy JSON takes them all`);
  return block;
}

function code(text, label, className = "") {
  const block = document.createElement("pre");
  block.className = className;
  block.tabIndex = 0;
  block.setAttribute("role", "region");
  block.setAttribute("aria-label", label);
  block.append(element("code", text));
  return block;
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
