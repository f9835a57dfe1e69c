// @ts-check
/** The steps of the sign-up: one section of the page each, one address each, one shown at a time. */

import { reveal } from "./view.js";
import { Waiting } from "./waiting.js";

/** @typedef {"welcome" | "details" | "organisation" | "captcha" | "sent" | "resend" | "restart" | "password" | "active"} Step */

/**
 * What a step needs before it can be shown. It may name another step that has to be shown instead. *again* tells that
 * it is the same step in another language; *isWanted* whether it still is to be shown, after something was
 * waited for.
 * @typedef {(again: boolean, isWanted: () => boolean) => Promise<Step | void> | Step | void} Enter
 */

const HOME = "welcome";

/** @type {Map<Step, Enter>} */
const steps = new Map();

/** @type {Step | null} */
let current = null;
let turn = 0;

/**
 * Say what *step* needs.
 * @param {Step} step
 * @param {Enter} enter
 */
export function defineStep(step, enter) {
  steps.set(step, enter);
}

/** Show the step of the address, and follow the address from then on. */
export function startSteps() {
  addEventListener("popstate", () => {
    if (stepOfAddress() !== current) show(stepOfAddress());
  });
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // The draft may have changed since.
  document.addEventListener("click", follow);
  show(stepOfAddress());
}

/**
 * Go to *step*; the back button leads back from there, unless it *replaces* the one before.
 * @param {Step} step
 * @param {{replace?: boolean}} [options]
 */
export function go(step, { replace = false } = {}) {
  const address = step === HOME ? location.pathname : `?step=${step}`;
  history[replace || step === current ? "replaceState" : "pushState"](null, "", address);
  show(step);
}

/** Tells, whenever it is called, whether the step that is shown now still is: a late answer takes nobody elsewhere. */
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
 * A link to a step needs no new page; one that is opened elsewhere works as any link.
 * @param {MouseEvent} event
 */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("a[data-go]") : null;
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(/** @type {Step} */ (link.getAttribute("data-go")));
}
