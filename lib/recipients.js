'use strict';

// Who gets a push: leaves out single users (`opts.except`, `opts.only`), and combines the lists of several channels of a
// custom manager. Those of a built-in store are combined in Rust (src/list/union.rs).

const { textOf } = require('./ids');

/** From this number of exceptions on, each member is looked up, in place of each exception. */
const MANY = 16;

/** What the service takes itself of the options of a push, by its kind; the rest is for the push schedulers. */
const OWN = {
  channels: ['except', 'only', 'exceptChannels', 'sids'],
  uids: ['except', 'only', 'sid'],
  broadcast: ['sids'],
};

/**
 * Returns `{userOptions, select}` for the options of a push of this kind. `select(uids, areTexts)` returns those who get
 * it, in a new array if a user is left out; it is undefined if none is. With `areTexts` all uids are strings.
 */
function recipients(kind, opts) {
  const own = OWN[kind];
  if (typeof opts !== 'object' || opts === null || !own.some((name) => isGiven(opts[name]))) {
    return { userOptions: opts, select: undefined };
  }
  const { except, only } = kind === 'broadcast' ? {} : opts;
  const userOptions = { ...opts };
  for (const name of own) delete userOptions[name];
  const all = (value) => new Set([].concat(value).map(textOf));
  const excepted = isGiven(except) ? all(except) : undefined;
  const chosen = isGiven(only) ? all(only) : undefined;
  if (!excepted && !chosen) {
    return { userOptions, select: undefined };
  }
  return {
    userOptions,
    select(uids, areTexts) {
      const left = chosen ? uids.filter((uid) => chosen.has(String(uid))) : uids;
      return excepted ? without(left, excepted, areTexts) : left;
    },
  };
}

function isGiven(value) {
  return value !== undefined && value !== null;
}

/** Returns `uids` without those in `excepted`; `uids` itself if none of them is in it. */
function without(uids, excepted, areTexts) {
  if (excepted.size >= MANY || !areTexts) {
    const left = uids.filter((uid) => !excepted.has(String(uid)));
    return left.length < uids.length ? left : uids;
  }
  let left = uids;
  for (const uid of excepted) {
    const at = left.indexOf(uid);
    if (at >= 0) {
      if (left === uids) left = uids.slice();
      left.splice(at, 1);
    }
  }
  return left;
}

/** Returns the members of `lists` that are in none of `excepted`, each once. */
function unite(lists, excepted) {
  const seen = new Set();
  for (const list of excepted) for (const uid of list || []) seen.add(String(uid));
  const members = [];
  for (const list of lists) {
    for (const uid of list || []) {
      const text = String(uid);
      if (!seen.has(text)) {
        seen.add(text);
        members.push(uid);
      }
    }
  }
  return members;
}

module.exports = { recipients, unite };
