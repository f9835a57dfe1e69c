// @ts-check
/** What can go wrong with any request, and what a person is told then. */

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

/** Asked too often: to be asked again in *seconds*. */
export class TooManyRequests extends Error {
  /** @param {number} seconds */
  constructor(seconds) {
    super("too many requests");
    this.seconds = seconds;
  }
}

/** The service says no, for a reason that this page has no other place for; *message* has its words, in *lang*. */
export class Refusal extends Error {
  /** @param {{message: string, lang: string}} refusal */
  constructor({ message, lang }) {
    super(message);
    this.lang = lang;
  }
}

/**
 * What to tell a person of *failure*, and in which language it is.
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
