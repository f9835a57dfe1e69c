// @ts-check
/** Step 1: the person. The page checks what it can; the service judges the rest together with the organisation. */

import { byId } from "../dom.js";
import { draft } from "../draft.js";
import { entryOf } from "../field.js";
import { Form } from "../form.js";
import { say } from "../language.js";
import { setup } from "../setup.js";
import { defineStep, go } from "../steps.js";

export const detailsForm = new Form("details-form", async () => {
  if (detailsForm.holds(addressProblems())) go("organisation");
});

export function startDetails() {
  detailsForm.keepTyped();
  defineStep("details", async (_, isWanted) => {
    const { terms } = await setup();
    if (!isWanted()) return;
    byId("terms-link", HTMLAnchorElement).href = terms.url;
    byId("survey-consent-hint", HTMLElement).textContent = terms.surveyConsentText;
  });
}

/** Return whether this step still has to be filled in. */
export function detailsAreMissing() {
  return detailsForm.controls().some((control) => control.required && !draft.fields[control.name]);
}

function addressProblems() {
  for (const name of ["email", "emailConfirmation", "contactEmail"]) showAsSeen(name);
  const problems = ["email", "contactEmail"]
    .filter((name) => detailsForm.control(name)?.validity.typeMismatch)
    .map((name) => ({ path: [name], message: say("problem.email") }));
  if (entered("emailConfirmation") && entered("email") !== entered("emailConfirmation")) {
    problems.push({ path: ["emailConfirmation"], message: say("problem.email-mismatch") });
  }
  return problems;
}

/**
 * Have the browser judge the visible text of an address.
 * @param {string} name
 */
function showAsSeen(name) {
  const control = detailsForm.control(name);
  if (control) control.value = String(entryOf(control));
}

/** @param {string} name */
function entered(name) {
  const control = detailsForm.control(name);
  return control ? String(entryOf(control)).toLowerCase() : "";
}
