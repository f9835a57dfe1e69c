// @ts-check
/** Typed text as a person sees it: a paste brings characters that nobody sees. The service drops them likewise. */

const INVISIBLE = /(?![\u200c\u200d])[\p{Cf}\u034f\u2800\u3164\uffa0]/gu;
// Joiners mean something between letters of some scripts, none of which is ASCII.
const IDLE_JOINER = /(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])/gu;

/**
 * *text* in NFC, without invisible characters and blanks around, and with plain blanks.
 * @param {string} text
 */
export function visible(text) {
  return text
    .normalize("NFC")
    .replace(INVISIBLE, "")
    .replace(IDLE_JOINER, "")
    .replace(/[\t\p{Zs}]/gu, " ")
    .trim();
}
