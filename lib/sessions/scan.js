'use strict';

// Finds members on a frontend that are not in its index, because 0.0.7 or a process with `membership: 'persistent'` has added
// them, and adds them to the index; then they end as all others. It reads the names of all channels, so it is slow on
// purpose: small pages, and a pause after each.

/** The pause after a page, in ms. */
const PAUSE = 100;

/** The maximum number of users who are added to the index at the same time. */
const AT_ONCE = 64;

/**
 * Goes through all channels for the members on `sid` for whom `isWanted(uid)` is true. After each page, when they are in the
 * index, `indexed(uids)` is called, which may return a promise; the scan ends early when that, or what it resolves to, is
 * false. Resolves to whether it came to the end.
 */
module.exports = async function scan(store, sid, isWanted, indexed) {
  for (let cursor = ''; ;) {
    const page = await store.scanChannels(sid, cursor);
    const found = new Map();
    for (const name of page.names) await membersOf(store, sid, name, isWanted, found);
    const uids = [...found.keys()];
    for (let at = 0; at < uids.length; at += AT_ONCE) {
      const some = uids.slice(at, at + AT_ONCE).filter(isWanted);
      await Promise.all(some.map((uid) => store.addBack(sid, uid, found.get(uid))));
    }
    if ((await indexed(uids)) === false) return false;
    ({ cursor } = page);
    if (cursor === '') return true;
    await new Promise((resolve) => setTimeout(resolve, PAUSE).unref());
  }
};

/** Adds the name to those of each user in `found`. */
async function membersOf(store, sid, name, isWanted, found) {
  for (let cursor = ''; ;) {
    const page = await store.scanMembers(sid, name, cursor);
    for (const uid of page.names.filter(isWanted)) {
      const names = found.get(uid);
      if (names) names.push(name);
      else found.set(uid, [name]);
    }
    ({ cursor } = page);
    if (cursor === '') return;
  }
}
