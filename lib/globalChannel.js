'use strict';

// Class GlobalChannel as the app sees it: the addon's class, connected with its JavaScript side (host.js), and with
// what Node-API cannot define: names and declared arguments of its methods, and `promises`.

const path = require('path');

const defineChannel = require('./channel');
const defineInspect = require('./inspect');
const { rethrow } = require('./callBack');
const { counted } = require('./changed');
const { defineEvents } = require('./events');
const attach = require('./host');
const { readObject } = require('./ids');
const { instanceOf, register } = require('./instances');
const defineLeases = require('./leases');
const defineMembers = require('./members');
const defineMetrics = require('./metrics/metrics');
const { GlobalChannel, install } = require('./native');
const readPairs = require('./pairs');
const { lifecycle, methods } = require('./tables');
const { defineTracing } = require('./tracing');
const { uids: readUids } = require('./uids');
const { defineWatch } = require('./watch');

/**
 * Returns the folder to which relative paths are resolved: that of app.js, so that it is the same for all processes of
 * an app, or the current directory if there is no framework.
 */
function baseOf(app) {
  const base = app && typeof app.getBase === 'function' ? app.getBase() : undefined;
  return path.resolve(typeof base === 'string' ? base : '');
}

install({
  attach: (channel, ...rest) => {
    // A class of Node-API can be called without `new`; `this` is then the global object.
    if (!(channel instanceof GlobalChannel)) {
      throw new TypeError("Class constructor GlobalChannel cannot be invoked without 'new'");
    }
    attach(channel, ...rest);
    register(channel);
  },
  rethrow,
  baseOf,
  instanceOf,
  readObject,
  readUids,
  readPairs,
});

const METHODS = Object.entries({ ...lifecycle, ...methods });

/** How many arguments of a method 0.0.7 does not have. */
const NEWER = { destroyChannel: 1 };

// The number of declared arguments, callback included: libraries such as bluebird's promisifyAll read `length`.
for (const [method, { arguments: names }] of METHODS) {
  Object.defineProperties(GlobalChannel.prototype[method], {
    name: { value: method },
    length: { value: names.length + 1 - (NEWER[method] || 0) },
  });
}

defineTracing(GlobalChannel);

defineInspect(GlobalChannel);

defineChannel(GlobalChannel);

defineLeases(GlobalChannel);
defineMembers(GlobalChannel);

defineEvents(GlobalChannel);

defineWatch(GlobalChannel);

defineMetrics(GlobalChannel);

const promises = new WeakMap();

Object.defineProperty(GlobalChannel.prototype, 'promises', {
  configurable: true,
  get() {
    if (!promises.has(this)) {
      promises.set(this, promisify(this));
    }
    return promises.get(this);
  },
});

function promisify(channel) {
  const promised = {};
  for (const [method, { arguments: names, isCounted }] of METHODS) {
    promised[method] = (...args) =>
      new Promise((resolve, reject) => {
        // Arguments that were left out are filled up, so that the callback stays in its position.
        args.length = names.length;
        const callback = (err, result) => (err ? reject(err) : resolve(result));
        channel[method](...args, isCounted ? counted(callback) : callback);
      });
  }
  return Object.freeze(promised);
}

module.exports = GlobalChannel;
