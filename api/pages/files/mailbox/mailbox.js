// @ts-check
// The mails of development, newest first. The page asks for them again and again while it is visible.

import { find } from "./dom.js";
import { showList } from "./list.js";
import { showMail, titleOf } from "./mail.js";

/** @typedef {{ id: string, subject: string, to: string, sentAt: string, text: string }} Mail */

const POLL_MILLISECONDS = 1500;
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

const status = find(document, "#status", HTMLElement);
const empty = find(document, "#empty", HTMLElement);

/** @type {Mail[] | undefined} Nothing is known before the first answer. */
let mails;
/** @type {Mail | undefined} */
let chosen;
/** @type {Set<string>} */
const unseen = new Set();
let entityTag = "";
let failing = false;
/** @type {number | undefined} */
let timer;

async function poll() {
  clearTimeout(timer);
  if (document.hidden) return;
  const newest = await changed().catch(() => null);
  if (newest) show(newest);
  if (failing !== (newest === null)) {
    failing = !failing;
    say(failing ? "The server doesn’t answer. Still trying…" : "The server answers again.");
  }
  clearTimeout(timer);
  timer = setTimeout(poll, POLL_MILLISECONDS);
}

/**
 * Return the mails, if they have changed since the last time.
 *
 * @returns {Promise<Mail[] | undefined>}
 */
async function changed() {
  const response = await fetch("messages", { headers: { "If-None-Match": entityTag }, cache: "no-store" });
  if (response.status === 304) return undefined;
  if (!response.ok) throw new Error(`Status ${response.status}`);
  const { messages } = await response.json();
  entityTag = response.headers.get("ETag") ?? "";
  return messages;
}

/** @param {Mail[]} newest */
function show(newest) {
  if (mails) announce(newest, new Set(mails.map(({ id }) => id)));
  mails = newest;
  choose(mails.find(({ id }) => id === chosen?.id) ?? addressed());
}

/**
 * @param {Mail[]} newest
 * @param {Set<string>} known
 */
function announce(newest, known) {
  const arrived = newest.filter(({ id }) => !known.has(id));
  for (const { id } of arrived) unseen.add(id);
  if (arrived.length > 0) {
    const count = arrived.length === 1 ? "New mail" : `${arrived.length} new mails`;
    say(`${count} at ${CLOCK.format(new Date())}: ${arrived.map(titleOf).join(" · ")}`);
  }
}

/** Return the mail that the address of the page names, or else the newest. */
function addressed() {
  return mails?.find(({ id }) => id === location.hash.slice(1)) ?? mails?.[0];
}

/** @param {Mail | undefined} mail */
function choose(mail) {
  const another = mail?.id !== chosen?.id;
  chosen = mail;
  if (mail) unseen.delete(mail.id);
  empty.hidden = mails?.length !== 0;
  document.title = `${unseen.size > 0 ? `(${unseen.size}) ` : ""}Mailbox · Guichet`;
  showList(mails ?? [], chosen, unseen);
  if (another) showMail(mail);
}

/** @param {string} news */
function say(news) {
  status.textContent = news;
}

addEventListener("hashchange", () => {
  choose(addressed());
  find(document, "article", HTMLElement).scrollIntoView();
});
document.addEventListener("visibilitychange", poll);
poll();
