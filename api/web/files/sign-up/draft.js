// @ts-check
/**
 * What was typed, and how far the sign-up has come, kept for this tab: going back and loading again lose nothing.
 * Secrets never come here: no password, no token, no captcha answer.
 */

/**
 * @typedef {object} Draft
 * @property {Record<string, string | boolean>} fields What was typed, by the fields' names.
 * @property {{key: string, input: string} | null} attempt The idempotency key, and the input that it stands for.
 * @property {string | null} registrationId The registration that waits for its captcha.
 * @property {{email: string, minutes: number | null} | null} sent Where the mails went, and how long the link works.
 * @property {{message: string, organisation: string, nextUrl: string | null} | null} active The account that was activated.
 */

const PLACE = "guichet.draft";

/** @type {Draft} */
const empty = { fields: {}, attempt: null, registrationId: null, sent: null, active: null };

export const draft = { ...empty, ...recall(sessionStorageOrNull(), PLACE) };

/**
 * Change the draft, and keep it.
 * @param {Partial<Draft>} changes
 */
export function keep(changes) {
  Object.assign(draft, changes);
  remember(sessionStorageOrNull(), PLACE, draft);
}

/** Forget everything: the sign-up is over. */
export function forgetDraft() {
  keep(structuredClone(empty));
}

/**
 * What is stored at *place*; nothing where the browser keeps nothing, or something that is not ours.
 * @param {Storage | null} storage
 * @param {string} place
 */
export function recall(storage, place) {
  try {
    return JSON.parse(storage?.getItem(place) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Store *value*, where the browser lets us: a page without storage still works, it only forgets.
 * @param {Storage | null} storage
 * @param {string} place
 * @param {unknown} value
 */
export function remember(storage, place, value) {
  try {
    storage?.setItem(place, JSON.stringify(value));
  } catch {
    // Full, or forbidden.
  }
}

function sessionStorageOrNull() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
