'use strict';

/**
 * Waiting without sleeping: poll a condition until it holds, or fail with its name when it does
 * not within the deadline. Nothing of Redis or the plugin lives here.
 */

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
