'use strict';
/**
 * How messages left the frontends, as text, from the `stats().fanOut` of each. Whatever is counted there
 * is shown by its name, so that a plugin that counts other things, or nothing, is no mistake.
 */

/** All numbers in an object, each with its path. */
function counters(object, prefix = '') {
  return Object.entries(object).flatMap(([name, value]) => {
    if (typeof value === 'number') return [[prefix + name, value]];
    return value && typeof value === 'object' ? counters(value, `${prefix}${name}.`) : [];
  });
}

/** `natively 600, byFramework 3`; null if no frontend counts any. */
function waysOut(all) {
  const sums = new Map();
  for (const [name, value] of all.filter(Boolean).flatMap((one) => counters(one))) {
    sums.set(name, (sums.get(name) || 0) + value);
  }
  const some = [...sums].filter(([, value]) => value > 0);
  return some.length > 0 ? some.map(([name, value]) => `${name} ${value}`).join(', ') : null;
}

module.exports = { waysOut };
