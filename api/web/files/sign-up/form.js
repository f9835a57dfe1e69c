// @ts-check
/** A form: what was typed is kept, one sending at a time, problems under their fields, failures above the button. */

import { clock, countDown } from "./countdown.js";
import { byId, element, within } from "./dom.js";
import { draft, keep } from "./draft.js";
import { explain, TooManyRequests } from "./failures.js";
import { language, say } from "./language.js";

/** @typedef {{path: string[], message: string}} FieldProblem */
/** @typedef {HTMLInputElement | HTMLSelectElement} Control */

const SLOW_MILLISECONDS = 8_000;

export class Form {
  #busy = false;
  #waiting = false;

  /**
   * @param {string} id
   * @param {() => Promise<void>} work What a submission does. What it throws is shown above the button.
   */
  constructor(id, work) {
    this.element = byId(id, HTMLFormElement);
    this.summary = this.element.querySelector(".summary");
    this.notice = within(this.element, ".notice");
    this.button = within(this.element, "button[type=submit]");
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run(work);
    });
  }

  /** Keep what is typed here, and fill in what was kept. */
  keepTyped() {
    for (const control of this.controls()) {
      fill(control, draft.fields[control.name]);
      const keepIt = () => keep({ fields: { ...draft.fields, [control.name]: typedInto(control) } });
      control.addEventListener("input", keepIt);
      control.addEventListener("change", keepIt); // Some browsers fill in without any input.
    }
  }

  controls() {
    return [...this.element.elements].filter(isControl);
  }

  /** @param {string} name */
  control(name) {
    return this.controls().find((control) => control.name === name);
  }

  /**
   * Whether every field that must be filled in is, and there are no *others* among the problems. All are shown.
   * @param {FieldProblem[]} [others]
   */
  holds(others = []) {
    const problems = [...this.controls().flatMap((control) => missing(control)), ...others];
    this.showProblems(problems);
    return problems.length === 0;
  }

  /**
   * Show *problems* under their fields and in the summary, in place of those from before; the first gets the focus.
   * @param {FieldProblem[]} problems
   * @returns {FieldProblem[]} Those of fields that are not in this form.
   */
  showProblems(problems) {
    for (const control of this.controls()) setProblem(control, "");
    const ours = problems.flatMap(({ path, message }) => {
      const control = this.control(path.join("."));
      return control ? [{ control, message }] : [];
    });
    for (const { control, message } of ours) setProblem(control, message);
    this.#summarise(ours);
    firstOf(this.controls(), ours)?.focus();
    return problems.filter(({ path }) => !this.control(path.join(".")));
  }

  /**
   * Say *text* above the button.
   * @param {string} text
   * @param {"good" | "bad" | "busy"} tone
   */
  tell(text, tone) {
    this.notice.className = `notice ${tone}`;
    this.notice.replaceChildren(...(text ? [element("p", text)] : []));
  }

  /**
   * Do *work*, unless something is being done, or has to be waited for.
   * @param {() => Promise<void>} work
   */
  async run(work) {
    if (this.#busy || this.#waiting) return;
    this.#setBusy(true);
    this.tell("", "busy");
    const slow = setTimeout(() => this.tell(say("waiting.slow"), "busy"), SLOW_MILLISECONDS);
    try {
      await work();
      if (this.notice.classList.contains("busy")) this.tell("", "busy");
    } catch (failure) {
      this.#explain(failure);
    } finally {
      clearTimeout(slow);
      this.#setBusy(false);
    }
  }

  /** @param {unknown} failure */
  #explain(failure) {
    this.tell(explain(failure), "bad");
    if (failure instanceof TooManyRequests) this.#wait(failure.seconds);
    else if (!(failure instanceof Error)) throw failure;
  }

  /**
   * Nothing is sent for *seconds*, which are counted down: seen each second, told at the beginning and the end.
   * @param {number} seconds
   */
  #wait(seconds) {
    const left = element("p", "", "countdown");
    left.setAttribute("aria-hidden", "true");
    this.notice.append(left);
    this.#waiting = true;
    this.button.setAttribute("aria-disabled", "true");
    countDown(
      seconds,
      (now) => (left.textContent = clock(now)),
      () => {
        this.#waiting = false;
        this.button.removeAttribute("aria-disabled");
        this.tell(say("failure.haste-over"), "good");
      },
    );
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    this.element.setAttribute("aria-busy", String(busy));
    this.button.classList.toggle("busy", busy);
    if (busy) this.button.setAttribute("aria-disabled", "true");
    else if (!this.#waiting) this.button.removeAttribute("aria-disabled");
  }

  /** @param {{control: Control, message: string}[]} problems */
  #summarise(problems) {
    if (!(this.summary instanceof HTMLElement)) return;
    this.summary.hidden = problems.length < 2;
    const lines = problems.map(({ control, message }) => {
      const line = document.createElement("li");
      const link = element("a", `${labelOf(control)} – ${message}`);
      link.setAttribute("href", `#${control.id}`);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        control.focus();
      });
      line.append(link);
      return line;
    });
    within(this.summary, "ul").replaceChildren(...lines);
  }
}

/**
 * @param {Element} candidate
 * @returns {candidate is Control}
 */
function isControl(candidate) {
  const typed = candidate instanceof HTMLInputElement || candidate instanceof HTMLSelectElement;
  return typed && candidate.name !== "";
}

/**
 * Show *message* under *control*, or nothing.
 * @param {Control} control
 * @param {string} message
 */
export function setProblem(control, message) {
  const place = byId(`${control.id}-problem`, HTMLElement);
  place.textContent = message;
  place.hidden = message === "";
  place.lang = language();
  if (message === "") control.removeAttribute("aria-invalid");
  else control.setAttribute("aria-invalid", "true");
}

/** @param {Control} control */
export function typedInto(control) {
  return control instanceof HTMLInputElement && control.type === "checkbox" ? control.checked : control.value;
}

/**
 * @param {Control} control
 * @param {string | boolean | undefined} value
 */
function fill(control, value) {
  if (typeof value === "boolean" && control instanceof HTMLInputElement) control.checked = value;
  else if (typeof value === "string") control.value = value;
}

/**
 * @param {Control} control
 * @returns {FieldProblem[]}
 */
function missing(control) {
  const value = typedInto(control);
  const hidden = control.closest("[hidden]:not(section)") !== null;
  const empty = value === false || (typeof value === "string" && value.trim() === "");
  if (!control.required || hidden || !empty) return [];
  const message = value === false ? say("problem.terms") : say("problem.required");
  return [{ path: control.name.split("."), message }];
}

/**
 * The first control, in reading order, that has one of *problems*.
 * @param {Control[]} controls
 * @param {{control: Control}[]} problems
 */
function firstOf(controls, problems) {
  return controls.find((control) => problems.some((problem) => problem.control === control));
}

/** @param {Control} control */
function labelOf(control) {
  return control.labels?.[0]?.textContent ?? "";
}
