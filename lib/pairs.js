'use strict';

// Reads an array of `{uid, sid}` for the addon (src/binding/values/pairs.rs), which needs eight Node-API calls for each
// element.

const { DIVIDER, LONGEST, plain } = require('./uids');

/** Between the users of one frontend and the next frontend: an empty uid or server id is not joined. */
const GROUP = DIVIDER + DIVIDER;

/**
 * Joins the uids of each server id: `sid NUL uid NUL uid …`, and two NULs before the next server id. Returns another array
 * as a copy, for the addon to read: one with a value that is not plain, or has more than `longestUid` or `longestSid`
 * UTF-16 units. Each property is read once, and objects with a text are replaced by it.
 */
module.exports = function pairs(array, longestUid, longestSid) {
  const { length } = array;
  const uids = [];
  const sids = [];
  const groups = new Map();
  let left = LONGEST;
  for (let i = 0; i < length; i += 1) {
    const pair = array[i];
    // The error is about the first that is not accepted; there may be billions of holes.
    if (typeof pair !== 'object' || pair === null) return [...copies(uids, sids), pair];
    const uid = plain(pair.uid);
    const sid = plain(pair.sid);
    uids.push(uid);
    sids.push(sid);
    if (left < 0) continue;
    const user = textOf(uid, longestUid);
    const group = groups.get(sid) || groupOf(groups, textOf(sid, longestSid));
    if (user === '' || group === undefined) {
      left = -1;
      continue;
    }
    left -= user.length + (group.length > 1 ? 1 : group[0].length + 3);
    group.push(user);
  }
  if (left < 0) return copies(uids, sids);
  return Array.from(groups.values(), (group) => group.join(DIVIDER)).join(GROUP);
};

/** Returns the group of a server id, made at need: its text, and then those of the users. */
function groupOf(groups, sid) {
  if (sid === '') return undefined;
  const group = groups.get(sid) || [sid];
  groups.set(sid, group);
  return group;
}

function copies(uids, sids) {
  return uids.map((uid, i) => ({ uid, sid: sids[i] }));
}

/** Returns the text of a string or another primitive; '' if it cannot be joined, or is too long. */
function textOf(item, longest) {
  switch (typeof item) {
    case 'string':
      return item.length <= longest && !item.includes(DIVIDER) ? item : '';
    case 'number':
      return Number.isNaN(item) ? '' : String(item);
    case 'boolean':
      return String(item);
    default:
      return '';
  }
}
