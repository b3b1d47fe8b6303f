'use strict';

/**
 * What events.test.js wants to see inside the servers of its clusters, beside membership-extension.js: a server follows a channel
 * by its events, as docs/EVENTS.md shows it, and reads again if a read fails.
 */

const fs = require('fs');
const { setTimeout: pause } = require('timers/promises');

const EVENTS = ['join', 'leave', 'destroy', 'occupied', 'vacated', 'gap'];

const log = [];
/** Events that do not fit to the members before them, which only those that came during a read may. */
const surprises = [];
const members = new Set();
/** The events that have come since the read that is under way began. */
const state = { waiting: null };

function apply(event, { sid, uids, count }, isStrict) {
  const before = [...members].filter((key) => key.startsWith(`${sid} `));
  const keys = event === 'destroy' ? before : uids.map((uid) => `${sid} ${uid}`);
  if (isStrict) {
    const isExpected =
      event === 'destroy'
        ? count === before.length
        : keys.every((key) => members.has(key) === (event === 'leave'));
    if (!isExpected) surprises.push([event, sid, uids || count, before]);
  }
  for (const key of keys) members[event === 'join' ? 'add' : 'delete'](key);
}

/** Reads all members; again if that fails, and not if there is another gap meanwhile. */
async function read(channel, name) {
  const mine = [];
  state.waiting = mine;
  let found;
  while (!found && state.waiting === mine) {
    found = await channel.promises
      .getMembersByChannelNameBySid('connector', name)
      .catch(() => pause(100));
  }
  if (state.waiting !== mine) return;
  members.clear();
  for (const [sid, uids] of Object.entries(found))
    uids.forEach((uid) => members.add(`${sid} ${uid}`));
  state.waiting = null;
  for (const [event, told] of mine) apply(event, told, false);
}

module.exports = {
  ...require('../membership-extension'),

  /** Begins to follow a channel. */
  follow(app, name) {
    const channel = app.get('globalChannelService');
    const watch = channel.watch(name);
    for (const event of EVENTS) watch.on(event, (told) => log.push([event, told]));
    for (const event of ['join', 'leave', 'destroy']) {
      watch.on(event, (told) => {
        if (state.waiting) state.waiting.push([event, told]);
        else apply(event, told, true);
      });
    }
    watch.on('gap', () => read(channel, name));
    return null;
  },

  /** What it has: the members as `sid uid`, once they are read. */
  followed: () => ({
    members: [...members].map((key) => key.slice(0, 60)).sort(),
    isReading: state.waiting !== null,
    surprises,
  }),

  /** Its events, `[event, told]`, from the one with this number on. */
  told: (app, from) => log.slice(from),

  eventStats: (app) => app.get('globalChannelService').stats().events,

  /** Blocks the JavaScript thread until there is a file. */
  block(app, file, patience) {
    const deadline = performance.now() + patience;
    while (!fs.existsSync(file) && performance.now() < deadline);
    return null;
  },

  /** Makes `count` changes, each of so many users with ids of `length` bytes. */
  async flood(app, name, sid, count, users, length) {
    const { promises } = app.get('globalChannelService');
    const uids = Array.from({ length: users }, (_, n) => `${n}`.padEnd(length, 'x'));
    for (let n = 0; n < count; n += 2) {
      await promises.add(name, uids, sid);
      await promises.leave(name, uids, sid);
    }
    return null;
  },
};
