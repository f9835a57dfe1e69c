// @ts-check
/** What is seen of the page: one section, and how far the sign-up has come. */

import { byId, within } from "./dom.js";

/**
 * Say *text* to who does not see the page.
 * @param {string} text
 */
export function announce(text) {
  byId("announcement", HTMLElement).textContent = text;
}

/**
 * Show the section *name* alone. With *focus*, the reader is taken to its first problem, or to its title.
 * @param {string} name
 * @param {{focus: boolean}} options
 */
export function reveal(name, { focus }) {
  announce("");
  for (const section of document.querySelectorAll("main > section")) {
    section.toggleAttribute("hidden", section.id !== name);
  }
  showProgress(name);
  const section = byId(name, HTMLElement);
  const title = within(section, "h1");
  document.title = `${title.textContent} – Guichet`;
  byId("help", HTMLElement).hidden = name !== "details" && name !== "organisation" && name !== "captcha";
  if (!focus) return;
  scrollTo({ top: 0, behavior: "instant" });
  const wrong = section.querySelector("[aria-invalid=true]");
  if (wrong instanceof HTMLElement) wrong.focus();
  else title.focus({ preventScroll: true });
}

/** @param {string} name */
function showProgress(name) {
  const marks = [...document.querySelectorAll("#progress li")];
  const now = marks.findIndex((mark) => mark.getAttribute("data-step") === name);
  byId("progress", HTMLElement).hidden = now < 0;
  marks.forEach((mark, number) => {
    mark.classList.toggle("done", number < now);
    if (number === now) mark.setAttribute("aria-current", "step");
    else mark.removeAttribute("aria-current");
  });
}
