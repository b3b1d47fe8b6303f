'use strict';

// Copies members from store to store, lists a store and removes what a frontend has left: the addon's jobs as promises, for the
// command line (lib/cli/). The service does not use this.

const {
  copyStore: startCopy,
  listStore: startList,
  removeFrontend: startRemoval,
} = require('./native');

const NOTE = '{"note":';

async function* eventsOf(job, onNote) {
  for (;;) {
    const event = await job.next();
    if (event === null) return;
    if (event.startsWith(NOTE)) onNote(JSON.parse(event).note);
    else yield event;
  }
}

/**
 * Copies all channels under `prefix` from one address to another; with `fromLayout` those of a fork, whose keys become ours
 * under `toPrefix`. Calls `onProgress({keys, members})` from time to time,
 * and `onNote(line)` with what the user should know. Resolves to the report, whose fields are in src/binding/class/stores.rs.
 */
async function copyStore({
  from,
  to,
  prefix = '',
  fromLayout,
  toPrefix,
  onProgress = () => {},
  onNote = () => {},
}) {
  let last;
  const job = startCopy(from, to, prefix, fromLayout, toPrefix);
  for await (const event of eventsOf(job, onNote)) {
    last = JSON.parse(event);
    if (last.verified === undefined) onProgress(last);
  }
  return last;
}

/**
 * Yields the channels under `prefix` (null: under any prefix; with `fromLayout` as copyStore would make them) as text, some
 * lines of JSON at a time. Calls `onNote(line)` with what the user should know.
 */
async function* listStore({ from, prefix = '', fromLayout, toPrefix, onNote = () => {} }) {
  yield* eventsOf(startList(from, prefix, fromLayout, toPrefix), onNote);
}

/**
 * Removes what the frontend `sid` has left in a store, or counts it if `isDry`. Calls `onProgress({looked, channels, members})`
 * from time to time, and resolves to the same of the whole.
 */
async function removeFrontend({
  from,
  prefix = '',
  hashTag = false,
  sid,
  isDry = false,
  onProgress = () => {},
}) {
  let last;
  for await (const event of eventsOf(startRemoval(from, prefix, hashTag, sid, isDry), () => {})) {
    last = JSON.parse(event);
    onProgress(last);
  }
  return last;
}

module.exports = { copyStore, listStore, removeFrontend };
