'use strict';

// What waits for an answer, oldest first. Not a Set: most pushes find it empty and leave it empty, and then V8 makes a new
// table at each `delete`, in C++ code that nothing else of a push runs through. Here an item is linked to its neighbours by
// the fields `older` and `newer`, and `waits` says whether it is there; it can be in one list only.

module.exports = class Unanswered {
  #oldest;
  #newest;
  #size = 0;

  get size() {
    return this.#size;
  }

  /** Adds an item, as the newest. */
  add(item) {
    item.waits = true;
    item.older = this.#newest;
    item.newer = undefined;
    if (this.#newest) this.#newest.newer = item;
    else this.#oldest = item;
    this.#newest = item;
    this.#size += 1;
  }

  /** Removes an item; returns whether it was there. */
  remove(item) {
    if (!item.waits) return false;
    const { older, newer } = item;
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    item.waits = false;
    // An item that is kept must not keep those after it.
    item.older = undefined;
    item.newer = undefined;
    this.#size -= 1;
    return true;
  }

  /** Returns all of them, oldest first, in an array of their own: they may leave meanwhile, and others come. */
  all() {
    const items = [];
    for (let item = this.#oldest; item; item = item.newer) items.push(item);
    return items;
  }
};
