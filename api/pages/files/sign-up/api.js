// @ts-check
/** GraphQL over HTTP: send one operation with its variables, and return the member of its union. */

import { ServiceFailed, TooManyRequests, Unreachable } from "./failures.js";
import { language } from "./language.js";

const ADDRESS = "graphql";
const PATIENCE_MILLISECONDS = 30_000;

/**
 * Send *operation* and return its data.
 * @param {string} operation
 * @param {Record<string, unknown>} variables
 * @param {AbortSignal} [signal] Gives the request up. Without, it is given up after 30 seconds.
 * @returns {Promise<any>}
 * @throws {Unreachable | ServiceFailed}
 */
export async function send(operation, variables, signal) {
  const body = await answer(operation, variables, signal);
  if (!body?.data) throw new ServiceFailed(body?.errors?.[0]?.extensions?.reference ?? "");
  return body.data;
}

/**
 * Send *operation*, which has one root field, and return that field's value: the result, or a refusal. Its `lang` is the
 * language of its words: the language of the page may change meanwhile.
 * @param {string} operation
 * @param {Record<string, unknown>} variables
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 * @throws {Unreachable | ServiceFailed | TooManyRequests}
 */
export async function ask(operation, variables, signal) {
  const lang = language();
  const [value] = Object.values(await send(operation, variables, signal));
  if (value.__typename === "TooManyRequests") throw new TooManyRequests(value.retryAfterSeconds);
  return { ...value, lang };
}

/**
 * Return the body of the answer.
 * @param {string} operation
 * @param {Record<string, unknown>} variables
 * @param {AbortSignal} [signal]
 */
async function answer(operation, variables, signal) {
  const abort = new AbortController();
  const patience = setTimeout(() => abort.abort(), PATIENCE_MILLISECONDS);
  signal?.addEventListener("abort", () => abort.abort());
  try {
    const response = await fetch(ADDRESS, {
      method: "POST",
      headers: {
        Accept: "application/graphql-response+json, application/json",
        "Accept-Language": language(),
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ query: operation, variables }),
      cache: "no-store",
      credentials: "omit",
      signal: abort.signal,
    });
    return await response.json();
  } catch (failure) {
    if (failure instanceof SyntaxError) throw new ServiceFailed(""); // It may be a proxy's page.
    throw new Unreachable();
  } finally {
    clearTimeout(patience);
  }
}
