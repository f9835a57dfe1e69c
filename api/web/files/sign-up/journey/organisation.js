// @ts-check
/** Step 2: the organisation, looked up while its identifier is typed. */

import { byId, element } from "../dom.js";
import { draft, keep } from "../draft.js";
import { Form, setProblem } from "../form.js";
import { say } from "../language.js";
import { setup } from "../setup.js";
import { defineStep } from "../steps.js";
import { announce } from "../view.js";
import { detailsAreMissing } from "./details.js";
import { couldBeValid, LookUp } from "./look-up.js";
import { onOrganisationProblems, register } from "./registration.js";

/** @typedef {import("../setup.js").IdentifierTypeInfo} IdentifierTypeInfo */

const NAMELESS = "PARTICULIER"; // A natural person has no organisation's name.

const type = byId("identifier-type", HTMLSelectElement);
const identifier = byId("identifier", HTMLInputElement);
const nameField = byId("organisation-name-field", HTMLElement);
const finding = byId("finding", HTMLElement);
const lookUp = new LookUp();

/** @type {IdentifierTypeInfo[]} */
let types = [];

const form = new Form("organisation-form", async () => {
  if (form.holds()) await register();
});

export function startOrganisation() {
  defineStep("organisation", async () => {
    if (detailsAreMissing()) return "details";
    types = (await setup()).identifierTypes;
    listTypes();
    guide();
    look();
  });
  form.keepTyped();
  type.addEventListener("change", () => {
    setProblem(identifier, "");
    guide();
    look();
  });
  identifier.addEventListener("input", () => {
    setProblem(identifier, "");
    look();
  });
  onOrganisationProblems((problems) => {
    if (problems.some(({ path }) => path.join(".") === "organisation.name")) askName(true);
    return form.showProblems(problems);
  });
}

function listTypes() {
  const chosen = draft.fields[type.name] ?? types[0]?.type;
  type.replaceChildren(...types.map((info) => new Option(info.label, info.type, false, info.type === chosen)));
  keep({ fields: { ...draft.fields, [type.name]: type.value } });
}

/** The chosen type. */
function chosenType() {
  return types.find((info) => info.type === type.value);
}

/** Say how an identifier of the chosen type is written. */
function guide() {
  const info = chosenType();
  if (!info) return;
  byId("identifier-label", HTMLElement).textContent = info.fieldLabel;
  const example = element("span", `${say("identifier.example")} ${info.example}`, "example");
  byId("identifier-hint", HTMLElement).replaceChildren(`${info.formatHint} `, example);
  identifier.inputMode = info.inputMode.toLowerCase();
}

/** Show what is known of the identifier that stands there. */
async function look() {
  const info = chosenType();
  const value = identifier.value;
  lookUp.forget();
  show(null);
  askName(info !== undefined && !info.hasLookup && info.type !== NAMELESS);
  if (!info?.hasLookup || !couldBeValid(info, value)) return;
  const found = await lookUp.find(info, value, () =>
    finding.replaceChildren(element("p", say("finding.looking"), "quiet")),
  );
  show(found ?? { __typename: "Unavailable" });
  askName(["OrganisationNotFound", "Unavailable"].includes(found?.__typename ?? "Unavailable"));
}

/** @param {any} found A member of `OrganisationResult`; one that is not known here is shown by its message. */
function show(found) {
  finding.replaceChildren();
  finding.className = "finding";
  if (found === null) return;
  if (found.__typename === "InvalidIdentifier") {
    setProblem(identifier, found.message);
    announce(found.message); // The focus stays where the person types.
  } else if (found.__typename === "Unavailable") finding.append(element("p", say("finding.unavailable"), "quiet"));
  else finding.append(...describe(found));
}

/** @param {any} found */
function describe(found) {
  const closed = found.status === "CLOSED";
  finding.classList.add("known");
  finding.classList.toggle("bad", closed);
  finding.classList.toggle("good", found.__typename === "Organisation" && !closed);
  const place = [found.postalCode, found.city].filter(Boolean).join(" ");
  return [
    ...(found.name ? [element("p", found.name, "name")] : []),
    ...(place ? [element("p", place)] : []),
    element("p", found.message),
  ];
}

/** @param {boolean} wanted */
function askName(wanted) {
  nameField.hidden = !wanted;
}
