'use strict';

/** Waits without sleeping: polls a condition until it holds, or fails with its name at the deadline. */

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves to the first truthy value of `condition`, which may be async. */
async function until(condition, what, deadline = 10000) {
  const end = Date.now() + deadline;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadline} ms in vain for: ${what}`);
    await pause(10);
  }
}

/** Only where a test needs that something does *not* happen for a while. */
const nothingFor = pause;

module.exports = { until, nothingFor, pause };
