// @ts-check
/** The steps of the sign-up. Each has one section and one address; one is shown at a time. */

import { reveal } from "./view.js";
import { Waiting } from "./waiting.js";

/** @typedef {"welcome" | "details" | "organisation" | "captcha" | "sent" | "resend" | "restart" | "password" | "active"} Step */

/**
 * The preparation of a step before it is shown. It may name another step to show instead. *again* means that the same
 * step is shown in another language; *isWanted* tells, after a wait, whether the step still has to be shown.
 * @typedef {(again: boolean, isWanted: () => boolean) => Promise<Step | void> | Step | void} Enter
 */

const HOME = "welcome";

/** @type {Map<Step, Enter>} */
const steps = new Map();

/** @type {Step | null} */
let current = null;
let turn = 0;

/**
 * Register the preparation of *step*.
 * @param {Step} step
 * @param {Enter} enter
 */
export function defineStep(step, enter) {
  steps.set(step, enter);
}

/** Show the step of the address, now and whenever the address changes. */
export function startSteps() {
  addEventListener("popstate", () => {
    if (stepOfAddress() !== current) show(stepOfAddress());
  });
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // The draft may have changed since.
  document.addEventListener("click", follow);
  show(stepOfAddress());
}

/**
 * Go to *step*. The back button leads back, unless the step *replaces* the one before.
 * @param {Step} step
 * @param {{replace?: boolean}} [options]
 */
export function go(step, { replace = false } = {}) {
  const address = step === HOME ? location.pathname : `?step=${step}`;
  history[replace || step === current ? "replaceState" : "pushState"](null, "", address);
  show(step);
}

/** Return a function that tells whether the current step is still shown: a late answer must not change the step. */
export function presence() {
  const step = current;
  return () => step === current;
}

/** Show the current step again: its language has changed. */
export function showAgain() {
  if (current !== null) show(current, true);
}

/**
 * @param {Step} step
 * @param {boolean} [again]
 */
async function show(step, again = false) {
  const mine = ++turn;
  const isWanted = () => mine === turn;
  const focus = current !== null && !again;
  const waiting = new Waiting(isWanted);
  current = step;
  try {
    const instead = await steps.get(step)?.(again, isWanted);
    if (!isWanted()) return;
    if (instead) go(instead, { replace: true });
    else reveal(step, { focus });
  } catch (failure) {
    if (isWanted()) waiting.fail(failure, () => isWanted() && show(step, again));
  } finally {
    waiting.end();
  }
}

/** @returns {Step} */
function stepOfAddress() {
  const asked = /** @type {Step} */ (new URLSearchParams(location.search).get("step"));
  return steps.has(asked) ? asked : HOME;
}

/**
 * Follow a link to a step without a new page. A link that is opened in another tab works like any other.
 * @param {MouseEvent} event
 */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a[data-go]") : null;
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(/** @type {Step} */ (link.getAttribute("data-go")));
}
