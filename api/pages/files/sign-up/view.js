// @ts-check
/** What is seen of the page: one section, its title, and how far the sign-up has come. */

import { byId, within } from "./dom.js";
import { say } from "./language.js";

const WAITING = "waiting";
const ASKING = ["details", "organisation", "captcha"];

/**
 * Say *text* to who does not see the page.
 * @param {string} text
 */
export function announce(text) {
  byId("announcement", HTMLElement).textContent = text;
}

/**
 * Show the section *name* alone; the one before is told by an event `left`. With *focus*, it is told by an event
 * `shown`, and the reader is taken to its first problem, or to its title.
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

/** Have the window's title say the step, how far it is, and whether something is wrong. */
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
    wrong.scrollIntoView({ block: "center", behavior: "instant" }); // One that had the focus would not move.
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
 * Which of how many steps that are counted *name* is, from 0; -1 for one that is not.
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
