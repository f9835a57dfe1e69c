// @ts-check
/** The language of the page, and its words. Each request names the language, so the API answers in it too. */

import { recall, remember } from "./storage.js";
import en from "./words/en.js";
import fr from "./words/fr.js";

/** @typedef {"fr" | "en"} Language */
/** @typedef {keyof typeof fr} Word */

const PLACE = "guichet.language";

/** @type {Record<Language, Record<Word, string>>} */
const words = { fr, en };
const LOCALES = { fr: "fr-FR", en: "en-GB" };

/** @type {Language} */
let current = chosen() ?? preferred();

export function language() {
  return current;
}

/**
 * Return the words of *name*, with *values* in their places.
 * @param {Word} name
 * @param {Record<string, string | number>} [values]
 */
export function say(name, values = {}) {
  return words[current][name].replace(/\{(\w+)\}/g, (_, place) => String(values[place]));
}

/**
 * Return whether there are words of *name*: the service may be newer than this page.
 * @param {string} name
 * @returns {name is Word}
 */
export function isWord(name) {
  return Object.hasOwn(fr, name);
}

/**
 * Return the time of day of *instant*, as people write it.
 * @param {Date} instant
 */
export function timeOf(instant) {
  return new Intl.DateTimeFormat(LOCALES[current], { timeStyle: "short" }).format(instant);
}

/**
 * Return a duration in words: 42 seconds, 3 minutes.
 * @param {number} seconds
 */
export function unitsOf(seconds) {
  const [count, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(LOCALES[current], { style: "unit", unit, unitDisplay: "long" }).format(count);
}

/** Write the words of the current language into the page. */
export function translate() {
  document.documentElement.lang = current;
  for (const place of document.querySelectorAll("[data-word]")) {
    place.textContent = say(wordOf(place, "data-word"));
  }
  for (const place of document.querySelectorAll("[data-word-label]")) {
    place.setAttribute("aria-label", say(wordOf(place, "data-word-label")));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-language") === current));
  }
}

/**
 * Let people switch. Call *switched* after the page's own words have changed.
 * @param {() => void} switched
 */
export function offerLanguages(switched) {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      current = /** @type {Language} */ (button.getAttribute("data-language"));
      remember("localStorage", PLACE, current);
      translate();
      switched();
    });
  }
}

/**
 * @param {Element} place
 * @param {string} attribute
 */
function wordOf(place, attribute) {
  return /** @type {Word} */ (place.getAttribute(attribute));
}

/** @returns {Language | null} */
function chosen() {
  const value = recall("localStorage", PLACE);
  return typeof value === "string" && Object.hasOwn(words, value) ? /** @type {Language} */ (value) : null;
}

/** @returns {Language} */
function preferred() {
  const known = navigator.languages
    .map((tag) => tag.slice(0, 2).toLowerCase())
    .find((tag) => Object.hasOwn(words, tag));
  return /** @type {Language | undefined} */ (known) ?? "fr";
}
