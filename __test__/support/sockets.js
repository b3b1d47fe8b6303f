'use strict';

/**
 * Counts, for each socket of this process, the calls of `setNoDelay` and `cork`, and the writes that reach the system, each a TCP
 * segment of its own without Nagle's algorithm. A socket itself does not tell any of that.
 */

const { Socket } = require('net');

function watchSockets() {
  const { prototype } = Socket;
  const counts = new Map();
  const undo = ['setNoDelay', 'cork', '_write', '_writev'].map((method) => {
    const isOwn = Object.hasOwnProperty.call(prototype, method);
    const original = prototype[method];
    counts.set(method, new Map());
    prototype[method] = function (...args) {
      counts.get(method).set(this, count(method)(this) + 1);
      return original.apply(this, args);
    };
    return () => {
      if (isOwn) prototype[method] = original;
      else delete prototype[method];
    };
  });
  const count = (method) => (socket) => counts.get(method).get(socket) || 0;
  return {
    noDelays: count('setNoDelay'),
    corks: count('cork'),
    writes: (socket) => count('_write')(socket) + count('_writev')(socket),
    stop: () => undo.forEach((restore) => restore()),
  };
}

module.exports = { watchSockets };
