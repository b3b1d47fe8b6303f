'use strict';

// Reads an array of `{uid, sid}` for the addon (src/binding/values/pairs.rs), which needs eight Node-API calls for each
// element.

const { DIVIDER, LONGEST, plain } = require('./uids');

/** Between the users of one frontend and the next frontend: an empty uid or server id is not joined. */
const GROUP = DIVIDER + DIVIDER;

/**
 * Joins the uids of each server id: `sid NUL uid NUL uid …`, and two NULs before the next server id. Returns `[text, NULs,
 * copy]`, as uids.js does; there is no text if a value is not plain, or has more than `longestUid` or `longestSid` UTF-16
 * units. Each property is read once, and objects with a text are replaced by it.
 */
module.exports = function pairs(array, longestUid, longestSid) {
  const { length } = array;
  /** The texts of each server id: its own, and then those of the users. */
  const groups = new Map();
  let left = LONGEST;
  for (let i = 0; i < length; i += 1) {
    const pair = array[i];
    if (typeof pair !== 'object' || pair === null) return copied([...copies(groups), pair]);
    const uid = plain(pair.uid);
    const sid = plain(pair.sid);
    const user = textOf(uid, longestUid);
    const group = groups.get(sid) || groupOf(groups, textOf(sid, longestSid));
    if (user === '' || group === undefined) {
      return copied(others(array, i + 1, length, [...copies(groups), { uid, sid }]));
    }
    left -= user.length + (group.length > 1 ? 1 : group[0].length + 3);
    group.push(user);
    if (left < 0) return copied(others(array, i + 1, length, copies(groups)));
  }
  const text = Array.from(groups.values(), (texts) => texts.join(DIVIDER)).join(GROUP);
  const nuls = length + GROUP.length * Math.max(groups.size - 1, 0);
  return [text, nuls, () => copies(groups)];
};

const copied = (copy) => [undefined, 0, () => copy];

/** Returns the group of a server id, made at need. */
function groupOf(groups, sid) {
  if (sid === '') return undefined;
  const group = groups.get(sid) || [sid];
  groups.set(sid, group);
  return group;
}

/** Returns the users of groups one by one: in another order, but as many, and none of them is refused. */
function copies(groups) {
  const all = [];
  for (const [sid, ...uids] of groups.values()) {
    for (const uid of uids) all.push({ uid, sid });
  }
  return all;
}

/** Appends the elements from `at` on to `read`. */
function others(array, at, length, read) {
  for (let i = at; i < length; i += 1) {
    const pair = array[i];
    if (typeof pair !== 'object' || pair === null) {
      // The error is about the first that is not accepted; there may be billions of holes.
      read.push(pair);
      return read;
    }
    read.push({ uid: plain(pair.uid), sid: plain(pair.sid) });
  }
  return read;
}

/** Returns the text of a string or another primitive; '' if it cannot be joined, or is too long. */
function textOf(item, longest) {
  switch (typeof item) {
    case 'string':
      return item.length <= longest ? item : '';
    case 'number':
      return Number.isNaN(item) ? '' : String(item);
    case 'boolean':
      return String(item);
    default:
      return '';
  }
}
