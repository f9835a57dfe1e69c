// @ts-check
/**
 * The token of an activation link. It comes in the fragment, which browsers send to no server; a mail gateway may have
 * moved it into the path or the query. It leaves the address bar before any other script runs or asks; and it lives in
 * this variable only. A browser's own history may keep the address that was opened: what protects there is that a link
 * works once, and for an hour.
 */

const TOKEN_LENGTH = 43; // 32 bytes in base64url.
const MAX_ENCODINGS = 8; // Of gateways one behind the other.
const HOME = new URL("./", import.meta.url); // The page's own address, whatever the link has become.

const TOKEN = /token\s*=([\w\s=-]*)/gi; // Up to what a mail program has put behind it: & . > ) and so on.
const NOT_PART_OF_IT = /[\s=]/g; // A line that was folded.
const OURS = /^(?:3D)?([\w-]{43})(?![\w-])/i; // "=3D" is the "=" of a mail that nobody decoded.
const CUT = /#(?:t(?:o(?:k(?:e(?:n=?)?)?)?)?)?$|[?&/]token=?$/i;

let token = takeFromAddress();

/**
 * The token that the newest link brought, "" where a link came without, or null where this page was opened, or loaded
 * again, by no link.
 */
export function activationToken() {
  return token;
}

/** Forget the token: it has been used, or is of no use. */
export function forgetActivationToken() {
  token = null;
}

/**
 * Call *arrived* for each further link that is opened in this page.
 * @param {() => void} arrived
 */
export function onActivationLink(arrived) {
  addEventListener("hashchange", () => {
    const next = takeFromAddress();
    if (next === null) return;
    token = next;
    arrived();
  });
}

function takeFromAddress() {
  const found = tokenIn(location.href.slice(location.origin.length));
  if (found !== null) history.replaceState(null, "", new URL("?step=password", HOME));
  return found;
}

/**
 * The token in *address*, in whatever form it comes; "" where there only is the place for one, null where there is none.
 * @param {string} address
 */
function tokenIn(address) {
  const plain = decoded(address);
  const found = [...plain.matchAll(TOKEN)].map(([, value]) => tokenAtStart(value));
  if (found.length > 0) return found.find((value) => value !== "") ?? "";
  return CUT.test(plain) ? "" : null;
}

/**
 * The token that *value* begins with, without what was folded into it, put before it, or stuck to its end.
 * @param {string} value
 */
function tokenAtStart(value) {
  const joined = value.replace(NOT_PART_OF_IT, "");
  return OURS.exec(value.trimStart())?.[1] ?? OURS.exec(joined)?.[1] ?? joined.slice(0, TOKEN_LENGTH);
}

/**
 * *text* without its encodings, and without characters that nobody sees.
 * @param {string} text
 */
function decoded(text) {
  let plain = text;
  for (let turn = 0, before = ""; turn < MAX_ENCODINGS && plain !== before; turn++) {
    before = plain;
    plain = percentDecoded(plain)
      .replace(/&amp;/gi, "&")
      .replace(/&(?:#61|#x3d|equals);/gi, "=");
  }
  return plain.replace(/\p{Cf}/gu, "");
}

/**
 * *text* with its percent-encodings decoded; those that are no UTF-8 stay.
 * @param {string} text
 */
function percentDecoded(text) {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}
