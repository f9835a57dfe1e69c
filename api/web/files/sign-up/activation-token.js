// @ts-check
/**
 * The token of an activation link. It comes in the fragment, which browsers send to no server; it leaves the address
 * bar before any other script runs or asks; and it lives in this variable only. A browser's own history may keep the
 * address that was opened: what protects there is that a link works once, and for an hour.
 */

const LONGEST_TOKEN = 1_000; // Many times as long as any of ours: what is longer is of no use either.

let token = takeFromAddress();

/** The token that the newest link brought, or null where this page was opened, or loaded again, without one. */
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
  const value = new URLSearchParams(location.hash.slice(1)).get("token");
  if (value === null) return null;
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("step", "password");
  history.replaceState(null, "", address);
  return value.slice(0, LONGEST_TOKEN);
}
