'use strict';
/**
 * The highest rate that holds: steps up or down from a first guess until one rate holds and the next
 * does not, then halves what is between. Knows nothing of what is tried.
 */

const STEP = 1.3;
const HALVINGS = 2;

/**
 * `holds(rate)` may be wrong by bad luck, so that a rate has failed only when it failed twice.
 * Returns the highest rate that held, or null if none above `least` did.
 */
async function highestRate(guess, holds, { least = 0.5, most = 5000 } = {}) {
  const twice = async (rate) => (await holds(rate)) || holds(rate);
  let good = null;
  let bad = null;
  for (let rate = guess; good === null || bad === null;) {
    if (await twice(rate)) good = rate;
    else bad = rate;
    rate = bad === null ? good * STEP : bad / STEP;
    if (good !== null && rate > most) return good;
    if (good === null && rate < least) return null;
  }
  for (let i = 0; i < HALVINGS; i += 1) {
    const middle = Math.sqrt(good * bad);
    if (await twice(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

module.exports = { highestRate };
