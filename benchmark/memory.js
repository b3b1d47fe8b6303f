'use strict';
/**
 * The cell "RSS per cached member": 300 channels of 1000 members with uids of 16 bytes are read
 * twice (the second read is a hit, and may build what only hits need), the results are dropped,
 * garbage is collected, and what the process has grown by is divided by 300,000.
 *
 * The same reads of 30 other channels come first, so that code, buffers and the young heap are
 * there before the first look. Memory that an allocator keeps for itself counts: an operator sees
 * it too. run.js takes the cell with `cache: false` as well, to tell what is not the cache's.
 */

const { setTimeout: pause } = require('node:timers/promises');
const { SIDS, channelName } = require('./names');

const WARM_UP = 30;
const CHANNELS = 300;

const cell = {
  id: 'memory',
  kind: 'memory',
  title: 'RSS per cached member',
  frontends: 1,
  members: 1000,
  channels: WARM_UP + CHANNELS,
};

// Room for all of them; the default of 64 MiB may not be.
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

/** One at a time: reads under way are not what this cell is about. */
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

/** Memory in use once there is no more garbage; V8 gives pages back some time after. */
async function settled() {
  for (let i = 0; i < 5; i += 1) {
    global.gc();
    await pause(100);
  }
  return process.memoryUsage();
}

module.exports = { measureMemory, MAX_BYTES, cell };
