// @ts-check
// The list of mails.

import { find } from "./dom.js";
import { titleOf } from "./mail.js";

/** @typedef {import("./mailbox.js").Mail} Mail */

const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

const list = find(document, "#list", HTMLElement);
const rows = find(list, "ol", HTMLOListElement);
const row = find(document, "template", HTMLTemplateElement).content;

/** @type {Map<string, HTMLLIElement>} A row is made once: one that has the keyboard’s focus keeps it. */
let known = new Map();

/**
 * @param {Mail[]} mails
 * @param {Mail | undefined} chosen
 * @param {Set<string>} unseen
 */
export function showList(mails, chosen, unseen) {
  list.hidden = mails.length === 0;
  const before = known;
  known = new Map(mails.map((mail) => [mail.id, before.get(mail.id) ?? rowOf(mail)]));
  for (const [id, item] of before) if (!known.has(id)) item.remove();
  placeRows();
  for (const [id, item] of known) mark(item, { current: id === chosen?.id, unseen: unseen.has(id) });
}

/** Update the rows. Rows in the right place are not touched. */
function placeRows() {
  let place = rows.firstElementChild;
  for (const item of known.values()) {
    if (item === place) place = place.nextElementSibling;
    else rows.insertBefore(item, place);
  }
}

/**
 * @param {Mail} mail
 * @returns {HTMLLIElement}
 */
function rowOf(mail) {
  const item = find(/** @type {DocumentFragment} */ (row.cloneNode(true)), "li", HTMLLIElement);
  const time = find(item, "time", HTMLTimeElement);
  find(item, "a", HTMLAnchorElement).href = `#${mail.id}`;
  find(item, ".subject", HTMLElement).textContent = titleOf(mail);
  find(item, ".to", HTMLElement).textContent = mail.to;
  time.dateTime = mail.sentAt;
  time.textContent = briefly(new Date(mail.sentAt));
  return item;
}

/**
 * Return the time of a mail of today, or the day of an older one.
 *
 * @param {Date} instant
 */
function briefly(instant) {
  const today = instant.toDateString() === new Date().toDateString();
  return (today ? TIME : DAY).format(instant);
}

/**
 * @param {HTMLLIElement} item
 * @param {{ current: boolean, unseen: boolean }} state
 */
function mark(item, { current, unseen }) {
  find(item, "a", HTMLAnchorElement).setAttribute("aria-current", String(current));
  find(item, ".unseen", HTMLElement).hidden = !unseen;
}
