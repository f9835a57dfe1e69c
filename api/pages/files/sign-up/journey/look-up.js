// @ts-check
/** Look-ups of organisations during input: after a pause, once, and only for text that can be an identifier. */

import { ask } from "../api.js";
import { TooManyRequests } from "../failures.js";
import { language } from "../language.js";
import { FIND_ORGANISATION } from "../operations.js";
import { visible } from "../visible-text.js";

/** @typedef {import("../setup.js").IdentifierTypeInfo} IdentifierTypeInfo */

const PAUSE_MILLISECONDS = 350;
const LONG_PAUSE_MILLISECONDS = 1_000;
const SLOW_MILLISECONDS = 500;
const MAX_REMEMBERED = 50;

/** The newest look-up; it cancels earlier ones. */
export class LookUp {
  /** @type {Map<string, any>} */
  #remembered = new Map();
  #newest = new AbortController();
  #notBefore = 0;

  /**
   * Return the result for *value*: a member of `OrganisationResult`, or null if the service could not be asked.
   * @param {IdentifierTypeInfo} info
   * @param {string} value
   * @param {() => void} slow Called where the answer takes so long that something should be said.
   * @returns {Promise<any>} Never settles for a look-up that another has followed.
   */
  async find(info, value, slow) {
    this.forget();
    const newest = this.#newest;
    const known = this.#remembered.get(keyOf(info, value));
    if (known) return known;
    const pause = mayGoOn(info) ? LONG_PAUSE_MILLISECONDS : PAUSE_MILLISECONDS;
    await new Promise((resolve) => setTimeout(resolve, pause));
    const result = newest.signal.aborted ? null : await this.#ask(info, value, slow, newest.signal);
    return newest.signal.aborted ? new Promise(() => {}) : result;
  }

  /** Cancel the current look-up. */
  forget() {
    this.#newest.abort();
    this.#newest = new AbortController();
  }

  /**
   * @param {IdentifierTypeInfo} info
   * @param {string} value
   * @param {() => void} slow
   * @param {AbortSignal} signal
   */
  async #ask(info, value, slow, signal) {
    if (performance.now() < this.#notBefore) return null;
    const key = keyOf(info, value); // In the language of the request, which may change meanwhile.
    const timer = setTimeout(() => signal.aborted || slow(), SLOW_MILLISECONDS);
    try {
      const result = await ask(FIND_ORGANISATION, { identifier: { type: info.type, value } }, signal);
      this.#remember(key, result);
      return result;
    } catch (failure) {
      if (failure instanceof TooManyRequests) this.#notBefore = performance.now() + failure.seconds * 1000;
      return null; // The sign-up continues without it: the service judges the identifier again.
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * @param {string} key
   * @param {any} result
   */
  #remember(key, result) {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(key, result);
  }
}

/**
 * Return whether a complete value of this type may also be the beginning of a longer one.
 * @param {IdentifierTypeInfo} info
 */
export function mayGoOn(info) {
  return info.minLength !== info.maxLength;
}

/**
 * Return whether *value* has the form of an identifier of this type, so that a look-up makes sense.
 * @param {IdentifierTypeInfo} info
 * @param {string} value
 */
export function couldBeValid(info, value) {
  return new RegExp(info.pattern, "u").test(significant(info, value));
}

/**
 * Return *value* without the characters that identifiers of this type ignore.
 * @param {IdentifierTypeInfo} info
 * @param {string} value
 */
function significant(info, value) {
  const characters = [...visible(value)];
  return characters.filter((character) => !info.ignoredCharacters.includes(character)).join("");
}

/**
 * @param {IdentifierTypeInfo} info
 * @param {string} value
 */
function keyOf(info, value) {
  return `${language()} ${info.type} ${significant(info, value).toUpperCase()}`;
}
