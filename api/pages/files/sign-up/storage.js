// @ts-check
/** The storage of the browser. A browser that stores nothing, or foreign data, does no harm. */

/** @typedef {"sessionStorage" | "localStorage"} Kind For this tab, or for this browser. */

/**
 * Return the value stored at *place*, or null.
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
 * Store *value*, if the browser allows: without storage, the page works, and forgets.
 * @param {Kind} kind
 * @param {string} place
 * @param {unknown} value
 */
export function remember(kind, place, value) {
  try {
    window[kind].setItem(place, JSON.stringify(value));
  } catch {
    // The storage is full, or forbidden.
  }
}
