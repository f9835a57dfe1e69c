// @ts-check
/** The mails are on their way; and the way to another link, for who has none, or one that is of no use. */

import { activationToken } from "../activation-token.js";
import { ask } from "../api.js";
import { byId } from "../dom.js";
import { draft } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { say } from "../language.js";
import { RESEND_ACTIVATION_MAIL } from "../operations.js";
import { defineStep } from "../steps.js";

/** @typedef {"EXPIRED" | "USED" | "SUPERSEDED" | "UNKNOWN" | "LOST" | "WANTED"} Why */

const email = byId("resend-email", HTMLInputElement);
const form = new Form("resend-form", async () => {
  if (form.holds()) await resend(form, email.value);
});
const sentForm = new Form("sent-form", () => resend(sentForm, draft.sent?.email ?? ""));

/** @type {{why: Why, email: string | null, message: string | null}} */
let refused = { why: "WANTED", email: null, message: null };

/**
 * Say why the link is of no use, when the step is shown.
 * @param {{why: Why, email: string | null, message: string | null}} link
 */
export function explainLink(link) {
  refused = link;
}

export function startResend() {
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
  if (again && refused.message !== null && activationToken() !== null) return "password"; // Ask in the new language.
  const { why, message } = refused;
  byId("resend-title", HTMLElement).textContent = say(`resend.title.${why}`);
  byId("resend-lead", HTMLElement).textContent =
    message ?? say(why === "LOST" ? "resend.lead.LOST" : "resend.lead.WANTED");
  form.element.hidden = why === "USED" || why === "SUPERSEDED";
  form.tell("", "good");
  if (email.value === "") email.value = refused.email ?? draft.sent?.email ?? "";
}

/**
 * @param {Form} shown
 * @param {string} address
 */
async function resend(shown, address) {
  const result = await ask(RESEND_ACTIVATION_MAIL, { input: { email: address } });
  if (result.__typename === "InvalidInput") shown.showProblems(result.fields);
  else if (result.__typename !== "ActivationMailRequested") throw new Refusal(result.message);
  else shown.tell(result.message, "good");
}
