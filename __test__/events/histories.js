'use strict';

/**
 * Random histories that a strict follower (follower.js) hears without a gap, the same on one server, on a cluster and in a folder:
 * each change is one event.
 */

const assert = require('node:assert');
const { change, changeTogether } = require('./writer');
const { pause } = require('../support/until');

/** `own` and two processes with `options` change the channels of the follower; `settled` waits until it has caught up. */
async function severalWriters(follower, own, options, settled) {
  await changeTogether(own, options, 400, follower.names, follower.sids);
  await settled(follower);
  // Each event was checked against the members before it.
  assert.strictEqual(follower.gaps, 1);
  assert.ok(follower.changes > 200, `${follower.changes} changes`);
}

/** `own` changes them while `cutCalls` cuts the connections of calls again and again, but no subscription. */
async function lostConnections(follower, own, cutCalls, settled) {
  const state = { isWriting: true };
  const stop = () => (state.isWriting = false);
  const writing = change(own, 600, follower.names, follower.sids).finally(stop);
  while (state.isWriting) {
    await cutCalls();
    await pause(30);
  }
  await writing;
  await settled(follower);
  assert.strictEqual(follower.gaps, 1);
}

module.exports = { lostConnections, severalWriters };
