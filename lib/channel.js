'use strict';

// One channel of a service: `service.channel(name)` has the methods of the service that take a channel's name, without
// that argument, also as `promises`. They are made from the table of methods.

const defineMethod = require('./defineMethod');
const { methods } = require('./tables');

const NAMES = ['name', 'channelName'];

/** The methods that take a name, the position of the name, and how many arguments are left, the callback included. */
const NAMED = Object.entries(methods)
  .map(([method, { arguments: names }]) => ({
    method,
    at: names.findIndex((name) => NAMES.includes(name)),
    length: names.length,
  }))
  .filter(({ at }) => at >= 0);

/** Inserts the name into the arguments; those before it that were left out are filled up. */
function withName(args, at, name) {
  const all = args.slice(0, at);
  all.length = at;
  return [...all, name, ...args.slice(at)];
}

class Channel {
  constructor(service, name) {
    Object.defineProperty(this, 'service', { value: service });
    Object.defineProperty(this, 'name', { value: name, enumerable: true });
  }

  get promises() {
    const { promises } = this.service;
    const promised = NAMED.map(({ method, at }) => [
      method,
      (...args) => promises[method](...withName(args, at, this.name)),
    ]);
    return Object.freeze(Object.fromEntries(promised));
  }
}

for (const { method, at, length } of NAMED) {
  const value = function (...args) {
    return this.service[method](...withName(args, at, this.name));
  };
  Object.defineProperties(value, { name: { value: method }, length: { value: length } });
  defineMethod(Channel, method, value);
}

/** Defines `channel(name)` on the class, not enumerable, like its other methods. */
module.exports = function defineChannel(GlobalChannel) {
  defineMethod(GlobalChannel, 'channel', function channel(name) {
    return new Channel(this, name);
  });
};
