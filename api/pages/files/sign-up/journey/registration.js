// @ts-check
/** The registration: the forms become one that waits for its captcha. */

import { ask } from "../api.js";
import { byId } from "../dom.js";
import { draft, keep, keepField } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { language, say } from "../language.js";
import { CREATE_ACCOUNT } from "../operations.js";
import { forgetSetup, setup } from "../setup.js";
import { defineStep, go, presence } from "../steps.js";
import { uuid } from "../uuid.js";
import { detailsForm } from "./details.js";

/** @typedef {import("../field.js").FieldProblem} FieldProblem */
/** @typedef {import("../form.js").Showing} Showing */
/** @typedef {(problems: FieldProblem[], options: Showing) => FieldProblem[]} ShowProblems */

/** The place in the draft that says whether the organisation's name is asked for. */
export const NAME_ASKED = "organisation.nameAsked";

/** @type {any} The newest `PendingRegistration`, until its step has shown it. */
let pending = null;
/** @type {ShowProblems} */
let showOrganisationProblems = (problems) => problems;

/**
 * Have *show* show the problems of the organisation's form; it returns those that it has no field for.
 * @param {ShowProblems} show
 */
export function onOrganisationProblems(show) {
  showOrganisationProblems = show;
}

/** Return the registration that was just made, once. */
export function takePending() {
  const taken = pending;
  pending = null;
  return taken;
}

/**
 * Send the form. The same form again, after a double click or a lost connection, is the same registration: the key
 * stands for the input, and only another form gets a new one.
 */
export async function register() {
  const isHere = presence();
  const email = entered("email");
  let result = await createAccount();
  if (isSpent(result)) {
    keep({ attempt: null });
    result = await createAccount();
  }
  if (result.__typename === "InvalidInput") return showProblems(result, isHere);
  if (result.__typename !== "PendingRegistration") throw new Refusal(result);
  keep({ registration: { id: result.id, email }, sent: null, ended: null, active: null });
  if (result.state === "VERIFIED") return endWithMails(email, null, isHere);
  pending = result;
  if (isHere()) go("captcha");
}

async function createAccount() {
  const input = await formInput();
  return ask(CREATE_ACCOUNT, { input: { ...input, idempotencyKey: keyFor(input) } });
}

/**
 * Return whether the key's registration has ended: no attempt is left, or the service knows the key for another form.
 * @param {any} result
 */
function isSpent(result) {
  return result.state === "CAPTCHA_ATTEMPTS_EXHAUSTED" || result.__typename === "IdempotencyConflict";
}

/** Return whether the input has changed since the form was sent: the old result must not continue. */
export function isOutdated() {
  if (draft.attempt === null) return false;
  const { termsVersion, language: inLanguage, ...sent } = JSON.parse(draft.attempt.input);
  return JSON.stringify(sent) !== JSON.stringify(enteredInput());
}

/**
 * Both mails have been promised.
 * @param {string} email
 * @param {number | null} minutes How long the link works, where the service has said so.
 * @param {() => boolean} isHere
 */
export function endWithMails(email, minutes, isHere) {
  keep({ registration: null, sent: { email, minutes } });
  if (isHere()) go("sent", { replace: true });
}

/**
 * The registration has ended: make another of the same input.
 * @param {"expired" | "exhausted"} why
 * @param {() => boolean} isHere
 */
export function startAgain(why, isHere) {
  keep({ registration: null, attempt: null, ended: why });
  if (isHere()) go("restart", { replace: true });
}

export function startRegistration() {
  new Form("restart-form", register);
  defineStep("restart", () => {
    if (draft.registration !== null) return "captcha";
    if (draft.ended === null) return "organisation";
    byId("restart-title", HTMLElement).textContent = say(`restart.${draft.ended}`);
  });
}

/** Return the form as the contract has it. */
async function formInput() {
  const { terms } = await setup();
  return { ...enteredInput(), termsVersion: terms.version, language: language().toUpperCase() };
}

function enteredInput() {
  return {
    email: entered("email"),
    emailConfirmation: entered("emailConfirmation"),
    firstName: entered("firstName"),
    lastName: entered("lastName"),
    phone: entered("phone"),
    contactEmail: entered("contactEmail"),
    acceptTerms: draft.fields.acceptTerms === true,
    surveyConsent: draft.fields.surveyConsent === true,
    organisation: {
      identifier: { type: entered("organisation.identifier.type"), value: entered("organisation.identifier.value") },
      name: draft.fields[NAME_ASKED] === true ? entered("organisation.name") : "",
    },
  };
}

/** @param {string} name */
function entered(name) {
  return String(draft.fields[name] ?? "");
}

/** @param {object} input */
function keyFor(input) {
  const text = JSON.stringify(input);
  if (draft.attempt?.input !== text) keep({ attempt: { key: uuid(), input: text }, registration: null });
  return draft.attempt?.key;
}

/**
 * Show each problem at its field, and the first step that has one.
 * @param {{fields: FieldProblem[], message: string, lang: string}} refusal
 * @param {() => boolean} isHere
 */
function showProblems(refusal, isHere) {
  const { fields: problems, lang } = refusal;
  if (problems.some(({ path }) => path[0] === "termsVersion")) askAgreementAgain();
  const placed = problems.map(({ path, message }) => ({
    path: path[0] === "termsVersion" ? ["acceptTerms"] : path,
    message,
  }));
  const beyondDetails = detailsForm.showProblems(placed, { focus: isHere(), lang });
  const beyondBoth = showOrganisationProblems(beyondDetails, { focus: isHere(), lang });
  if (beyondBoth.length === problems.length)
    throw new Refusal({ message: problems[0]?.message ?? refusal.message, lang });
  if (isHere()) go(beyondDetails.length < problems.length ? "details" : "organisation");
}

/** The terms have changed: ask for a new agreement. */
function askAgreementAgain() {
  forgetSetup();
  const box = detailsForm.control("acceptTerms");
  if (box instanceof HTMLInputElement) box.checked = false;
  keepField("acceptTerms", false);
}
