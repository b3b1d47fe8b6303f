'use strict';

// Finds uids in member lists: those that a push leaves out, or that it is for. In a list that a built-in store's cache
// keeps, and in which uids are looked for again and again, as when each message of a chat leaves its sender out, the place
// of each uid is kept in an index (uidIndex.js). All indexes are bounded together; the oldest is dropped first.

const { textOfMember } = require('./ids');
const UidIndex = require('./uidIndex');

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

/** Only a text with this in it may be in a store's list twice: it stands for bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/** The lists that have an index, the oldest first, and how many uids these have. */
const indexed = new Set();
let members = 0;

/** Returns the places of the uids whose texts are `wanted`, a Set, in `list.uids`: ascending, none twice. */
function placesOf(list, wanted) {
  const { uids } = list;
  if (!list.isFixed) {
    return scan(uids.map(textOfMember), wanted);
  }
  const index = indexOf(list, wanted.size);
  if (wanted.size >= (index ? uids.length : MANY)) {
    return scan(uids, wanted);
  }
  const places = [];
  for (const uid of wanted) {
    if (uid.includes(REPLACEMENT)) return scan(uids, wanted);
    const place = index ? index.find(uid) : seek(uids, uid);
    if (place >= 0) places.push(place);
  }
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

/** Returns the index of a list in which `count` uids are looked for, once it is worth it; undefined before. */
function indexOf(list, count) {
  if (list.index) {
    return list.index;
  }
  if (!list.isKept) {
    return undefined;
  }
  const { length } = list.uids;
  list.looks += count;
  if (list.looks <= LOOKS || length < SHORTEST || length > LONGEST) {
    return undefined;
  }
  list.index = UidIndex.of(list.uids);
  if (!list.index) {
    // Uids that collide: not tried again.
    list.looks = -Infinity;
    return undefined;
  }
  indexed.add(list);
  members += length;
  for (const oldest of indexed) {
    if (members <= limits.most) break;
    release(oldest);
  }
  return list.index;
}

/** Drops the index of a list, which the store's cache does not keep any more. */
function release(list) {
  if (indexed.delete(list)) {
    members -= list.uids.length;
    list.index = undefined;
    list.looks = 0;
  }
}

module.exports = { limits, placesOf, release, size: () => members };
