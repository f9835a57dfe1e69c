// @ts-check
/** From what was typed to a registration that waits for its captcha. */

import { ask } from "../api.js";
import { byId } from "../dom.js";
import { draft, keep } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { language, say } from "../language.js";
import { CREATE_ACCOUNT } from "../operations.js";
import { forgetSetup, setup } from "../setup.js";
import { defineStep, go } from "../steps.js";
import { detailsForm } from "./details.js";

/** @typedef {import("../form.js").FieldProblem} FieldProblem */

/** @type {any} The newest `PendingRegistration`, until its step has shown it. */
let pending = null;
/** @type {"expired" | "exhausted"} */
let reason = "expired";
/** @type {(problems: FieldProblem[]) => FieldProblem[]} */
let showOrganisationProblems = (problems) => problems;

/**
 * Have *show* show the problems of the organisation's form; it gives back those that it has no field for.
 * @param {(problems: FieldProblem[]) => FieldProblem[]} show
 */
export function onOrganisationProblems(show) {
  showOrganisationProblems = show;
}

/** The registration that was just made, once. */
export function takePending() {
  const taken = pending;
  pending = null;
  return taken;
}

/**
 * Send the form. The same form again, after a double click or a lost connection, is the same registration: the key
 * stands for what was typed, and a new one is made only for another form.
 */
export async function register() {
  let result = await createAccount();
  if (isSpent(result)) {
    keep({ attempt: null });
    result = await createAccount();
  }
  if (result.__typename === "InvalidInput") return showProblems(result.fields);
  if (result.__typename !== "PendingRegistration") throw new Refusal(result.message);
  keep({ registrationId: result.id, sent: null });
  if (result.state === "VERIFIED") return goSent(typed("email"), null);
  pending = result;
  go("captcha");
}

async function createAccount() {
  const input = await formInput();
  return ask(CREATE_ACCOUNT, { input: { ...input, idempotencyKey: keyFor(input) } });
}

/**
 * Whether the key stands for what can't go on: no attempt is left, or the service knows it for another form.
 * @param {any} result
 */
function isSpent(result) {
  return result.state === "CAPTCHA_ATTEMPTS_EXHAUSTED" || result.__typename === "IdempotencyConflict";
}

/**
 * Both mails have been promised.
 * @param {string} email
 * @param {number | null} minutes How long the link works, where the service has said so.
 */
export function goSent(email, minutes) {
  keep({ registrationId: null, sent: { email, minutes } });
  go("sent", { replace: true });
}

/**
 * The registration is of no more use: what was typed makes another.
 * @param {"expired" | "exhausted"} why
 */
export function startAgain(why) {
  reason = why;
  keep({ registrationId: null, attempt: null });
  go("restart", { replace: true });
}

export function startRegistration() {
  new Form("restart-form", register);
  defineStep("restart", () => {
    byId("restart-title", HTMLElement).textContent = say(`restart.${reason}`);
  });
}

/** The form as the contract has it. */
async function formInput() {
  const { terms } = await setup();
  return {
    email: typed("email"),
    emailConfirmation: typed("emailConfirmation"),
    firstName: typed("firstName"),
    lastName: typed("lastName"),
    phone: typed("phone"),
    contactEmail: typed("contactEmail"),
    acceptTerms: draft.fields.acceptTerms === true,
    termsVersion: terms.version,
    surveyConsent: draft.fields.surveyConsent === true,
    organisation: {
      identifier: { type: typed("organisation.identifier.type"), value: typed("organisation.identifier.value") },
      name: typed("organisation.name"),
    },
    language: language().toUpperCase(),
  };
}

/** @param {string} name */
function typed(name) {
  return String(draft.fields[name] ?? "");
}

/** @param {object} input */
function keyFor(input) {
  const text = JSON.stringify(input);
  if (draft.attempt?.input !== text) keep({ attempt: { key: uuid(), input: text } });
  return draft.attempt?.key;
}

/**
 * A random UUID. `crypto.randomUUID` is there on secure origins only, and a phone may look at a page in development.
 */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * Each problem under its field, on the first step that has one.
 * @param {FieldProblem[]} problems
 */
function showProblems(problems) {
  if (problems.some(({ path }) => path[0] === "termsVersion")) askAgreementAgain();
  const placed = problems.map(({ path, message }) => ({
    path: path[0] === "termsVersion" ? ["acceptTerms"] : path,
    message,
  }));
  const beyondDetails = detailsForm.showProblems(placed);
  const beyondBoth = showOrganisationProblems(beyondDetails);
  if (beyondBoth.length === problems.length) throw new Refusal(problems[0].message);
  go(beyondDetails.length < problems.length ? "details" : "organisation");
}

/** The terms have changed: what was agreed to is no longer what is asked. */
function askAgreementAgain() {
  forgetSetup();
  const box = detailsForm.control("acceptTerms");
  if (box instanceof HTMLInputElement) box.checked = false;
  keep({ fields: { ...draft.fields, acceptTerms: false } });
}
