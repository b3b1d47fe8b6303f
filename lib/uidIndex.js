'use strict';

// Indexes of lists of uids (places.js): hash tables of places, all in one array. To look a uid up touches one word of it,
// and a text only where the word says that it is probably the same. A Map for each list, or an array for each, is read at
// several addresses that are in no cache of the processor.

/** The bits of a word that are the place; the others are of the hash. */
const PLACE = 0xffff;

/** How many words are looked at for each uid, on average, before an index is given up: the uids may be chosen to collide. */
const PROBES = 8;

/** The number of characters of a uid, its last ones, that its hash is made of. */
const HASHED = 64;

/** Differs from process to process, so that uids that collide cannot be chosen beforehand. */
const SEED = (Math.random() * 2 ** 32) | 0;

/** The words in the beginning. */
const FIRST = 1 << 12;

/** The most words, 4 bytes each; tests change it. */
const limits = { words: 1 << 20 };

/** The words of all tables. A table is a power of two of them, at a multiple of its size. */
let words = new Uint32Array(FIRST);
/** The words from here on belong to no table yet. */
let end = 0;
/** Tables that are free again, by the bits of their sizes. */
let free = [];

/** Returns a hash of 32 bits, of which the highest are the best. */
function hashOf(text) {
  const { length } = text;
  let hash = SEED ^ length;
  for (let i = length > HASHED ? length - HASHED : 0; i < length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash, 0x9e3779b1);
}

/** Returns the bits of the size of a table for `length` uids: twice to four times as many words. */
const bitsFor = (length) => 33 - Math.clz32(length);

/**
 * Makes the table of fewer than `PLACE` distinct uids and returns where it begins. Returns -1 if too many collide, and -2 if
 * there is no room; then `clear` makes room, after which no table is there any more.
 */
function make(uids) {
  const bits = bitsFor(uids.length);
  const begin = take(bits);
  if (begin < 0) return -2;
  const mask = (1 << bits) - 1;
  let left = uids.length * PROBES;
  for (let place = 0; place < uids.length; place += 1) {
    const hash = hashOf(uids[place]);
    let at = hash >>> (32 - bits);
    while (words[begin + at] !== 0) {
      at = (at + 1) & mask;
      left -= 1;
    }
    if (left < 0) {
      drop(begin, uids.length);
      return -1;
    }
    words[begin + at] = (hash << 16) | (place + 1);
  }
  return begin;
}

/** Returns the place of a uid with this hash in the list whose table begins there; -1 if it is not in the list. */
function find(begin, uids, uid, hash) {
  const bits = bitsFor(uids.length);
  const mask = (1 << bits) - 1;
  const part = hash & PLACE;
  for (let at = hash >>> (32 - bits); ; at = (at + 1) & mask) {
    const word = words[begin + at];
    if (word === 0) return -1;
    const place = (word & PLACE) - 1;
    if (word >>> 16 === part && uids[place] === uid) return place;
  }
}

/** Takes the words of a table, all zero; -1 if there are none left. */
function take(bits) {
  const size = 1 << bits;
  const begin = free[bits]?.pop();
  if (begin !== undefined) {
    words.fill(0, begin, begin + size);
    return begin;
  }
  // At a multiple of the size: a table begins with a line of the processor's cache.
  const from = (end + size - 1) & ~(size - 1);
  if (from + size > limits.words) return -1;
  if (from + size > words.length) {
    const before = words;
    words = new Uint32Array(Math.max(2 * before.length, from + size));
    words.set(before);
  }
  end = from + size;
  return from;
}

/** Gives the table of a list of `length` uids back. */
function drop(begin, length) {
  const bits = bitsFor(length);
  free[bits] = free[bits] || [];
  free[bits].push(begin);
}

/** Drops all tables. */
function clear() {
  words = new Uint32Array(FIRST);
  end = 0;
  free = [];
}

module.exports = { clear, drop, find, hashOf, limits, make };
