'use strict';

// Finds uids in member lists: those that a push leaves out, or that it is for. In a list that a built-in store's cache
// keeps, and in which uids are looked for again and again, as when each message of a chat leaves its sender out, the place
// of each uid is kept in an index (uidIndex.js). All indexes are bounded together; the oldest is dropped first.

const { textOfMember } = require('./ids');
const uidIndex = require('./uidIndex');

/** The number of looks through a list that cost as much as its index, about. */
const LOOKS = 8;

/** Longer lists get no index: to make one would block the event loop for milliseconds. */
const LONGEST = 20_000;

/** Shorter ones need none. */
const SHORTEST = 32;

/** The most uids in all indexes, 8 to 16 bytes each; tests change it. */
const limits = { most: 1 << 18 };

/** From this number of uids on, each member is looked up among them, in place of each of them in the list. */
const MANY = 16;

/** The places of uids that are in no list. */
const NONE = Object.freeze([]);

/** The lists that have an index, the oldest first, and how many uids these have. */
const indexed = new Set();
let members = 0;

/** Returns the places of the users of a Selection in `list.uids`: ascending, none twice; not to be changed. */
function placesOf(list, selection) {
  const { uids } = list;
  if (!list.isFixed) {
    return scan(uids.map(textOfMember), selection.set);
  }
  const { texts } = selection;
  const hasIndex = list.index >= 0 || isIndexed(list, texts.length);
  if (texts.length >= (hasIndex ? uids.length : MANY) || selection.mayRepeat) {
    return scan(uids, selection.set);
  }
  let places;
  for (let i = 0; i < texts.length; i += 1) {
    const place = hasIndex
      ? uidIndex.find(list.index, uids, texts[i], selection.hashes[i])
      : seek(uids, texts[i]);
    if (place >= 0) {
      if (places) places.push(place);
      else places = [place];
    }
  }
  if (!places) return NONE;
  return places.length > 1 ? places.sort((one, other) => one - other) : places;
}

/** Looks each text up among those that are wanted. */
function scan(uids, wanted) {
  const places = [];
  uids.forEach((uid, place) => {
    if (wanted.has(uid)) places.push(place);
  });
  return places;
}

/** Returns the place of a uid; -1 if there is none. Several times faster than `Array.prototype.indexOf`. */
function seek(uids, uid) {
  const { length } = uid;
  const last = uid.charCodeAt(length - 1);
  for (let i = 0; i < uids.length; i += 1) {
    const other = uids[i];
    if (
      other.length === length &&
      (length === 0 || other.charCodeAt(length - 1) === last) &&
      other === uid
    ) {
      return i;
    }
  }
  return -1;
}

/** Makes the index of a list in which `count` uids are looked for, once it is worth it. Returns whether there is one. */
function isIndexed(list, count) {
  if (!list.isKept) {
    return false;
  }
  const { uids } = list;
  const { length } = uids;
  list.looks += count;
  if (list.looks <= LOOKS || length < SHORTEST || length > LONGEST) {
    return false;
  }
  let index = uidIndex.make(uids);
  if (index === -2) {
    // No table of this size is free; there are others, which would have to be dropped one by one.
    for (const other of indexed) release(other);
    index = uidIndex.make(uids);
  }
  if (index < 0) {
    // Uids that collide: not tried again.
    list.looks = -Infinity;
    return false;
  }
  list.index = index;
  indexed.add(list);
  members += length;
  for (const oldest of indexed) {
    if (members <= limits.most) break;
    release(oldest);
  }
  return list.index >= 0;
}

/** Drops the index of a list, which the store's cache does not keep any more. */
function release(list) {
  if (indexed.delete(list)) {
    members -= list.uids.length;
    uidIndex.drop(list.index, list.uids.length);
    forget(list);
    if (indexed.size === 0) uidIndex.clear();
  }
}

function forget(list) {
  list.index = -1;
  list.looks = 0;
}

module.exports = { limits, placesOf, release, size: () => members };
