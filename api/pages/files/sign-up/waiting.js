// @ts-check
/** Messages until a step can be shown: it loads, it is slow, or it failed and can be tried again. */

import { clock, countDown } from "./countdown.js";
import { byId } from "./dom.js";
import { explain, TooManyRequests, Unreachable } from "./failures.js";
import { language, say } from "./language.js";
import { announce, reveal, showTitle } from "./view.js";

const SHORT_MILLISECONDS = 250;
const LONG_MILLISECONDS = 8_000;

let stopCounting = () => {};

/** One step that is being prepared. */
export class Waiting {
  /** Awaited from the start: the page may learn that a request was lost only after the connection is back. */
  #online = new Promise((come) => addEventListener("online", come, { once: true }));

  /** @param {() => boolean} stillWanted */
  constructor(stillWanted) {
    stopCounting();
    const tell = (/** @type {string} */ text) => stillWanted() && this.#tell(say("waiting.title"), { text }, "running");
    this.timers = [
      setTimeout(() => tell(""), SHORT_MILLISECONDS),
      setTimeout(() => tell(say("waiting.slow")), LONG_MILLISECONDS),
    ];
  }

  end() {
    this.timers.forEach(clearTimeout);
  }

  /**
   * @param {unknown} failure
   * @param {() => void} retry
   */
  fail(failure, retry) {
    this.#tell(say("waiting.failed"), explain(failure), "stopped");
    const button = byId("waiting-retry", HTMLButtonElement);
    button.onclick = retry;
    byId("waiting-title", HTMLElement).focus();
    if (failure instanceof Unreachable) this.#online.then(retry);
    if (failure instanceof TooManyRequests) this.#countDown(failure, retry);
  }

  /**
   * @param {TooManyRequests} failure
   * @param {() => void} retry
   */
  #countDown(failure, retry) {
    const { text } = explain(failure);
    const tick = (/** @type {number} */ left) => {
      byId("waiting-text", HTMLElement).textContent = `${text} ${clock(left)}`;
    };
    stopCounting = countDown(failure.seconds, tick, retry);
  }

  /**
   * @param {string} title
   * @param {{text: string, lang?: string}} words
   * @param {"running" | "stopped"} state
   */
  #tell(title, { text, lang = language() }, state) {
    byId("waiting-title", HTMLElement).textContent = title;
    byId("waiting-text", HTMLElement).textContent = text;
    byId("waiting-text", HTMLElement).lang = lang;
    byId("waiting-mark", HTMLElement).hidden = state === "stopped";
    byId("waiting-retry", HTMLButtonElement).hidden = state === "running";
    if (byId("waiting", HTMLElement).hidden) reveal("waiting", { focus: false });
    showTitle();
    announce(`${title} ${text}`);
  }
}
