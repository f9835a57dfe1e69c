// @ts-check
/** Step 3: the captcha, seen or heard. */

import { ask } from "../api.js";
import { byId } from "../dom.js";
import { draft } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { say, timeOf } from "../language.js";
import { RENEW_CAPTCHA, RENEW_CAPTCHA_WITH_SOUND, VERIFY_CAPTCHA } from "../operations.js";
import { defineStep } from "../steps.js";
import { announce } from "../view.js";
import { goSent, startAgain, takePending } from "./registration.js";

const picture = byId("captcha-picture", HTMLImageElement);
const sound = byId("captcha-sound", HTMLAudioElement);
const answer = byId("answer", HTMLInputElement);

const form = new Form("captcha-form", async () => {
  if (!form.holds()) return;
  const input = { registrationId: draft.registrationId, answer: answer.value };
  const result = await ask(VERIFY_CAPTCHA, { input });
  if (result.__typename === "ActivationMailSent") {
    answer.value = "";
    goSent(result.email, result.linkLifetimeMinutes);
  } else if (result.__typename === "CaptchaRejected" && result.registration.captcha) {
    showChallenge(result.registration);
    form.showProblems([{ path: ["answer"], message: result.message }]);
  } else if (result.__typename === "CaptchaRejected") startAgain("exhausted");
  else if (result.__typename === "RegistrationNotFound") startAgain("expired");
  else throw new Refusal(result.message);
});

export function startCaptcha() {
  defineStep("captcha", async () => {
    const pending = takePending();
    if (pending) return showChallenge(pending);
    if (draft.registrationId === null) return draft.sent ? "sent" : "organisation";
    await renew(RENEW_CAPTCHA);
  });
  byId("captcha-renew", HTMLButtonElement).addEventListener("click", () => form.run(anotherPicture));
  byId("captcha-listen", HTMLButtonElement).addEventListener("click", () => form.run(listen));
}

async function anotherPicture() {
  if (await renew(RENEW_CAPTCHA)) announce(say("captcha.renewed"));
}

async function listen() {
  const challenge = await renew(RENEW_CAPTCHA_WITH_SOUND);
  if (!challenge) return;
  if (!challenge.audio) throw new Refusal(say("captcha.no-sound"));
  sound.src = challenge.audio;
  sound.hidden = false;
  announce(say("captcha.sounding"));
  await sound.play().catch(() => sound.focus()); // Where the browser does not play by itself, the person does.
}

/**
 * Show another challenge of the same registration.
 * @param {string} operation
 * @returns {Promise<any>} The `Captcha`; nothing where the registration awaits none any more: another step shows that.
 */
async function renew(operation) {
  const result = await ask(operation, { registrationId: draft.registrationId });
  if (result.__typename === "RegistrationNotFound") startAgain("expired");
  else if (result.__typename !== "PendingRegistration") throw new Refusal(result.message);
  else if (result.state === "VERIFIED") goSent(String(draft.fields.email), null);
  else if (!result.captcha) startAgain("exhausted");
  else showChallenge(result);
  return result.captcha;
}

/** @param {any} registration A `PendingRegistration` that awaits its captcha. */
function showChallenge({ captcha, organisation, expiresInSeconds }) {
  picture.src = captcha.image;
  picture.alt = captcha.imageDescription;
  sound.pause();
  sound.hidden = true;
  sound.removeAttribute("src");
  answer.value = "";
  answer.inputMode = /^[0-9]+$/.test(captcha.alphabet) ? "numeric" : "text";
  const name = organisation.organisation?.name ?? organisation.identifier.formatted;
  byId("captcha-organisation", HTMLElement).textContent = `${name} – ${organisation.message}`;
  byId("answer-hint", HTMLElement).textContent = say("captcha.hint", { length: captcha.length });
  byId("captcha-deadline", HTMLElement).textContent = say("captcha.deadline", {
    picture: timeIn(captcha.expiresInSeconds),
    registration: timeIn(expiresInSeconds),
  });
}

/** @param {number} seconds */
function timeIn(seconds) {
  return timeOf(new Date(Date.now() + seconds * 1000));
}
