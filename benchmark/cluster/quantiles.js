'use strict';
/** Medians and quantiles of what is known; null where nothing is. */

const sorted = (values) =>
  values.filter((value) => Number.isFinite(value)).sort((one, other) => one - other);

function quantile(values, part) {
  const known = sorted(values);
  return known[Math.min(known.length - 1, Math.floor(known.length * part))] ?? null;
}

function median(values) {
  const known = sorted(values);
  if (known.length === 0) return null;
  const middle = known.length >> 1;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

/** Returns `{low, median, high}`. */
function spread(values) {
  const known = sorted(values);
  return { low: known[0] ?? null, median: median(known), high: known.at(-1) ?? null };
}

module.exports = { median, quantile, spread };
