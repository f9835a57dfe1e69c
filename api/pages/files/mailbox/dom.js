// @ts-check

/**
 * Return an element that is known to exist.
 *
 * @template {Element} T
 * @param {ParentNode} scope
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function find(scope, selector, type) {
  const found = scope.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`${selector} is missing`);
  return found;
}
