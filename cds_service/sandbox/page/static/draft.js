// The draft orders of the session: composed from the form, changed by suggestions that are taken.

const ORDER_ID = "order-1";
const page = document.body.dataset;

/** The order that a state of the form describes, in the FHIR version of the chart. */
export function composeOrder(state) {
  const concept = state.order === "other" ? typedConcept(state) : state.orderCode;
  const reasons = reasonOf(state);
  const patient = { reference: `Patient/${state.patient}` };
  const order = {
    resourceType: "ServiceRequest",
    id: ORDER_ID,
    status: "draft",
    intent: "order",
    priority: state.priority,
  };
  if (state.order === "medication") {
    return tidy({
      ...order,
      resourceType: "MedicationRequest",
      medicationCodeableConcept: concept,
      subject: patient,
      reasonCode: reasons,
    });
  }
  if (state.fhirVersion !== "STU3") {
    return tidy({
      ...order,
      code: concept,
      subject: patient,
      requester: { reference: page.user },
      reasonCode: reasons,
    });
  }
  if (/^referral\b/i.test(concept.text ?? "")) {
    return tidy({
      ...order,
      resourceType: "ReferralRequest",
      serviceRequested: [concept],
      subject: patient,
      reasonCode: reasons,
    });
  }
  return tidy({ ...order, resourceType: "ProcedureRequest", code: concept, subject: patient, reasonCode: reasons });
}

/** The drafts as the Bundle of a hook call. */
export function bundleOf(drafts) {
  return { resourceType: "Bundle", type: "collection", entry: drafts.map((resource) => ({ resource })) };
}

/** "Type/id" of a draft. */
export function referenceTo(resource) {
  return `${resource.resourceType}/${resource.id}`;
}

/** The drafts after all actions of a suggestion: deletes, then creates, then updates, as in a FHIR transaction. */
export function applySuggestion(drafts, suggestion) {
  const actions = suggestion.actions ?? [];
  const gone = actions.filter((one) => one.type === "delete").map((one) => one.resourceId);
  const result = drafts.filter((one) => !gone.includes(referenceTo(one)));
  for (const { resource } of actions.filter((one) => one.type === "create")) {
    result.push({ ...resource, id: resource.id ?? `created-${result.length}` });
  }
  for (const { resource } of actions.filter((one) => one.type === "update")) {
    const index = result.findIndex((one) => referenceTo(one) === referenceTo(resource));
    if (index < 0) result.push(resource);
    else result[index] = resource;
  }
  return result;
}

/** One list item for each draft; `remove` is called with the draft to take out. */
export function showDrafts(list, drafts, remove) {
  list.replaceChildren(
    ...drafts.map((one, index) => {
      const item = document.createElement("li");
      item.dataset.reference = referenceTo(one);
      item.append(line("strong", nameOf(one)), line("span", factsOf(one), "muted"));
      const instruction = instructionOf(one);
      if (instruction) {
        const more = document.createElement("details");
        more.open = true;
        more.append(line("summary", "Instructions for the patient, added by a suggestion"), line("p", instruction));
        item.append(more);
      }
      if (index > 0) {
        const button = line("button", "Remove", "link");
        button.type = "button";
        button.setAttribute("aria-label", `Remove ${nameOf(one)}`);
        button.addEventListener("click", () => remove(one));
        item.append(button);
      }
      return item;
    }),
  );
}

function typedConcept(state) {
  const coding = tidy({ system: state["order-system"], code: state["order-code"] });
  return tidy({ coding: Object.keys(coding).length ? [coding] : undefined, text: state["order-text"] });
}

function reasonOf(state) {
  if (state.reason === "other") return state["reason-text"] ? [{ text: state["reason-text"] }] : undefined;
  return state.reasonCode ? [state.reasonCode] : undefined;
}

function tidy(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== ""));
}

function concept(resource) {
  const one = resource.code ?? resource.medicationCodeableConcept ?? resource.serviceRequested ?? {};
  return Array.isArray(one) ? (one[0] ?? {}) : (one.concept ?? one);
}

function nameOf(resource) {
  const { text, coding } = concept(resource);
  const first = coding?.[0] ?? {};
  return text ?? first.display ?? first.code ?? "An order without code or words";
}

function factsOf(resource) {
  const coding = concept(resource).coding?.[0];
  const reason = resource.reasonCode?.[0];
  const facts = [resource.resourceType, resource.status, resource.priority, coding?.code];
  if (reason) facts.push(`for ${(reason.text ?? reason.coding?.[0]?.display ?? "a coded reason").toLowerCase()}`);
  return facts.filter(Boolean).join(" · ");
}

function instructionOf(resource) {
  const instruction = resource.patientInstruction ?? resource.note?.[0]?.text ?? resource.notes;
  if (!Array.isArray(instruction)) return instruction;
  return instruction.map((part) => part.instructionMarkdown ?? part).join("\n");
}

function line(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}
