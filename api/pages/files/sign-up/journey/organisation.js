// @ts-check
/** Step 2: the organisation, which is looked up during input of its identifier. */

import { byId, element } from "../dom.js";
import { draft, keepField } from "../draft.js";
import { setProblem } from "../field.js";
import { Form } from "../form.js";
import { language, say } from "../language.js";
import { setup } from "../setup.js";
import { defineStep } from "../steps.js";
import { announce, showTitle } from "../view.js";
import { detailsAreMissing } from "./details.js";
import { couldBeValid, LookUp, mayGoOn } from "./look-up.js";
import { NAME_ASKED, onOrganisationProblems, register } from "./registration.js";

/** @typedef {import("../setup.js").IdentifierTypeInfo} IdentifierTypeInfo */

const NAMELESS = "PARTICULIER"; // A natural person has no organisation's name.

const type = byId("identifier-type", HTMLSelectElement);
const identifier = byId("identifier", HTMLInputElement);
const name = byId("organisation-name", HTMLInputElement);
const nameField = byId("organisation-name-field", HTMLElement);
const finding = byId("finding", HTMLElement);
const lookUp = new LookUp();

/** @type {IdentifierTypeInfo[]} */
let types = [];
let looked = "";

const form = new Form("organisation-form", async () => {
  if (form.holds()) await register();
});

export function startOrganisation() {
  defineStep("organisation", async (_, isWanted) => {
    if (detailsAreMissing()) return "details";
    const { identifierTypes } = await setup();
    if (!isWanted()) return;
    types = identifierTypes;
    listTypes();
    guide();
    look();
  });
  form.keepTyped();
  nameField.hidden = draft.fields[NAME_ASKED] !== true;
  type.addEventListener("change", () => {
    setProblem(identifier, "");
    guide();
    look();
  });
  identifier.addEventListener("input", () => {
    setProblem(identifier, "");
    look();
  });
  identifier.addEventListener("blur", look);
  onOrganisationProblems((problems, options) => {
    if (problems.some(({ path }) => path.join(".") === name.name)) askName(true);
    return form.showProblems(problems, options);
  });
}

function listTypes() {
  const chosen = draft.fields[type.name] ?? types[0]?.type;
  type.replaceChildren(...types.map((info) => new Option(info.label, info.type, false, info.type === chosen)));
  keepField(type.name, type.value);
}

/** Return the chosen type. */
function chosenType() {
  return types.find((info) => info.type === type.value);
}

/** Show how an identifier of the chosen type is written. */
function guide() {
  const info = chosenType();
  if (!info) return;
  byId("identifier-label", HTMLElement).textContent = info.fieldLabel;
  const example = element("span", `${say("identifier.example")} ${info.example}`, "example");
  byId("identifier-hint", HTMLElement).replaceChildren(`${info.formatHint} `, example);
  identifier.inputMode = info.inputMode.toLowerCase();
}

/** Look the current identifier up, and show the result. */
async function look() {
  const info = chosenType();
  const value = identifier.value;
  const asked = `${language()} ${type.value} ${value}`;
  if (asked === looked) return; // The step is entered again: its result stays.
  looked = asked;
  lookUp.forget();
  const promising = info?.hasLookup && couldBeValid(info, value);
  if (!promising || nameField.hidden) showQuietly(""); // Else the message would blink while the identifier stays unknown.
  if (!promising) askName(info !== undefined && !info.hasLookup && info.type !== NAMELESS);
  if (!info || !promising) return;
  const found = await lookUp.find(info, value, () => showQuietly(say("finding.looking")));
  if (found === null) looked = "";
  show(found ?? { __typename: "Unavailable" }, mayGoOn(info));
}

/** @param {string} text */
function showQuietly(text) {
  finding.className = "finding";
  finding.replaceChildren(...(text ? [element("p", text, "quiet")] : []));
}

/**
 * Show *found*; of an unknown member of the union, show the message.
 * @param {any} found A member of `OrganisationResult`.
 * @param {boolean} unfinished Whether more may follow: a check digit that is wrong so far is then no mistake yet.
 */
function show(found, unfinished) {
  showQuietly("");
  askName(["OrganisationNotFound", "Unavailable"].includes(found.__typename));
  if (found.__typename === "InvalidIdentifier") {
    if (unfinished && document.activeElement === identifier) looked = "";
    else sayWrong(found.message);
  } else if (found.__typename === "Unavailable") showQuietly(say("finding.unavailable"));
  else finding.append(...describe(found));
}

/** @param {string} message */
function sayWrong(message) {
  setProblem(identifier, message);
  showTitle();
  if (document.activeElement === identifier) announce(message); // The focus stays in the input.
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
    ...(nameField.hidden ? [] : [element("p", say("finding.name"))]),
  ];
}

/**
 * Show or hide the field for the organisation's name. A hidden name stays in its field, and is not sent.
 * @param {boolean} wanted
 */
function askName(wanted) {
  nameField.hidden = !wanted;
  keepField(NAME_ASKED, wanted);
  if (!wanted) setProblem(name, "");
}
