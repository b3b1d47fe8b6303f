'use strict';

// A member list of a push, with what is found out about it once for all pushes: which of its uids cannot be sent
// (poison.js), whether it is long (lists/), and where a uid is in it (places.js). Lists of a built-in store are immutable
// and have strings only; a custom manager's are what it gave.

const split = require('./poison');

class MemberList {
  #uids;
  #poison;

  /**
   * `isFixed`: the array is immutable from its first use on, and has strings only. `isKept`: the store's cache keeps it for
   * later pushes.
   */
  constructor(all, isFixed, isKept = false) {
    /** The array as it came from the store. */
    this.all = all;
    this.isFixed = isFixed;
    this.isKept = isKept;
    /** Set by lists/: whether the list is long enough for a name. */
    this.isLong = undefined;
    /** Set by places.js: how often uids were looked for, and where its index is; -1 if it has none. */
    this.looks = 0;
    this.index = -1;
  }

  /** The uids that can be sent: nearly always the array itself, and the same array at each push. */
  get uids() {
    if (this.#uids === undefined) this.#split();
    return this.#uids;
  }

  /** Those that cannot, or undefined if there are none. */
  get poison() {
    if (this.#uids === undefined) this.#split();
    return this.#poison;
  }

  #split() {
    const { uids, poison } = split(this.all);
    this.#uids = uids;
    this.#poison = poison;
  }
}

module.exports = MemberList;
