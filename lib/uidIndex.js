'use strict';

// The index of a list of uids (places.js): a hash table of places. To look a uid up touches one word of it, and a text only
// where the word says that it is probably the same, while a Map of 1000 uids among many is read at several addresses that
// are in no cache of the processor.

/** The bits of a word that are the place; the others are of the hash. */
const PLACE = 0xffff;

/** How many words are looked at for each uid, on average, before an index is given up: the uids may be chosen to collide. */
const PROBES = 8;

/** The number of characters of a uid, its last ones, that its hash is made of. */
const HASHED = 64;

/** Differs from process to process, so that uids that collide cannot be chosen beforehand. */
const SEED = (Math.random() * 2 ** 32) | 0;

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

/** The places of distinct uids in their list. */
class UidIndex {
  #uids;
  #words;
  #shift;

  constructor(uids, words, shift) {
    this.#uids = uids;
    this.#words = words;
    this.#shift = shift;
  }

  /** Makes the index of fewer than `PLACE` uids; undefined if too many collide. */
  static of(uids) {
    // Twice to four times as many words as uids.
    const bits = 33 - Math.clz32(uids.length);
    const mask = (1 << bits) - 1;
    const words = new Uint32Array(mask + 1);
    let left = uids.length * PROBES;
    for (let place = 0; place < uids.length; place += 1) {
      const hash = hashOf(uids[place]);
      let at = hash >>> (32 - bits);
      while (words[at] !== 0) {
        at = (at + 1) & mask;
        left -= 1;
      }
      if (left < 0) return undefined;
      words[at] = (hash << 16) | (place + 1);
    }
    return new UidIndex(uids, words, 32 - bits);
  }

  /** Returns the place of a uid; -1 if it is not in the list. */
  find(uid) {
    const words = this.#words;
    const hash = hashOf(uid);
    const part = hash & PLACE;
    for (let at = hash >>> this.#shift; ; at = (at + 1) & (words.length - 1)) {
      const word = words[at];
      if (word === 0) return -1;
      const place = (word & PLACE) - 1;
      if (word >>> 16 === part && this.#uids[place] === uid) return place;
    }
  }
}

module.exports = UidIndex;
