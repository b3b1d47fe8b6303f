'use strict';

// Copies of arguments that are read later than the call: the app may change its own objects meanwhile.

module.exports = { snapshot, plain };

/** Copies an array with its plain objects, or bytes. Other values are returned as they are. */
function snapshot(arg) {
  // Of `members` also the elements.
  if (Array.isArray(arg)) return arg.map(plain);
  return arg instanceof Uint8Array ? Buffer.from(arg) : arg;
}

/** Copies a plain object. Other values are returned as they are. */
function plain(value) {
  return isPlain(value) ? { ...value } : value;
}

function isPlain(value) {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}
