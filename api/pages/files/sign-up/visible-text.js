// @ts-check
/** Entered text as a person sees it: a paste brings invisible characters, which the service drops as well. */

const INVISIBLE = /(?![\u200c\u200d])[\p{Cf}\u034f\u2800\u3164\uffa0]/gu;
// Joiners have a meaning between letters of some scripts other than ASCII.
const IDLE_JOINER = /(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])/gu;

/**
 * Return *text* in NFC with plain blanks, without invisible characters and without blanks around it.
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
