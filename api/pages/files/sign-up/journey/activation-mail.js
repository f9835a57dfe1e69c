// @ts-check
/** The mails are on their way; a form gives another link to people who have none, or one that does not work. */

import { activationToken } from "../activation-token.js";
import { ask } from "../api.js";
import { byId, linked } from "../dom.js";
import { draft } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { isWord, say } from "../language.js";
import { RESEND_ACTIVATION_MAIL } from "../operations.js";
import { defineStep } from "../steps.js";

const NOT_WHOLE = ["CUT", "UNKNOWN"]; // Such a link may have been damaged on its way.
const email = byId("resend-email", HTMLInputElement);
const form = new Form("resend-form", async () => {
  if (form.holds()) await resend(form, email.value);
});
const sentForm = new Form("sent-form", () => resend(sentForm, draft.sent?.email ?? ""));

/** @typedef {{why: string, email: string | null, message: string | null}} Link The state of a link, or LOST, CUT or WANTED. */

/** @type {Link} */
const WANTED = { why: "WANTED", email: null, message: null };
let link = WANTED;
/** @type {Link | null} */
let next = null;

/**
 * Say why a link does not work, when the step is shown next.
 * @param {Link} refused
 */
export function explainLink(refused) {
  next = refused;
}

export function startActivationMail() {
  form.keepTyped("resend");
  defineStep("sent", showSent);
  defineStep("resend", showResend);
}

function showSent() {
  if (!draft.sent) return "welcome";
  const { email: to, minutes } = draft.sent;
  byId("sent-lead", HTMLElement).textContent = say("sent.lead", { email: to });
  byId("sent-activation", HTMLElement).textContent =
    minutes === null ? say("sent.activation") : say("sent.activation-minutes", { minutes });
}

/** @param {boolean} again */
function showResend(again) {
  if (again && link.message !== null && activationToken() !== null) return "password"; // Ask in the new language.
  link = next ?? (again ? link : WANTED);
  next = null;
  const title = `resend.title.${link.why}`;
  const lead = link.message ?? say(leadOf(link.why));
  byId("resend-title", HTMLElement).textContent = say(isWord(title) ? title : "resend.title.UNKNOWN");
  byId("resend-lead", HTMLElement).replaceChildren(...linked(lead));
  byId("resend-copy", HTMLElement).hidden = !NOT_WHOLE.includes(link.why);
  form.element.hidden = link.why === "USED" || link.why === "SUPERSEDED";
  const known = link.email ?? draft.sent?.email;
  if (known && email.value === "") email.value = known;
}

/**
 * @param {string} why
 * @returns {import("../language.js").Word}
 */
function leadOf(why) {
  const lead = `resend.lead.${why}`;
  return isWord(lead) ? lead : "resend.lead.WANTED";
}

/**
 * @param {Form} shown
 * @param {string} address
 */
async function resend(shown, address) {
  const result = await ask(RESEND_ACTIVATION_MAIL, { input: { email: address } });
  if (result.__typename === "InvalidInput") shown.showRefusal(result);
  else if (result.__typename !== "ActivationMailRequested") throw new Refusal(result);
  else shown.tell(result.message, "good", result.lang);
}
