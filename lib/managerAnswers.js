'use strict';

// What the methods of a custom manager answer: by a callback or a promise, and which values. managerCalls.js calls the
// methods.

const { types } = require('util');
const { methods } = require('./tables');

/** By what a method answers (`value` in src/binding/methods.rs): what it accepts, and whether a value is that. */
const KINDS = {
  // 0.0.7 took no list for an empty one.
  list: {
    accepted: 'an array',
    is: (value) => value === undefined || value === null || Array.isArray(value),
  },
  bool: { accepted: 'true or false', is: (value) => typeof value === 'boolean' },
  page: {
    accepted: '{members, cursor} or {channels, cursor}, with a cursor that is a string or null',
    is: (value) =>
      typeof value === 'object' &&
      value !== null &&
      (Array.isArray(value.members) || Array.isArray(value.channels)) &&
      (value.cursor === null || typeof value.cursor === 'string'),
  },
  int: {
    accepted: 'a whole number',
    is: (value) => Number.isSafeInteger(value) && value >= 0,
  },
};

/** Writes answer nothing, but those of several frontends (`many`) a count. */
const kindOf = (method) =>
  KINDS[methods[method]?.scope === 'many' ? 'int' : methods[method]?.value];

/** Says what is wrong with an answer without an error; undefined if nothing is. Never throws. */
function fault(method, value) {
  const kind = kindOf(method);
  try {
    return kind && !kind.is(value)
      ? `channelManager.${method} answered with ${nameOf(value)}; accepted is ${kind.accepted}`
      : undefined;
  } catch {
    // A proxy that throws: what reads the answer reports that.
    return undefined;
  }
}

/** The kind of a value, not the value itself: it may be long, or secret. */
function nameOf(value) {
  if (value === null || typeof value !== 'object') {
    return typeof value === 'number' ? `the number ${value}` : `a value of type ${typeof value}`;
  }
  // `[object Set]`, for example.
  const [, tag] = /^\[object (.+)\]$/.exec(Object.prototype.toString.call(value)) || [];
  return tag === undefined || tag === 'Object'
    ? 'an object that is no array'
    : `${/^[AEIO]/.test(tag) ? 'an' : 'a'} ${tag}`;
}

/**
 * Waits for the promise that a method may have returned; the caller counts only the first answer. A method that
 * declares the callback is expected to call it: such methods worked with 0.0.7 also if they were `async` and called back
 * later, so that a promise of `undefined` says nothing there. Nor is a thenable that is no promise followed there: those
 * of query builders run the query, which was given the callback already.
 */
function follow(returned, { method, declaresCallback }, answer, reject) {
  if (!isThenable(returned) || (declaresCallback && !types.isPromise(returned))) {
    return;
  }
  Promise.resolve(returned).then((value) => {
    if (value !== undefined || !declaresCallback) {
      // What a write resolves to is its own affair.
      answer(...(kindOf(method) ? [null, value] : [null]));
    }
  }, reject);
}

function isThenable(value) {
  const isObject = typeof value === 'object' || typeof value === 'function';
  return isObject && value !== null && typeof value.then === 'function';
}

module.exports = { fault, follow };
