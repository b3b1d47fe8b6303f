'use strict';
/**
 * Fills the Redis of a run with the members that a cell expects. The server makes them itself: a
 * million members sent from here would take longer than the measurement.
 */

const { CHANNELS } = require('./cells');
const { SIDS, channelName, key, firstUid } = require('./names');

const FILL = `
  local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
  for from = first, first + count - 1, 1000 do
    local uids = {}
    for n = from, math.min(from + 1000, first + count) - 1 do
      uids[#uids + 1] = string.format('uid:%012d', n)
    end
    redis.call('SADD', KEYS[1], unpack(uids))
  end`;

/** How many channels a cell has: cold reads take a new one each time, the first to warm up. */
const channelsOf = (cell) => cell.channels || (cell.kind === 'cold' ? cell.reads + 1 : CHANNELS);

/** Nothing but this cell's members is in the server afterwards; `redis` is a server of redis.js. */
async function seed(redis, cell) {
  await redis.flush();
  if (cell.members === 0) return;
  for (let channel = 0; channel < channelsOf(cell); channel += 1) {
    const name = channelName(channel);
    const fills = SIDS.slice(0, cell.frontends).map((sid, sidIndex) =>
      redis.run(
        0,
        'eval',
        FILL,
        1,
        key(name, sid),
        firstUid(cell, channel, sidIndex),
        cell.members,
      ),
    );
    await Promise.all(fills);
  }
}

module.exports = { seed, channelsOf };
