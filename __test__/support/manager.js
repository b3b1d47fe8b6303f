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

/**
 * A manager in memory, whose uids are numbers where they look like numbers. With `all` it has the methods that a manager
 * may have beside those of 0.0.7; with `promises` it answers by promises.
 */
function memoryManager({ all = false, promises = false } = {}) {
  const sets = new Map();
  const set = (name, sid) => {
    const key = JSON.stringify([String(name), sid]);
    if (!sets.has(key)) sets.set(key, new Set());
    return sets.get(key);
  };
  const own = (uid) => (/^\d+$/.test(uid) ? Number(uid) : String(uid));
  const change = (how, name, uids, sid) => {
    const members = set(name, sid);
    const before = members.size;
    for (const uid of [].concat(uids)) members[how](own(uid));
    return Math.abs(members.size - before);
  };
  const many = (how, name, members) =>
    members.reduce((sum, { uid, sid }) => sum + change(how, name, uid, sid), 0);
  const methods = {
    add: (name, uids, sid) => change('add', name, uids, sid),
    leave: (name, uids, sid) => change('delete', name, uids, sid),
    getMembersBySid: (name, sid) => [...set(name, sid)],
    destroyChannel: (name) => ['s1', 's2', 's3'].forEach((sid) => set(name, sid).clear()),
    clean: () => sets.clear(),
    ...(all && {
      getCountBySid: (name, sid) => set(name, sid).size,
      isMember: (name, uid, sid) => set(name, sid).has(own(uid)),
      addMany: (name, members) => many('add', name, members),
      leaveMany: (name, members) => many('delete', name, members),
    }),
  };
  const answering = (method) =>
    promises
      ? async (...args) => method(...args)
      : (...args) => {
          const cb = args.pop();
          setImmediate(cb, null, method(...args));
        };
  return Object.fromEntries(Object.entries(methods).map(([key, value]) => [key, answering(value)]));
}

async function startedWith(channelManager, opts, app) {
  const service = create({ ...opts, channelManager }, app);
  await ok(service, 'start');
  return service;
}

module.exports = { memoryManager, recordingManager, startedWith };
