'use strict';
/**
 * The cell "RSS per cached member". Reads 1000 channels of 1000 members, with uids of 16 bytes, twice (the second read
 * is a hit, and may build what only hits need), drops the results, collects garbage, and divides the growth of the
 * process by a million.
 *
 * It reads 30 other channels first, so that code, buffers and the young heap exist before the first measurement. Memory
 * that an allocator keeps counts, since an operator sees it too. rounds.js measures the cell with `cache: false` as
 * well, to find the part that is not the cache's.
 */

const { setTimeout: pause } = require('node:timers/promises');
const { SIDS, channelName } = require('./names');

const WARM_UP = 30;
const CHANNELS = 1000;
const ROUNDS = 2;

const cell = {
  id: 'memory',
  kind: 'memory',
  title: 'RSS per cached member',
  frontends: 1,
  members: 1000,
  channels: WARM_UP + CHANNELS,
};

// Enough for all lists; the default of 64 MiB may be too small.
const MAX_BYTES = 1024 * 1024 * 1024;

async function measureMemory(service) {
  await readAll(service, 0, WARM_UP);
  const before = await settled();
  await readAll(service, WARM_UP, WARM_UP + CHANNELS);
  const after = await settled();
  const members = CHANNELS * cell.members;
  const cache = typeof service.stats === 'function' ? service.stats().cache : null;
  return {
    rss: (after.rss - before.rss) / members,
    heap: (after.heapUsed - before.heapUsed) / members,
    counted: cache && cache.entries > 0 ? cache.bytes / (cache.entries * cell.members) : null,
  };
}

/** Reads one channel at a time, so that no memory is in use for reads in flight. */
async function readAll(service, from, to) {
  for (let turn = 0; turn < 2; turn += 1) {
    for (let channel = from; channel < to; channel += 1) {
      await new Promise((resolve, reject) => {
        service.getMembersBySid(channelName(channel), SIDS[0], (err, list) => {
          if (err || list.length !== cell.members) reject(err || new Error('a wrong result'));
          else resolve();
        });
      });
    }
  }
}

/** Returns the memory in use after garbage collection; V8 returns pages some time later. */
async function settled() {
  for (let i = 0; i < 5; i += 1) {
    global.gc();
    await pause(100);
  }
  return process.memoryUsage();
}

module.exports = { measureMemory, MAX_BYTES, ROUNDS, cell };
