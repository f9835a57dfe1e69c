// @ts-check
// The selected mail, as HTML or as text.

import { find } from "./dom.js";

/** @typedef {import("./mailbox.js").Mail} Mail */

const URLS = /(https?:\/\/[^\s<>"]+)/;
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

const article = find(document, "article", HTMLElement);
const sent = find(article, "time", HTMLTimeElement);
const text = find(article, "#text", HTMLElement);
const asHtml = find(article, "#as-html", HTMLButtonElement);
const asText = find(article, "#as-text", HTMLButtonElement);
let frame = find(article, "iframe", HTMLIFrameElement);

/** @param {Mail | undefined} mail */
export function showMail(mail) {
  article.hidden = !mail;
  if (!mail) return;
  find(article, "#subject", HTMLElement).textContent = titleOf(mail);
  find(article, "#to", HTMLElement).textContent = mail.to;
  sent.dateTime = mail.sentAt;
  sent.textContent = FULL.format(new Date(mail.sentAt));
  showHtml(mail);
  showText(mail);
  article.scrollTop = 0;
}

/** @param {Mail} mail */
export function titleOf(mail) {
  return mail.subject || "(no subject)";
}

/**
 * Show the mail in a new frame: a frame that is reused would add entries to the history.
 *
 * @param {Mail} mail
 */
function showHtml(mail) {
  const fresh = /** @type {HTMLIFrameElement} */ (frame.cloneNode());
  fresh.src = `messages/${mail.id}`;
  frame.replaceWith(fresh);
  frame = fresh;
}

/** @param {Mail} mail */
function showText(mail) {
  const parts = (mail.text || "(no text)").split(URLS);
  text.replaceChildren(...parts.map((part) => (URLS.test(part) ? linkTo(part) : part)));
}

/** @param {string} url */
function linkTo(url) {
  const link = document.createElement("a");
  link.href = url;
  link.textContent = url;
  link.target = "_blank";
  return link;
}

/** @param {boolean} html */
function showAs(html) {
  asHtml.setAttribute("aria-pressed", String(html));
  asText.setAttribute("aria-pressed", String(!html));
  frame.hidden = !html;
  text.hidden = html;
}

asHtml.addEventListener("click", () => showAs(true));
asText.addEventListener("click", () => showAs(false));
