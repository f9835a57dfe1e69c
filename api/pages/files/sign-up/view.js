// @ts-check
/** The visible page: one section, its title, and the progress of the sign-up. */

import { byId, within } from "./dom.js";
import { say } from "./language.js";

const WAITING = "waiting";
const ASKING = ["details", "organisation", "captcha"];

/**
 * Announce *text* to people who do not see the page.
 * @param {string} text
 */
export function announce(text) {
  byId("announcement", HTMLElement).textContent = text;
}

/**
 * Show only the section *name*, and send an event `left` to the section before. With *focus*, send it an event `shown`,
 * and move the focus to its first problem, or to its title.
 * @param {string} name
 * @param {{focus: boolean}} options
 */
export function reveal(name, { focus }) {
  announce("");
  for (const section of sections()) {
    if (!section.hidden && section.id !== name && name !== WAITING) section.dispatchEvent(new Event("left"));
    section.hidden = section.id !== name;
  }
  showProgress(name);
  showTitle();
  byId("help", HTMLElement).hidden = !ASKING.includes(name);
  if (!focus) return;
  byId(name, HTMLElement).dispatchEvent(new Event("shown"));
  takeReaderTo(byId(name, HTMLElement));
}

/** Set the window's title: the step, the progress, and whether there is a problem. */
export function showTitle() {
  const section = sections().find((candidate) => !candidate.hidden);
  if (!section) return;
  const wrong = section.querySelector("[aria-invalid=true]") ? say("title.problem") : "";
  const [now, count] = progressOf(section.id);
  const step = now < 0 ? "" : say("title.step", { number: now + 1, count });
  document.title = `${wrong}${within(section, "h1").textContent}${step} – Guichet`;
}

/** @param {HTMLElement} section */
function takeReaderTo(section) {
  scrollTo({ top: 0, behavior: "instant" });
  const wrong = section.querySelector("[aria-invalid=true]");
  if (wrong instanceof HTMLElement) {
    wrong.focus({ preventScroll: true });
    wrong.scrollIntoView({ block: "center", behavior: "instant" }); // Focus alone would not scroll to a field that has it already.
  } else within(section, "h1").focus({ preventScroll: true });
}

/** @param {string} name */
function showProgress(name) {
  const [now] = progressOf(name);
  byId("progress", HTMLElement).hidden = now < 0;
  marks().forEach((mark, number) => {
    mark.classList.toggle("done", number < now);
    if (number === now) mark.setAttribute("aria-current", "step");
    else mark.removeAttribute("aria-current");
  });
}

/**
 * Return the position of *name* among the numbered steps, from 0; -1 for any other step.
 * @param {string} name
 */
function progressOf(name) {
  return [marks().findIndex((mark) => mark.getAttribute("data-step") === name), marks().length];
}

function marks() {
  return [...document.querySelectorAll("#progress li")];
}

function sections() {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main > section")]);
}
