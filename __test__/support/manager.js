'use strict';

/** A custom channel manager that records its calls and answers at once, for area G. */

const { create } = require('./service');
const { ok } = require('./call');

/** `log` gets `[method, ...args]`, functions as the word. Everybody's only member is `q`. */
function recordingManager() {
  const log = [];
  const record = (method, answer) =>
    function (...args) {
      log.push([method, ...args.map((arg) => (typeof arg === 'function' ? 'function' : arg))]);
      const cb = args[args.length - 1];
      if (typeof cb === 'function') cb(null, ...answer);
    };
  return {
    log,
    start: record('start', []),
    stop: record('stop', []),
    clean: record('clean', []),
    add: record('add', []),
    leave: record('leave', []),
    getMembersBySid: record('getMembersBySid', [['q']]),
    destroyChannel: record('destroyChannel', []),
  };
}

async function startedWith(channelManager, opts, app) {
  const service = create({ ...opts, channelManager }, app);
  await ok(service, 'start');
  return service;
}

module.exports = { recordingManager, startedWith };
