'use strict';

// Makes what leaves the addon an object of the realm that loaded this package. The addon's own objects belong to Node's
// main realm, so where modules run in a context of their own (Jest, node:vm) `err instanceof Error` would be false and
// `assert.deepStrictEqual` would compare different prototypes. `src/binding/values/errors.rs` calls `makeError`.

/** Makes an error; a `code` or `cause` that is undefined is left out. */
function makeError(message, code, cause, isTypeError) {
  const error = isTypeError ? new TypeError(message) : new Error(message);
  if (code !== undefined) error.code = code;
  if (cause !== undefined) error.cause = cause;
  return error;
}

/** Returns a deep copy of a plain object. */
function copy(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, copy);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copy(each)]));
}

module.exports = { makeError, copy };
