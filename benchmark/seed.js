'use strict';
/** Fills a store of stores.js with the members that a cell expects. */

const { CHANNELS } = require('./cells');
const { SIDS, channelName, firstUid } = require('./names');

/** Returns the number of channels of a cell. A cold read takes a new one each time, and the first is for warm-up. */
const channelsOf = (cell) => cell.channels || (cell.kind === 'cold' ? cell.reads + 1 : CHANNELS);

/** Empties the store and adds this cell's members. */
async function seed(store, cell) {
  await store.empty();
  if (cell.members === 0) return;
  for (let channel = 0; channel < channelsOf(cell); channel += 1) {
    const name = channelName(channel);
    // The calls of leave go through the same users in each channel (workload.js).
    const first = (sidIndex) => (cell.kind === 'leave' ? 0 : firstUid(cell, channel, sidIndex));
    const fills = SIDS.slice(0, cell.frontends).map((sid, sidIndex) =>
      store.fill(name, sid, first(sidIndex), cell.members),
    );
    await Promise.all(fills);
  }
}

module.exports = { seed, channelsOf };
