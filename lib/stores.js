'use strict';

// Copies members from store to store and lists a store: the addon's jobs as promises, for the command line
// (bin/pome-globalchannel.js). The service does not use this.

const { copyStore: startCopy, listStore: startList } = require('./native');

async function* eventsOf(job) {
  for (;;) {
    const event = await job.next();
    if (event === null) return;
    yield event;
  }
}

/**
 * Copies all channels under `prefix` from one address to another. Calls `onProgress({keys, members})` from time to time.
 * Resolves to the report, whose fields are in src/binding/class/stores.rs.
 */
async function copyStore({ from, to, prefix = '', onProgress = () => {} }) {
  let last;
  for await (const event of eventsOf(startCopy(from, to, prefix))) {
    last = JSON.parse(event);
    if (last.verified === undefined) onProgress(last);
  }
  return last;
}

/** Yields the channels under `prefix` (null: under any prefix) as text, some lines of JSON at a time. */
async function* listStore({ from, prefix = '' }) {
  yield* eventsOf(startList(from, prefix));
}

module.exports = { copyStore, listStore };
