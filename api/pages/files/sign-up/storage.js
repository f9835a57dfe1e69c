// @ts-check
/** What the browser keeps for this page. One that keeps nothing, or something that is not ours, does no harm. */

/** @typedef {"sessionStorage" | "localStorage"} Kind For this tab, or for this browser. */

/**
 * What is stored at *place*, or null.
 * @param {Kind} kind
 * @param {string} place
 * @returns {unknown}
 */
export function recall(kind, place) {
  try {
    return JSON.parse(window[kind].getItem(place) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Store *value*, where the browser lets us: a page without storage still works, it only forgets.
 * @param {Kind} kind
 * @param {string} place
 * @param {unknown} value
 */
export function remember(kind, place, value) {
  try {
    window[kind].setItem(place, JSON.stringify(value));
  } catch {
    // Full, or forbidden.
  }
}
