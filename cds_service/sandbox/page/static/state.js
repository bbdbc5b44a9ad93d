// What the form says, and the address that says the same.

const byId = (id) => document.getElementById(id);
const page = document.body.dataset;

/** The form as it is now. `fhirVersion`: of the chosen patient's chart, and so of the orders. */
export function readForm() {
  const radio = document.querySelector("input[name=patient]:checked");
  const base = byId("base").value.trim();
  const listed = byId("server-patients");
  const isOther = isOtherServer();
  return {
    service: page.service,
    base: isOther ? base : "",
    patient: isOther ? listed.value : (radio?.value ?? ""), // none where the address named one who is not there
    fhirVersion: isOther ? listed.dataset.fhirVersion || "R4" : (radio?.dataset.fhirVersion ?? "R4"),
    orderCode: codeOf("order"),
    reasonCode: codeOf("reason"),
    order: byId("order").value,
    "order-text": byId("order-text").value.trim(),
    "order-code": byId("order-code").value.trim(),
    "order-system": byId("order-system").value.trim(),
    priority: byId("priority").value,
    reason: byId("reason").value,
    "reason-text": byId("reason-text").value.trim(),
    prefetch: byId("prefetch").value,
    server: byId("server").value,
    sign: byId("sign").checked ? "yes" : "no",
  };
}

function codeOf(select) {
  return JSON.parse(byId(select).selectedOptions[0].dataset.code);
}

/** Whether the patients of another server are on the page, and not our own. */
export function isOtherServer() {
  return byId("patients").hidden;
}

/** The FHIR base of the call; `plain` is where the same charts are read whatever the call's server is said to do. */
export function fhirBases(state) {
  if (state.base) return { call: state.server === "none" ? null : state.base, plain: state.base };
  const plain = `${page.fhirRoot}/${state.fhirVersion === "STU3" ? "fhir-stu3" : "fhir"}`;
  const suffix = { slow: "-slow", failing: "-failing", locked: "-locked", "locked-out": "-locked" }[state.server] ?? "";
  return { call: state.server === "none" ? null : plain + suffix, plain };
}

/** Put the state into the address, without what goes without saying, and return its query; `fired`: the last hook. */
export function writeAddress(state, fired) {
  const usual = {
    service: page.usualService,
    priority: "routine",
    reason: "none",
    prefetch: "complete",
    server: "normal",
    sign: page.tokensRequired,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (["fhirVersion", "orderCode", "reasonCode"].includes(name) || !value || usual[name] === value) continue;
    if (name.startsWith("order-") && state.order !== "other") continue;
    if (name === "reason-text" && state.reason !== "other") continue;
    query.set(name, value);
  }
  if (fired) query.set("fire", fired);
  history.replaceState(null, "", `?${query}`);
  return query;
}
