// @ts-check
/** A form: it keeps input, does one thing at a time, and shows problems at their fields and failures at the end. */

import { clock, countDown } from "./countdown.js";
import { byId, element, within } from "./dom.js";
import { draft, keepField, onForgotten } from "./draft.js";
import { explain, Refusal, TooManyRequests } from "./failures.js";
import { entryOf, fill, isControl, labelOf, missing, setProblem } from "./field.js";
import { language, say } from "./language.js";
import { announce, showTitle } from "./view.js";

/** @typedef {import("./field.js").Control} Control */
/** @typedef {import("./field.js").FieldProblem} FieldProblem */
/** @typedef {{control: Control, message: string}} ShownProblem */
/** @typedef {{focus?: boolean, lang?: string}} Showing Whether the first field gets the focus; the messages' language. */

const SLOW_MILLISECONDS = 8_000;

export class Form {
  #busy = false;
  /** @type {Map<HTMLElement, () => void>} For each button that has to wait, the function that says so again. */
  #waiting = new Map();
  /** @type {import("./draft.js").Place | null} The place where input is stored. */
  #place = null;

  /**
   * @param {string} id
   * @param {() => Promise<void>} work The work of a submission. The end of the form shows its failures.
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
    this.element.closest("section")?.addEventListener("shown", () => {
      if (this.#waiting.size === 0) this.tell("", "good");
    });
  }

  /**
   * Store the input of this form, and fill in stored input.
   * @param {import("./draft.js").Place} [place]
   */
  keepTyped(place = "fields") {
    this.#place = place;
    for (const control of this.controls()) {
      fill(control, draft[place][control.name]);
      for (const event of ["input", "change"]) control.addEventListener(event, () => this.#keep(control));
    }
    onForgotten(place, () => {
      this.element.reset();
      this.showProblems([]);
    });
  }

  /**
   * Call *left* when a step other than this form's is shown.
   * @param {() => void} left
   */
  onLeft(left) {
    this.element.closest("section")?.addEventListener("left", left);
  }

  /** @param {Control} control */
  #keep(control) {
    if (this.#place) keepField(control.name, entryOf(control), this.#place);
  }

  controls() {
    return [...this.element.elements].filter(isControl);
  }

  /** @param {string} name */
  control(name) {
    return this.controls().find((control) => control.name === name);
  }

  /**
   * Show all problems. Return whether every required field is filled in, and there are no *others*.
   * @param {FieldProblem[]} [others]
   */
  holds(others = []) {
    const problems = [...this.controls().flatMap((control) => missing(control)), ...others];
    this.showProblems(problems);
    return problems.length === 0;
  }

  /**
   * Show *problems* at their fields, in place of earlier ones. The first field gets the focus; a summary of several
   * problems links to each.
   * @param {FieldProblem[]} problems
   * @param {Showing} [options]
   * @returns {FieldProblem[]} Those of fields that are not in this form.
   */
  showProblems(problems, { focus = true, lang = language() } = {}) {
    const ours = this.controls().flatMap((control) => {
      const messages = problems.filter(({ path }) => path.join(".") === control.name).map(({ message }) => message);
      setProblem(control, messages.join(" "), lang);
      return messages.length ? [{ control, message: messages.join(" ") }] : [];
    });
    this.#summarise(ours, lang);
    showTitle();
    if (focus) ours[0]?.control.focus();
    return problems.filter(({ path }) => !this.control(path.join(".")));
  }

  /**
   * Show the problems of an `InvalidInput`.
   * @param {{fields: FieldProblem[], message: string, lang: string}} refusal
   * @throws {Refusal} No problem belongs to a field of this form.
   */
  showRefusal(refusal) {
    const { fields, lang } = refusal;
    if (this.showProblems(fields, { lang }).length === fields.length) throw new Refusal(refusal);
  }

  /**
   * Show *text* at the end of the form.
   * @param {string} text
   * @param {"good" | "bad" | "slow"} tone
   * @param {string} [lang]
   */
  tell(text, tone, lang = language()) {
    this.notice.className = `notice ${tone}`;
    this.notice.lang = lang;
    this.notice.replaceChildren(...(text ? [element("p", text)] : []));
  }

  /** @param {unknown} failure */
  #tellFailure(failure) {
    const { text, lang } = explain(failure);
    this.tell(text, "bad", lang);
  }

  /**
   * Do *work* for *button*, unless other work is running or the button has to wait.
   * @param {() => Promise<void>} work
   * @param {HTMLElement} [button]
   */
  async run(work, button = this.button) {
    if (this.#busy || this.#waiting.has(button)) return this.#waiting.get(button)?.();
    this.controls().forEach((control) => this.#keep(control)); // Browsers fill in fields without an event.
    this.tell("", "slow");
    this.#setBusy(true, button);
    const slow = setTimeout(() => this.tell(say("waiting.slow"), "slow"), SLOW_MILLISECONDS);
    try {
      await work();
      if (this.notice.classList.contains("slow")) this.tell("", "slow");
    } catch (failure) {
      if (failure instanceof TooManyRequests) this.#wait(failure, button);
      else this.#tellFailure(failure);
    } finally {
      clearTimeout(slow);
      this.#setBusy(false, button);
    }
  }

  /**
   * Keep *button* from working until *failure* has passed. The countdown is visible each second; it is announced at the
   * beginning and the end, and when the button is pressed.
   * @param {TooManyRequests} failure
   * @param {HTMLElement} button
   */
  #wait(failure, button) {
    const left = element("p", "", "countdown");
    left.setAttribute("aria-hidden", "true");
    const tell = () => {
      this.#tellFailure(failure);
      this.notice.append(left);
    };
    const tick = (/** @type {number} */ now) => {
      left.textContent = clock(now);
    };
    this.#waiting.set(button, tell);
    tell();
    countDown(failure.seconds, tick, () => {
      this.#waiting.delete(button);
      this.#hold();
      if (left.isConnected) this.tell(say("failure.haste-over"), "good");
    });
  }

  /**
   * @param {boolean} busy
   * @param {HTMLElement} button
   */
  #setBusy(busy, button) {
    this.#busy = busy;
    this.element.setAttribute("aria-busy", String(busy));
    button.classList.toggle("busy", busy);
    this.#hold();
  }

  /** Show on every button whether it would work now. */
  #hold() {
    for (const button of this.element.querySelectorAll("button")) {
      button.setAttribute("aria-disabled", String(this.#busy || this.#waiting.has(button)));
    }
  }

  /**
   * @param {ShownProblem[]} problems
   * @param {string} lang
   */
  #summarise(problems, lang) {
    if (!(this.summary instanceof HTMLElement)) return;
    const title = say("summary.title", { count: problems.length });
    this.summary.hidden = problems.length < 2;
    this.summary.lang = language();
    within(this.summary, "h2").textContent = title;
    within(this.summary, "ul").replaceChildren(...problems.map((problem) => lineOf(problem, lang)));
    if (problems.length > 1) announce(title);
  }
}

/**
 * @param {ShownProblem} problem
 * @param {string} lang
 */
function lineOf({ control, message }, lang) {
  const line = document.createElement("li");
  const link = element("a", `${labelOf(control)} – ${message}`);
  link.lang = lang;
  link.setAttribute("href", `#${control.id}`);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    control.focus();
  });
  line.append(link);
  return line;
}
