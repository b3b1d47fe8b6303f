'use strict';

// What an instance shows of itself to console.log, util.inspect and JSON.stringify. Its options are the app's own
// object and stay as they are, `service.opts.password` too; shown is a copy of them, in which each value is hidden
// that is not known to be harmless.

const { inspect, types } = require('util');

const HIDDEN = '[hidden]';

/** Options that may be shown. Of others only the name is, so that a new one is no secret given away. */
const SHOWN = new Set([
  'store',
  'durability',
  'localFileSystem',
  'host',
  'port',
  'path',
  'db',
  'prefix',
  'connectTimeout',
  'commandTimeout',
  'startTimeout',
  'pushTimeout',
  'maxQueue',
  'cleanOnStartUp',
  'cache',
  'maxBytes',
  'rpcNoDelay',
  'fanOut',
  'deflateThreshold',
  'maxBuffered',
  'onSlow',
  'lists',
  'enable_offline_queue',
  'max_attempts',
  'retry_max_delay',
  'connect_timeout',
  // Lists of {host, port}.
  'sentinels',
  'name',
  'cluster',
  'hashTag',
]);

/** How deep options are looked into. */
const DEPTH = 4;

/** How many elements of a list are shown. */
const MOST = 100;

/** Puts it on the class. Not enumerable, as the methods of a class are not. */
module.exports = function giveAppearance(GlobalChannel) {
  const define = (name, value) =>
    Object.defineProperty(GlobalChannel.prototype, name, {
      value,
      writable: true,
      configurable: true,
    });
  define('toJSON', function toJSON() {
    return appearance(this);
  });
  define(inspect.custom, function inspectService(depth, options) {
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

/** `undefined` where it cannot be read, as on what only inherits from an instance. */
function field(service, name) {
  try {
    return service[name];
  } catch {
    return undefined;
  }
}

/** An array may have a getter that throws. */
function looked(look) {
  try {
    return look();
  } catch {
    return HIDDEN;
  }
}

/** Ours has no more than prefix and db; one of the app's own may hold anything. */
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
  // Getters are not called: nobody expects that of a look.
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
