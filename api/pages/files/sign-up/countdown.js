// @ts-check
/** A visible countdown. */

/**
 * Call *tick* with the seconds left, now and each second, and *done* at the end.
 * @param {number} seconds
 * @param {(left: number) => void} tick
 * @param {() => void} done
 * @returns {() => void} Stops it; *done* is then not called.
 */
export function countDown(seconds, tick, done) {
  const end = performance.now() + seconds * 1000;
  const timer = setInterval(step, 1000);
  step();
  return () => clearInterval(timer);

  function step() {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    tick(left);
    if (left > 0) return;
    clearInterval(timer);
    done();
  }
}

/**
 * Return *seconds* as minutes and seconds: 2:05.
 * @param {number} seconds
 */
export function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
