// @ts-check
/** Step 4, after the link of the e-mail: whose account it is, and the password, which is judged during input. */

import { activationToken, forgetActivationToken, onActivationLink } from "../activation-token.js";
import { ask } from "../api.js";
import { byId, element } from "../dom.js";
import { draft, forgetDraftOf, keep } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { say, timeOf } from "../language.js";
import { ACTIVATE_ACCOUNT, INSPECT_ACTIVATION_LINK } from "../operations.js";
import { setup } from "../setup.js";
import { defineStep, go, presence } from "../steps.js";
import { explainLink } from "./activation-mail.js";
import { judge } from "./strength.js";

const password = byId("new-password", HTMLInputElement);
const confirmation = byId("password-confirmation", HTMLInputElement);
const reveal = byId("password-reveal", HTMLButtonElement);

/** @type {import("./strength.js").Policy | null} */
let policy = null;

const form = new Form("password-form", async () => {
  const different = confirmation.value !== "" && confirmation.value !== password.value;
  const problems = different ? [{ path: ["passwordConfirmation"], message: say("problem.password-mismatch") }] : [];
  if (form.holds(problems)) await activate();
});

export function startPassword() {
  defineStep("password", async (again, isWanted) => {
    if (!again) forgetPasswords(); // They may have been entered for another link.
    return inspect(isWanted);
  });
  defineStep("active", showActive);
  password.addEventListener("input", judgeTyped);
  reveal.addEventListener("click", () => show(password.type === "password"));
  form.onLeft(forgetPasswords);
  onActivationLink(() => go("password", { replace: true }));
}

/**
 * Show the state of the link. This only asks the service; the person decides whether to activate.
 * @param {() => boolean} isWanted
 * @returns {Promise<"resend" | void>}
 */
async function inspect(isWanted) {
  const token = activationToken();
  if (token === null) return useless("LOST", null, null);
  if (token === "") return useless("CUT", null, null);
  policy = (await setup()).passwordPolicy;
  const link = await ask(INSPECT_ACTIVATION_LINK, { token });
  if (!isWanted()) return;
  if (link.__typename !== "ActivationLink") throw new Refusal(link);
  if (link.state === "USED") forgetDraftOf(link.email);
  if (link.state !== "USABLE") return useless(link.state, link.email, link.message);
  describe(link);
  judgeTyped();
}

function judgeTyped() {
  if (policy) judge(password.value, activationToken(), policy);
}

/**
 * @param {string} why
 * @param {string | null} email
 * @param {string | null} message
 * @returns {"resend"}
 */
function useless(why, email, message) {
  explainLink({ why, email, message });
  return "resend";
}

/** @param {any} link An `ActivationLink` that is usable. */
function describe({ message, email, firstName, lastName, organisation, expiresInSeconds }) {
  const name = organisation.organisation?.name;
  const identifier = organisation.identifier.formatted;
  byId("password-lead", HTMLElement).textContent = message;
  byId("password-account", HTMLElement).textContent = `${firstName} ${lastName}`;
  byId("password-email", HTMLElement).textContent = email;
  byId("password-username", HTMLInputElement).value = email;
  byId("password-organisation", HTMLElement).replaceChildren(
    name ? `${name} (${identifier})` : identifier,
    element("span", organisation.message, "quiet"),
  );
  const until = timeOf(new Date(Date.now() + expiresInSeconds * 1000));
  byId("password-deadline", HTMLElement).textContent = say("password.deadline", { until });
}

async function activate() {
  const isHere = presence();
  const token = activationToken();
  const email = byId("password-username", HTMLInputElement).value;
  const input = { token, password: password.value, passwordConfirmation: confirmation.value };
  const result = await ask(ACTIVATE_ACCOUNT, { input });
  const isStillAsked = isHere() && activationToken() === token;
  if (result.__typename === "AccountActivated") finish(result, email, isStillAsked);
  else if (!isStillAsked)
    return; // Another link has been opened meanwhile, or another step.
  else if (result.__typename === "InvalidInput") form.showRefusal(result);
  else if (result.__typename === "ActivationLinkRefused") await refused(isHere);
  else throw new Refusal(result);
}

/**
 * The link has ended meanwhile: ask for its state again, and show it.
 * @param {() => boolean} isHere
 */
async function refused(isHere) {
  forgetPasswords();
  const instead = await inspect(isHere);
  if (instead && isHere()) go(instead, { replace: true });
}

/**
 * @param {any} activated An `AccountActivated`.
 * @param {string} email
 * @param {boolean} isStillAsked Whether the person still waits for it.
 */
function finish({ nextUrl, account, lang }, email, isStillAsked) {
  forgetDraftOf(email);
  const organisation = account.memberships[0]?.organisation.message ?? "";
  keep({ active: { organisation, lang, nextUrl } });
  if (!isStillAsked) return;
  forgetActivationToken();
  go("active", { replace: true });
}

function showActive() {
  if (!draft.active) return "welcome";
  const { organisation, nextUrl } = draft.active;
  byId("active-organisation", HTMLElement).textContent = organisation;
  byId("active-organisation", HTMLElement).lang = draft.active.lang;
  const next = byId("active-next", HTMLAnchorElement);
  next.hidden = nextUrl === null;
  if (nextUrl !== null) next.href = nextUrl;
}

function forgetPasswords() {
  password.value = confirmation.value = "";
  show(false);
  judgeTyped();
}

/** @param {boolean} visible */
function show(visible) {
  password.type = confirmation.type = visible ? "text" : "password";
  reveal.setAttribute("aria-pressed", String(visible));
}
