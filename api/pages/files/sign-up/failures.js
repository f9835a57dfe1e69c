// @ts-check
/** The failures of any request, and the words for them. */

import { language, say, unitsOf } from "./language.js";

/** The service can't be reached: no connection, or no answer in time. */
export class Unreachable extends Error {}

/** The service answered that it failed; its log has more under *reference*. */
export class ServiceFailed extends Error {
  /** @param {string} reference */
  constructor(reference) {
    super("the service failed");
    this.reference = reference;
  }
}

/** The service was asked too often, and can be asked again in *seconds*. */
export class TooManyRequests extends Error {
  /** @param {number} seconds */
  constructor(seconds) {
    super("too many requests");
    this.seconds = seconds;
  }
}

/** The service refuses for a reason that has no other place on this page; *message* has its words, in *lang*. */
export class Refusal extends Error {
  /** @param {{message: string, lang: string}} refusal */
  constructor({ message, lang }) {
    super(message);
    this.lang = lang;
  }
}

/**
 * Return the words for *failure*, and their language.
 * @param {unknown} failure
 * @returns {{text: string, lang: string}}
 */
export function explain(failure) {
  if (failure instanceof Refusal && failure.message) return { text: failure.message, lang: failure.lang };
  return { text: explainOurselves(failure), lang: language() };
}

/** @param {unknown} failure */
function explainOurselves(failure) {
  if (failure instanceof TooManyRequests) return say("failure.haste", { wait: unitsOf(failure.seconds) });
  if (failure instanceof Unreachable) return say(navigator.onLine ? "failure.unreachable" : "failure.offline");
  if (failure instanceof ServiceFailed && failure.reference) {
    return say("failure.service-with-reference", { reference: failure.reference });
  }
  return say("failure.service");
}
