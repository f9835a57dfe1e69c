// @ts-check
/** Finding and making elements, with their types. */

/**
 * The element of *id*, which is known to be there.
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
 * The first element inside *root* that matches, which is known to be there.
 * @param {ParentNode} root
 * @param {string} selector
 */
export function within(root, selector) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new TypeError(`there is no ${selector}`);
  return found;
}

/**
 * A new element with its text.
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
 * *text* as nodes, with its addresses as links.
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
