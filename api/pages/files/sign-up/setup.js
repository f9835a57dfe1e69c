// @ts-check
/** The data from the service that the forms need before input, fetched once for each language. */

import { send } from "./api.js";
import { language } from "./language.js";
import { SETUP } from "./operations.js";

/**
 * @typedef {object} IdentifierTypeInfo
 * @property {string} type
 * @property {string} label
 * @property {string} fieldLabel
 * @property {string} formatHint
 * @property {string} ignoredCharacters
 * @property {string} pattern
 * @property {number} minLength
 * @property {number} maxLength
 * @property {string} example
 * @property {"NUMERIC" | "TEXT"} inputMode
 * @property {boolean} hasLookup
 */

/**
 * @typedef {object} Setup
 * @property {IdentifierTypeInfo[]} identifierTypes
 * @property {{version: string, url: string, surveyConsentText: string}} terms
 * @property {{minLength: number, minCharacterTypes: number}} passwordPolicy
 */

/** @type {Map<string, Setup>} */
const known = new Map();

/**
 * Return the setup, in the language of the page.
 * @returns {Promise<Setup>}
 */
export async function setup() {
  const found = known.get(language());
  if (found) return found;
  const asked = language();
  const answer = await send(SETUP, {});
  known.set(asked, answer);
  return answer;
}

/** Ask again next time: the terms have changed. */
export function forgetSetup() {
  known.clear();
}
