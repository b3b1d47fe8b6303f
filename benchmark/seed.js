'use strict';
/** Which members a cell expects, put into a store of stores.js. */

const { CHANNELS } = require('./cells');
const { SIDS, channelName, firstUid } = require('./names');

/** How many channels a cell has: cold reads take a new one each time, the first to warm up. */
const channelsOf = (cell) => cell.channels || (cell.kind === 'cold' ? cell.reads + 1 : CHANNELS);

/** Nothing but this cell's members is in the store afterwards. */
async function seed(store, cell) {
  await store.empty();
  if (cell.members === 0) return;
  for (let channel = 0; channel < channelsOf(cell); channel += 1) {
    const name = channelName(channel);
    const fills = SIDS.slice(0, cell.frontends).map((sid, sidIndex) =>
      store.fill(name, sid, firstUid(cell, channel, sidIndex), cell.members),
    );
    await Promise.all(fills);
  }
}

module.exports = { seed, channelsOf };
