'use strict';

// Finds the instance behind a `this` that is none: a Proxy of one, or an object that inherits from one (tracing
// wrappers, containers, mocks). Node-API recognises only the instance itself, so the addon asks here, when a method was
// called on anything else. Calls on instances do not pass here.
//
// An instance has a number under a symbol, which a Proxy and an heir pass on. It is a number and not the instance,
// because wrappers that wrap whatever is read leave primitives alone.

const NUMBER = Symbol('GlobalChannel instance');

/** Weak references to the instances, by their number. */
const instances = new Map();
const gone = new FinalizationRegistry((number) => instances.delete(number));
let last = 0;

/** Makes an instance known; called by its constructor. */
function register(instance) {
  last += 1;
  Object.defineProperty(instance, NUMBER, { value: last });
  instances.set(last, new WeakRef(instance));
  gone.register(instance, last);
}

/** Returns the instance behind `given`, or undefined. Throws what a trap of a Proxy throws. */
function instanceOf(given) {
  if (given === undefined || given === null) {
    return undefined;
  }
  return instances.get(given[NUMBER])?.deref();
}

module.exports = { register, instanceOf };
