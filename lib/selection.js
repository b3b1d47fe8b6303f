'use strict';

// The users whom a push leaves out, or is for: the texts of `opts.except` and `opts.only`. Mostly it is one user, so that a
// Set is only made where users are many or where each member of a list is looked up.

const { storedTextOf } = require('./ids');
const { hashOf } = require('./uidIndex');

/** Longer uids are checked by the addon, which knows how long they are in the store. */
const CHECKED = 1 << 20;

/** Only a text with this in it may be in a store's list twice: it stands for bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/** `set`, `hashes` and `mayRepeat` are made when they are asked for. No private fields: to define one takes 0.2 µs. */
class Selection {
  /** `texts` are distinct. `isChecked`: all of them are accepted as uids. */
  constructor(texts, isOnly, isChecked) {
    this.texts = texts;
    /** Whether the push is for these users only, or for all others. */
    this.isOnly = isOnly;
    this.isChecked = isChecked;
    this.made = { set: undefined, hashes: undefined, mayRepeat: undefined };
  }

  /** The texts as a Set. */
  get set() {
    const { made } = this;
    made.set = made.set || new Set(this.texts);
    return made.set;
  }

  /** The hashes of the texts, in the same order, which are the same for each list (uidIndex.js). */
  get hashes() {
    const { made } = this;
    made.hashes = made.hashes || this.texts.map(hashOf);
    return made.hashes;
  }

  /** Whether one of the texts may be in a list more than once. */
  get mayRepeat() {
    const { made } = this;
    if (made.mayRepeat === undefined) {
      made.mayRepeat = this.texts.some((text) => text.includes(REPLACEMENT));
    }
    return made.mayRepeat;
  }

  has(text) {
    return this.texts.length === 1 ? this.texts[0] === text : this.set.has(text);
  }
}

/** Makes the selection of `opts.except` and `opts.only`; undefined if all users get the push. */
function selectionOf(except, only) {
  if (isGiven(only)) {
    const chosen = textsOf(only);
    const others = textsOf(except);
    const without = new Set(others.texts);
    const texts = chosen.texts.filter((text) => !without.has(text));
    return new Selection(texts, true, chosen.isChecked && others.isChecked);
  }
  if (!isGiven(except)) return undefined;
  const { texts, isChecked } = textsOf(except);
  return new Selection(texts, false, isChecked);
}

/**
 * Returns the texts of one uid, or of several, each once, up to one that the addon may refuse; and whether all of them are
 * accepted.
 */
function textsOf(uids) {
  const texts = [];
  if (!isGiven(uids)) return { texts, isChecked: true };
  const all = Array.isArray(uids) ? uids : [uids];
  let isChecked = true;
  // Not for...of, which takes several times as long; an array may get longer while it is read.
  for (let i = 0; i < all.length; i += 1) {
    const text = storedTextOf(all[i]);
    if (text === undefined) {
      isChecked = false;
      break;
    }
    texts.push(text);
    isChecked = isChecked && text.length <= CHECKED;
  }
  return { texts: texts.length > 1 ? [...new Set(texts)] : texts, isChecked };
}

function isGiven(value) {
  return value !== undefined && value !== null;
}

module.exports = { isGiven, selectionOf };
