// @ts-check
/** Typed functions that find and make elements. */

/**
 * Return the element with *id*, which is known to exist.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`#${id} is no ${kind.name}`);
  return found;
}

/**
 * Return the first element inside *root* that matches; one is known to exist.
 * @param {ParentNode} root
 * @param {string} selector
 */
export function within(root, selector) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new TypeError(`there is no ${selector}`);
  return found;
}

/**
 * Return a new element with its text.
 * @param {string} name
 * @param {string} text
 * @param {string} [className]
 */
export function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/**
 * Return *text* as nodes, with its addresses as links.
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
export function linked(text) {
  return text.split(/(https?:\/\/\S*[^\s.,;:!?])/).map((part, number) => {
    if (number % 2 === 0) return part;
    const link = element("a", part);
    link.setAttribute("href", part);
    return link;
  });
}
