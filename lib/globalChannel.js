'use strict';

// Class GlobalChannel as the app sees it: the addon's class, told about its JavaScript side, with
// what Node-API cannot give a class: names and declared arguments of its methods, and `promises`.

const path = require('path');

const defineInspect = require('./inspect');
const { rethrow } = require('./callBack');
const attach = require('./host');
const { GlobalChannel, install } = require('./native');
const { lifecycle, methods } = require('./tables');

/**
 * Where relative paths begin: at the folder of app.js, so that all processes of an app mean the same,
 * wherever they were started. Without a framework, at the current directory.
 */
function baseOf(app) {
  const base = app && typeof app.getBase === 'function' ? app.getBase() : undefined;
  return path.resolve(typeof base === 'string' ? base : '');
}

install(
  (channel, ...rest) => {
    // A class of Node-API lets itself be called without `new`, and `this` is the global object then.
    if (!(channel instanceof GlobalChannel)) {
      throw new TypeError("Class constructor GlobalChannel cannot be invoked without 'new'");
    }
    attach(channel, ...rest);
  },
  rethrow,
  baseOf,
);

const METHODS = Object.entries({ ...lifecycle, ...methods });

// Declared arguments, the callback included; util.promisifyAll and the like look at them.
for (const [method, { arguments: names }] of METHODS) {
  Object.defineProperties(GlobalChannel.prototype[method], {
    name: { value: method },
    length: { value: names.length + 1 },
  });
}

defineInspect(GlobalChannel);

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
  for (const [method, { arguments: names }] of METHODS) {
    promised[method] = (...args) =>
      new Promise((resolve, reject) => {
        // Arguments left out must not let the callback slip into their place.
        args.length = names.length;
        channel[method](...args, (err, result) => (err ? reject(err) : resolve(result)));
      });
  }
  return Object.freeze(promised);
}

module.exports = GlobalChannel;
