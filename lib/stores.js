'use strict';

// Moving members between stores and looking into a store: the addon's jobs as promises. The command line
// is bin/pome-globalchannel.js; the service does not use this.

const { copyStore: startCopy, listStore: startList } = require('./native');

async function* eventsOf(job) {
  for (;;) {
    const event = await job.next();
    if (event === null) return;
    yield event;
  }
}

/**
 * Copies all channels under `prefix` from one address to another. `onProgress({keys, members})` is called
 * now and then. Resolves to the report (src/binding/class/stores.rs).
 */
async function copyStore({ from, to, prefix = '', onProgress = () => {} }) {
  let last;
  for await (const event of eventsOf(startCopy(from, to, prefix))) {
    last = JSON.parse(event);
    if (last.verified === undefined) onProgress(last);
  }
  return last;
}

/** The channels under `prefix` (null: under whatever prefix) as text, some lines of JSON at a time. */
async function* listStore({ from, prefix = '' }) {
  yield* eventsOf(startList(from, prefix));
}

module.exports = { copyStore, listStore };
