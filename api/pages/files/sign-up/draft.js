// @ts-check
/**
 * The draft of this tab: entered text, and the progress of the sign-up. Going back and loading again lose nothing. It
 * never holds secrets: no password, no token, no captcha answer.
 */

import { recall, remember } from "./storage.js";

/** @typedef {Record<string, string | boolean>} Fields Entered text, by the names of fields. */
/** @typedef {"fields" | "resend"} Place Where in the draft fields are kept. */

/**
 * @typedef {object} Draft
 * @property {Fields} fields The fields of the sign-up.
 * @property {Fields} resend The fields of the form for another link, which may be another person's.
 * @property {{key: string, input: string} | null} attempt The idempotency key, and the input that it stands for.
 * @property {{id: string, email: string} | null} registration The registration that waits for its captcha, and the address of its mails.
 * @property {{email: string, minutes: number | null} | null} sent The address that the mails went to, and how long the link works.
 * @property {"expired" | "exhausted" | null} ended The reason why the registration before ended.
 * @property {{organisation: string, lang: string, nextUrl: string | null} | null} active The account that was activated.
 */

const PLACE = "guichet.draft";

/** @type {Draft} */
const empty = { fields: {}, resend: {}, attempt: null, registration: null, sent: null, ended: null, active: null };

/** The type of each property that is not null. */
const SHAPES = {
  attempt: { key: "string", input: "string" },
  registration: { id: "string", email: "string" },
  sent: { email: "string" },
  active: { organisation: "string", lang: "string" },
};

/** @type {{place: Place, forgot: () => void}[]} */
const forgetting = [];

export const draft = recalled() ?? structuredClone(empty);

/**
 * Change the draft, and store it.
 * @param {Partial<Draft>} changes
 */
export function keep(changes) {
  Object.assign(draft, changes);
  remember("sessionStorage", PLACE, draft);
}

/**
 * Store the value of one field.
 * @param {string} name
 * @param {string | boolean} value
 * @param {Place} [place]
 */
export function keepField(name, value, place = "fields") {
  keep({ [place]: { ...draft[place], [name]: value } });
}

/**
 * Forget all input for *email*, whose sign-up is over. Another person's sign-up, in the same tab, continues.
 * @param {string} email
 */
export function forgetDraftOf(email) {
  const isTheirs = (/** @type {unknown} */ other) => String(other ?? "").toLowerCase() === email.toLowerCase();
  if (isTheirs(draft.sent?.email)) keep({ sent: null });
  if (isTheirs(draft.resend.email)) forget("resend", { resend: {} });
  if (isTheirs(draft.fields.email)) forget("fields", { ...structuredClone(empty), resend: draft.resend });
}

/**
 * @param {Place} place
 * @param {Partial<Draft>} changes
 */
function forget(place, changes) {
  keep(changes);
  for (const form of forgetting) if (form.place === place) form.forgot();
}

/**
 * Call *forgot* when the input stored in *place* is forgotten, so that it leaves the screen too.
 * @param {Place} place
 * @param {() => void} forgot
 */
export function onForgotten(place, forgot) {
  forgetting.push({ place, forgot });
}

/**
 * Return the stored draft, if it is one: another version of this page may have stored something else.
 * @returns {Draft | null}
 */
function recalled() {
  const found = recall("sessionStorage", PLACE);
  return isDraft(found) ? found : null;
}

/**
 * @param {any} found
 * @returns {found is Draft}
 */
function isDraft(found) {
  if (!has(found, {}) || !has(found.fields, {}) || !has(found.resend, {})) return false;
  const ends = [null, "expired", "exhausted"];
  return (
    ends.includes(found.ended) &&
    Object.keys(empty).every((name) => name in found) &&
    Object.entries(SHAPES).every(isShaped)
  );

  /** @param {[string, Record<string, string>]} shape */
  function isShaped([name, shape]) {
    return found[name] === null || has(found[name], shape);
  }
}

/**
 * Return whether *value* is an object with these properties, of these types.
 * @param {any} value
 * @param {Record<string, string>} shape
 */
function has(value, shape) {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord && Object.entries(shape).every(([name, type]) => typeof value[name] === type);
}
