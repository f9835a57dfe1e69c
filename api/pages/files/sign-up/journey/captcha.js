// @ts-check
/** Step 3: the captcha, seen or heard. */

import { ask } from "../api.js";
import { byId } from "../dom.js";
import { draft } from "../draft.js";
import { Refusal } from "../failures.js";
import { Form } from "../form.js";
import { language, say, timeOf } from "../language.js";
import { RENEW_CAPTCHA, RENEW_CAPTCHA_WITH_SOUND, VERIFY_CAPTCHA } from "../operations.js";
import { defineStep, presence } from "../steps.js";
import { announce } from "../view.js";
import { endWithMails, isOutdated, startAgain, takePending } from "./registration.js";

const picture = byId("captcha-picture", HTMLImageElement);
const sound = byId("captcha-sound", HTMLAudioElement);
const answer = byId("answer", HTMLInputElement);

/** @type {{length: number, pictureEnd: Date, registrationEnd: Date} | null} The challenge that is shown. */
let shown = null;

let renewals = 0;

const form = new Form("captcha-form", async () => {
  if (form.holds() && draft.registration) await verify(draft.registration);
});

export function startCaptcha() {
  defineStep("captcha", enter);
  const renewing = byId("captcha-renew", HTMLButtonElement);
  const listening = byId("captcha-listen", HTMLButtonElement);
  form.onLeft(() => sound.pause());
  renewing.addEventListener("click", () => form.run(anotherPicture, renewing));
  listening.addEventListener("click", () => form.run(listen, listening));
}

/**
 * @param {boolean} again
 * @returns {Promise<import("../steps.js").Step | void>}
 */
async function enter(again) {
  if (draft.registration === null) return draft.sent ? "sent" : draft.ended ? "restart" : "organisation";
  if (isOutdated()) return "organisation";
  if (again && shown) return showWords(shown); // The picture and the answer stay.
  const pending = takePending();
  if (pending) showChallenge(pending);
  else {
    shown = null;
    await renew(RENEW_CAPTCHA);
  }
}

/** @param {{id: string, email: string}} registration */
async function verify({ id, email }) {
  const isHere = presence();
  const result = await ask(VERIFY_CAPTCHA, { input: { registrationId: id, answer: answer.value } });
  if (draft.registration?.id !== id) return; // Another form has been sent meanwhile.
  if (result.__typename === "ActivationMailSent") endWithMails(email, result.linkLifetimeMinutes, isHere);
  else if (result.__typename === "RegistrationNotFound") startAgain("expired", isHere);
  else if (result.__typename !== "CaptchaRejected") throw new Refusal(result);
  else if (!result.registration.captcha) startAgain("exhausted", isHere);
  else {
    showChallenge({ ...result.registration, lang: result.lang });
    form.showProblems([{ path: ["answer"], message: result.message }], { lang: result.lang });
  }
}

async function anotherPicture() {
  if (await renew(RENEW_CAPTCHA)) announce(say("captcha.renewed"));
}

/** Play the challenge. It stays the same until the person asks for another picture. */
async function listen() {
  if (sound.hidden) {
    const challenge = await renew(RENEW_CAPTCHA_WITH_SOUND);
    if (!challenge) return;
    if (!challenge.audio) throw new Refusal({ message: say("captcha.no-sound"), lang: language() });
    sound.src = challenge.audio;
    sound.hidden = false;
  }
  sound.currentTime = 0;
  await sound.play().catch(() => sound.focus()); // If the browser may not play it, the person can.
}

/**
 * Show another challenge of the same registration; after several requests, the last one.
 * @param {string} operation
 * @returns {Promise<any>} The `Captcha`; nothing where the registration awaits none any more: another step shows that.
 */
async function renew(operation) {
  if (!draft.registration) return;
  const mine = ++renewals;
  const isHere = presence();
  const { id, email } = draft.registration;
  const result = await ask(operation, { registrationId: id });
  if (mine !== renewals || draft.registration?.id !== id) return;
  if (result.__typename === "RegistrationNotFound") startAgain("expired", isHere);
  else if (result.__typename !== "PendingRegistration") throw new Refusal(result);
  else if (result.state === "VERIFIED") endWithMails(email, null, isHere);
  else if (!result.captcha) startAgain("exhausted", isHere);
  else showChallenge(result);
  return result.captcha;
}

/** @param {any} registration A `PendingRegistration` that awaits its captcha, and the language of its words. */
function showChallenge(registration) {
  const { captcha, organisation, lang } = registration;
  const now = Date.now();
  shown = {
    length: captcha.length,
    pictureEnd: new Date(now + captcha.expiresInSeconds * 1000),
    registrationEnd: new Date(now + registration.expiresInSeconds * 1000),
  };
  picture.src = captcha.image;
  picture.alt = captcha.imageDescription;
  picture.lang = lang;
  sound.pause();
  sound.hidden = true;
  sound.removeAttribute("src");
  answer.value = "";
  form.showProblems([]);
  answer.inputMode = /^[0-9]+$/.test(captcha.alphabet) ? "numeric" : "text";
  const place = byId("captcha-organisation", HTMLElement);
  place.textContent = `${organisation.organisation?.name ?? organisation.identifier.formatted} – ${organisation.message}`;
  place.lang = lang;
  showWords(shown);
}

/** @param {{length: number, pictureEnd: Date, registrationEnd: Date}} challenge */
function showWords({ length, pictureEnd, registrationEnd }) {
  byId("answer-hint", HTMLElement).textContent = say("captcha.hint", { length });
  byId("captcha-deadline", HTMLElement).textContent = say("captcha.deadline", {
    picture: timeOf(pictureEnd),
    registration: timeOf(registrationEnd),
  });
}
