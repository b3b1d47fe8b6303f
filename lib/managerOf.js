'use strict';

// Finds the custom manager among the options (`channelManager`): an object, a class or a factory.

const { failures } = require('./tables');

/** Returns the custom manager that the options name or create; undefined for a built-in store. */
module.exports = function managerOf(app, opts, { failure }) {
  let manager = opts.channelManager;
  if (typeof manager === 'function') {
    manager = isConstructor(manager) ? new manager(app, opts) : opts.channelManager(app, opts);
  }
  if (manager && typeof manager.add !== 'function') {
    const shown = Array.isArray(manager)
      ? '[…]'
      : typeof manager === 'object'
        ? '{…}'
        : String(manager);
    const words = `option channelManager is ${shown}, without a method add; accepted is a ChannelManager`;
    throw failure(failures.OPTION, undefined, words);
  }
  return manager;
};

function isConstructor(given) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(given));
  return isClass || (given.prototype && typeof given.prototype.add === 'function');
}
