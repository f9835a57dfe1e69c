// @ts-check
/** The list of rules, and the meter. The page judges length and types at once; the service judges the rest. */

import { ask } from "../api.js";
import { byId, element } from "../dom.js";
import { TooManyRequests } from "../failures.js";
import { say } from "../language.js";
import { CHECK_PASSWORD } from "../operations.js";

/** @typedef {{minLength: number, minCharacterTypes: number}} Policy */
/** @typedef {{score: number, strengthLabel: string, suggestions: string[], problems: {code: string}[]}} Check */
/** @typedef {{text: string, kept: boolean | null}} Rule Null where that is not known yet. */

const PAUSE_MILLISECONDS = 300;
const TYPES = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{Lu}\p{Ll}\p{Nd}]/u]; // As the contract defines them.

const meter = byId("password-meter", HTMLMeterElement);
const label = byId("new-password-strength", HTMLElement);
const suggestions = byId("password-suggestions", HTMLElement);

let newest = new AbortController();
let notBefore = 0;
/** @type {Check | null} The last verdict, which stands until the next. */
let last = null;

/**
 * Tick off the rules that *password* keeps, and show its strength. The newest of several calls counts.
 * @param {string} password
 * @param {string | null} token The activation link's: with it, the service knows whose name must not be in it.
 * @param {Policy} policy
 */
export async function judge(password, token, policy) {
  newest.abort();
  newest = new AbortController();
  const { signal } = newest;
  if (password === "") last = null;
  showRules(password, policy, last);
  if (password === "") return showStrength(null);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
  const check = signal.aborted ? null : await askFor(password, token, signal);
  if (signal.aborted) return;
  last = check;
  showRules(password, policy, check);
  showStrength(check);
}

/**
 * Return the service's verdict on *password*, or nothing if it can't be asked: it judges again in the end.
 * @param {string} password
 * @param {string | null} token
 * @param {AbortSignal} signal
 * @returns {Promise<Check | null>}
 */
async function askFor(password, token, signal) {
  if (performance.now() < notBefore) return null;
  try {
    const check = await ask(CHECK_PASSWORD, { input: { password, activationToken: token } }, signal);
    return check.__typename === "PasswordCheck" ? check : null;
  } catch (failure) {
    if (failure instanceof TooManyRequests) notBefore = performance.now() + failure.seconds * 1000;
    return null;
  }
}

/**
 * @param {string} password
 * @param {Policy} policy
 * @param {Check | null} check
 */
function showRules(password, policy, check) {
  const lines = rules(password, policy, check).map(({ text, kept }) => {
    const line = element("li", text, kept === true ? "kept" : "open");
    line.prepend(element("span", `${say(kept === true ? "rule.kept" : "rule.open")} `, "unseen"));
    return line;
  });
  byId("password-rules", HTMLElement).replaceChildren(...lines);
}

/**
 * @param {string} password
 * @param {Policy} policy
 * @param {Check | null} check
 * @returns {Rule[]}
 */
function rules(password, { minLength, minCharacterTypes }, check) {
  const normal = password.normalize("NFKC");
  const types = TYPES.filter((type) => type.test(normal)).length;
  const without = (/** @type {string} */ code) => check && !check.problems.some((problem) => problem.code === code);
  return [
    { text: say("rule.length", { length: minLength }), kept: [...normal].length >= minLength },
    { text: say("rule.types", { wanted: minCharacterTypes, types }), kept: types >= minCharacterTypes },
    { text: say("rule.personal"), kept: without("PASSWORD_CONTAINS_PERSONAL_DATA") },
    { text: say("rule.guessable"), kept: without("PASSWORD_TOO_GUESSABLE") },
  ];
}

/** @param {Check | null} check */
function showStrength(check) {
  meter.value = check ? check.score + 1 : 0; // The weakest password has to be visible too.
  meter.setAttribute("aria-valuetext", check?.strengthLabel ?? "");
  const words = check ? check.strengthLabel : "";
  if (label.textContent !== words) label.textContent = words; // Announced only when it changes.
  suggestions.hidden = !check?.suggestions.length;
  suggestions.replaceChildren(...(check?.suggestions ?? []).map((text) => element("li", text)));
}
