// @ts-check
/**
 * What was typed, and how far the sign-up has come, kept for this tab: going back and loading again lose nothing.
 * Secrets never come here: no password, no token, no captcha answer.
 */

import { recall, remember } from "./storage.js";

/**
 * @typedef {object} Draft
 * @property {Record<string, string | boolean>} fields What was typed, by the fields' names.
 * @property {{key: string, input: string} | null} attempt The idempotency key, and the input that it stands for.
 * @property {{id: string, email: string} | null} registration The one that awaits its captcha, and where its mails will go.
 * @property {{email: string, minutes: number | null} | null} sent Where the mails went, and how long the link works.
 * @property {"expired" | "exhausted" | null} ended Why the registration before was of no more use.
 * @property {{organisation: string, language: string, nextUrl: string | null} | null} active The account that was activated.
 */

const PLACE = "guichet.draft";

/** @type {Draft} */
const empty = { fields: {}, attempt: null, registration: null, sent: null, ended: null, active: null };

/** What each property is, where it is not null. */
const SHAPES = {
  attempt: { key: "string", input: "string" },
  registration: { id: "string", email: "string" },
  sent: { email: "string" },
  active: { organisation: "string", language: "string" },
};

const RESEND = "resend.";

/** @type {{prefix: string, forgot: () => void}[]} */
const forgetting = [];

export const draft = recalled() ?? structuredClone(empty);

/**
 * Change the draft, and keep it.
 * @param {Partial<Draft>} changes
 */
export function keep(changes) {
  Object.assign(draft, changes);
  remember("sessionStorage", PLACE, draft);
}

/**
 * Keep what stands in one field.
 * @param {string} name
 * @param {string | boolean} value
 */
export function keepField(name, value) {
  keep({ fields: { ...draft.fields, [name]: value } });
}

/**
 * Forget all that was typed for *email*: its sign-up is over. Another person's, in the same tab, goes on.
 * @param {string} email
 */
export function forgetDraftOf(email) {
  const isTheirs = (/** @type {unknown} */ other) => String(other ?? "").toLowerCase() === email.toLowerCase();
  if (isTheirs(draft.sent?.email)) keep({ sent: null });
  if (isTheirs(draft.fields[`${RESEND}email`])) forget(RESEND);
  if (isTheirs(draft.fields.email)) forget("");
}

/** @param {string} prefix */
function forget(prefix) {
  const others = Object.entries(draft.fields).filter(([name]) => name.startsWith(RESEND) !== (prefix === RESEND));
  keep({ ...(prefix === RESEND ? {} : structuredClone(empty)), fields: Object.fromEntries(others) });
  for (const form of forgetting) if (form.prefix === prefix) form.forgot();
}

/**
 * Call *forgot* when what was kept under names that begin with *prefix* is forgotten: it has to leave the screen too.
 * @param {string} prefix
 * @param {() => void} forgot
 */
export function onForgotten(prefix, forgot) {
  forgetting.push({ prefix, forgot });
}

/**
 * What was kept, where it is a draft: another version of this page may have left something else.
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
  if (!has(found, {}) || !has(found.fields, {})) return false;
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
 * Whether *value* is an object with these properties, of these types.
 * @param {any} value
 * @param {Record<string, string>} shape
 */
function has(value, shape) {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord && Object.entries(shape).every(([name, type]) => typeof value[name] === type);
}
