// @ts-check
/** One field of a form: its value, and its problem. */

import { byId } from "./dom.js";
import { language, say } from "./language.js";
import { visible } from "./visible-text.js";

/** @typedef {HTMLInputElement | HTMLSelectElement} Control */
/** @typedef {{path: string[], message: string}} FieldProblem The path is that of the contract's input. */

/**
 * @param {Element} candidate
 * @returns {candidate is Control}
 */
export function isControl(candidate) {
  const isField = candidate instanceof HTMLInputElement || candidate instanceof HTMLSelectElement;
  return isField && candidate.name !== "";
}

/**
 * Return the visible text of *control*. Not for passwords, which stay as they are.
 * @param {Control} control
 */
export function entryOf(control) {
  return control instanceof HTMLInputElement && control.type === "checkbox" ? control.checked : visible(control.value);
}

/**
 * Return whether *control* has to be filled in on its step, even if another step is shown.
 * @param {Control} control
 */
function isAsked(control) {
  return control.closest("[hidden]:not(section)") === null;
}

/**
 * Restore *value*, if it suits this kind of field.
 * @param {Control} control
 * @param {unknown} value
 */
export function fill(control, value) {
  if (typeof value !== typeof entryOf(control)) return;
  if (typeof value === "boolean" && control instanceof HTMLInputElement) control.checked = value;
  else control.value = String(value);
}

/**
 * Return the problem of a visible field that must be filled in and is empty.
 * @param {Control} control
 * @returns {FieldProblem[]}
 */
export function missing(control) {
  const value = entryOf(control);
  const empty = value === false || value === "";
  if (!control.required || !isAsked(control) || !empty) return [];
  const message = value === false ? say("problem.terms") : say("problem.required");
  return [{ path: control.name.split("."), message }];
}

/**
 * Show *message* at *control*, or nothing.
 * @param {Control} control
 * @param {string} message
 * @param {string} [lang]
 */
export function setProblem(control, message, lang = language()) {
  const place = byId(`${control.id}-problem`, HTMLElement);
  place.textContent = message;
  place.hidden = message === "";
  place.lang = lang;
  if (message === "") control.removeAttribute("aria-invalid");
  else control.setAttribute("aria-invalid", "true");
}

/** @param {Control} control */
export function labelOf(control) {
  return control.labels?.[0]?.textContent ?? "";
}
