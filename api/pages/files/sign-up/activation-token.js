// @ts-check
/**
 * The token of an activation link. It comes in the fragment, which browsers send to no server, or in the path or the
 * query if a mail gateway has moved it there. It leaves the address bar before any other script runs or sends requests,
 * and lives in this variable only. A browser's history may keep the original address; there, the protection is that a
 * link works once, and for an hour.
 */

const TOKEN_LENGTH = 43; // 32 bytes in base64url.
const MAX_ENCODINGS = 8; // Several gateways may encode a link, one after the other.
const HOME = new URL("./", import.meta.url); // The page's own address, even if a gateway has changed the link.

const TOKEN = /token\s*=([\w\s=-]*)/gi; // It ends at characters that a mail program adds: & . > ) and so on.
const NOT_PART_OF_IT = /[\s=]/g; // From a folded line.
const OURS = /^(?:3D)?([\w-]{43})(?![\w-])/i; // "=3D" is the "=" of an undecoded mail.
const CUT = /#(?:t(?:o(?:k(?:e(?:n=?)?)?)?)?)?$|[?&/]token=?$/i;

let token = takeFromAddress();

/**
 * Return the token of the latest link; "" if the link has none, null if no link opened this page or loaded it again.
 */
export function activationToken() {
  return token;
}

/** Forget the token: it has been used, or is invalid. */
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
 * Return the token in *address*, in any of its forms; "" if only its place is there, null if there is none.
 * @param {string} address
 */
function tokenIn(address) {
  const plain = decoded(address);
  const found = [...plain.matchAll(TOKEN)].map(([, value]) => tokenAtStart(value));
  if (found.length > 0) return found.find((value) => value !== "") ?? "";
  return CUT.test(plain) ? "" : null;
}

/**
 * Return the token at the start of *value*, without line breaks in it and without characters around it.
 * @param {string} value
 */
function tokenAtStart(value) {
  const joined = value.replace(NOT_PART_OF_IT, "");
  return OURS.exec(value.trimStart())?.[1] ?? OURS.exec(joined)?.[1] ?? joined.slice(0, TOKEN_LENGTH);
}

/**
 * Return *text* decoded, and without invisible characters.
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
 * Return *text* with its percent-encodings decoded; those that are no UTF-8 stay.
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
