'use strict';
/**
 * Formats the `stats().fanOut` of the frontends as text. Every counter is shown by its name, so that plugins with other
 * counters, or none, work too.
 */

/** Returns all numbers in an object, each with its path. */
function counters(object, prefix = '') {
  return Object.entries(object).flatMap(([name, value]) => {
    if (typeof value === 'number') return [[prefix + name, value]];
    return value && typeof value === 'object' ? counters(value, `${prefix}${name}.`) : [];
  });
}

/** Returns the sums of all counters above 0, such as `native 600, framework 3`; null if there are none. */
function waysOut(all) {
  const sums = new Map();
  for (const [name, value] of all.filter(Boolean).flatMap((one) => counters(one))) {
    sums.set(name, (sums.get(name) || 0) + value);
  }
  const some = [...sums].filter(([, value]) => value > 0);
  return some.length > 0 ? some.map(([name, value]) => `${name} ${value}`).join(', ') : null;
}

module.exports = { waysOut };
