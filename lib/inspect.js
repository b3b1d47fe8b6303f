'use strict';

// What console.log, util.inspect and JSON.stringify show of an instance: a copy of its options in which each value is
// `[hidden]` that is not known to be harmless. The options object itself is the app's and is not changed.

const { inspect, types } = require('util');
const defineMethod = require('./defineMethod');
const { optionTable } = require('./native');

const HIDDEN = '[hidden]';

/**
 * Names of the options whose values are shown, as the table of options says (src/options/table.rs). Of any other option
 * only the name is shown, so that a new one does not reveal a secret.
 */
const SHOWN = new Set(
  optionTable()
    .filter(({ shown }) => shown)
    .map(({ name }) => name.split('.').pop()),
);

/** The depth to which options are shown. */
const DEPTH = 4;

/** The number of elements of a list that are shown. */
const MOST = 100;

/** Defines `toJSON` and `util.inspect.custom` on the class, not enumerable, like its other methods. */
module.exports = function giveAppearance(GlobalChannel) {
  defineMethod(GlobalChannel, 'toJSON', function toJSON() {
    return appearance(this);
  });
  defineMethod(GlobalChannel, inspect.custom, function inspectService(depth, options) {
    if (depth < 0) {
      return options.stylize('[GlobalChannel]', 'special');
    }
    return `GlobalChannel ${inspect(appearance(this), options)}`;
  });
};

function appearance(service) {
  return {
    name: field(service, 'name'),
    state: field(service, 'state'),
    cleanOnStartUp: Boolean(field(service, 'cleanOnStartUp')),
    manager: managerOf(field(service, 'manager')),
    opts: looked(() => optionsOf(field(service, 'opts'), DEPTH)),
  };
}

/** Returns a property of an instance; `undefined` on an object that only inherits from one, where the getters throw. */
function field(service, name) {
  try {
    return service[name];
  } catch {
    return undefined;
  }
}

/** Returns what `look` returns, or `[hidden]` if it throws: an array may have a getter that does. */
function looked(look) {
  try {
    return look();
  } catch {
    return HIDDEN;
  }
}

/** Returns a copy of the description of a built-in manager (prefix, and db or path); a custom manager is not shown. */
function managerOf(manager) {
  return manager && Object.isFrozen(manager) && typeof manager.add !== 'function'
    ? optionsOf(manager, DEPTH)
    : '[custom]';
}

function optionsOf(opts, depth) {
  if (typeof opts !== 'object' || opts === null || types.isProxy(opts) || depth === 0) {
    return opts === undefined || opts === null ? {} : HIDDEN;
  }
  const shown = {};
  // Getters are not called: they may have side effects.
  for (const [name, { value, enumerable }] of Object.entries(
    Object.getOwnPropertyDescriptors(opts),
  )) {
    if (enumerable) {
      shown[name] = SHOWN.has(name) ? harmless(value, depth - 1) : HIDDEN;
    }
  }
  return shown;
}

function harmless(value, depth) {
  switch (typeof value) {
    case 'string':
      // A URL in the wrong place may hold a password.
      return value.includes('@') || value.includes('://') ? HIDDEN : value;
    case 'number':
    case 'boolean':
      return value;
    case 'object':
      if (value === null) return null;
      return Array.isArray(value) && !types.isProxy(value) && depth > 0
        ? value.slice(0, MOST).map((each) => harmless(each, depth - 1))
        : optionsOf(value, depth);
    default:
      return HIDDEN;
  }
}
