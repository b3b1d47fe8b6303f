'use strict';

// Who gets a push: leaves out single users (`opts.except`, `opts.only`), and combines the lists of several channels of a
// custom manager. Those of a built-in store are combined in Rust (src/list/union.rs).

const { textOf, textOfMember } = require('./ids');
const MemberList = require('./memberList');
const { placesOf } = require('./places');
const { isGiven, selectionOf } = require('./selection');
const { DIVIDER } = require('./uids');

/** So many users may be left out of a list that stays the same; without more it is another list. */
const FEW = 16;

/** The most UTF-16 units of names that are joined for the addon. */
const JOINED = 1 << 12;

/** The service's own options of a push, by its kind; `copy` copies the others. */
const CHANNELS = {
  names: new Set(['except', 'only', 'exceptChannels', 'sids']),
  copy: ({ except, only, exceptChannels, sids, ...rest }) => rest,
};
const USERS = {
  names: new Set(['except', 'only', 'sid']),
  copy: ({ except, only, sid, ...rest }) => rest,
};
const ALL_SESSIONS = { names: new Set(['sids']), copy: ({ sids, ...rest }) => rest };

const NONE = Object.freeze({});

/** What `prepare` keeps until the push is held: no code of the app runs between the two. */
const prepared = { opts: undefined, selection: undefined, name: undefined };

/**
 * Takes the service's own options of a push to channels, for src/binding/values/push_options.rs. Undefined if it has no such
 * options, and is to one channel. Runs getters of the app, and so must come before the push has its number.
 *
 * Mostly the addon has to know the names only: it gets them as one string, and `prepared` has the rest until the push is held.
 * Otherwise it is an array, to which an element takes a quarter of the time of a property: `[userOptions, selection, list]`,
 * where `list` is the name of its list, and then `sids`, `exceptChannels`, `except` and `only`, if there is anything to be
 * read of these.
 */
function prepare(opts, name) {
  const isMany = Array.isArray(name);
  const { except, only, exceptChannels, sids } = isObject(opts) ? opts : NONE;
  const isSelective = isGiven(except) || isGiven(only) || isGiven(exceptChannels) || isGiven(sids);
  if (!isSelective && !isMany) return undefined;
  const userOptions = isSelective ? restOf(opts, CHANNELS) : opts;
  const selection = selectionOf(except, only);
  if (isAccepted(selection) && !isGiven(sids) && !isGiven(exceptChannels)) {
    const names = joined(name, isMany);
    if (names !== undefined) {
      prepared.opts = userOptions;
      prepared.selection = selection;
      // Not that of a channel.
      prepared.name = isMany ? `${names}\n` : name;
      return names;
    }
  }
  const list = isMany || isGiven(exceptChannels) ? listName(name, exceptChannels) : name;
  const own = [userOptions, selection, list];
  return withRest(own, sids, exceptChannels, except, only);
}

/** Returns the names with NULs between them; undefined if one of them is no plain string, or there are none. */
function joined(name, isMany) {
  if (!isMany) return typeof name === 'string' && isPlain(name) ? name : undefined;
  let names;
  for (let i = 0; i < name.length; i += 1) {
    const each = name[i];
    if (typeof each !== 'string' || !isPlain(each)) return undefined;
    names = names === undefined ? each : names + DIVIDER + each;
    if (names.length > JOINED) return undefined;
  }
  return names;
}

function isPlain(name) {
  return name.length <= JOINED && !name.includes(DIVIDER);
}

/** Whether the addon need not check the users of a selection. */
function isAccepted(selection) {
  return selection === undefined || selection.isChecked;
}

/** The same of a push to users, with `sid` in place of `sids`, or to all sessions; these have no list. */
function prepareOwn(opts, isBroadcast) {
  if (isBroadcast) {
    const { sids } = opts;
    if (!isGiven(sids)) return undefined;
    return withRest([restOf(opts, ALL_SESSIONS), undefined, undefined], sids);
  }
  const { except, only, sid } = opts;
  if (![except, only, sid].some(isGiven)) return undefined;
  const own = [restOf(opts, USERS), selectionOf(except, only), undefined];
  return withRest(own, sid, undefined, except, only);
}

/** Adds what the addon has to read; not `except` and `only` if they were read as the texts of a selection. */
function withRest(own, sids, exceptChannels, except, only) {
  const [, selection] = own;
  const isChecked = isAccepted(selection);
  if (isChecked && !isGiven(sids) && !isGiven(exceptChannels)) return own;
  own.push(sids, exceptChannels);
  if (!isChecked) own.push(except, only);
  return own;
}

/**
 * Returns the options without the service's own, for the push schedulers. Most pushes have no others, and to find that out
 * takes less time than a copy.
 */
function restOf(opts, { names, copy }) {
  for (const key of Object.keys(opts)) {
    if (!names.has(key)) return copy(opts);
  }
  return Object.getOwnPropertySymbols(opts).length > 0 ? copy(opts) : {};
}

/**
 * Returns the name under which lists/ keeps the list of a push to several channels, or without some. Two lists of one name
 * are told apart by their uids, so it need not be unique.
 */
function listName(name, without) {
  return `${linesOf(name)}\n${linesOf(without)}`;
}

function linesOf(ids) {
  let lines = '';
  for (const id of Array.isArray(ids) ? ids : [ids]) {
    const text = textOf(id);
    // The addon refuses the call for it. An array of holes may be very long.
    if (text === undefined) break;
    lines += `${text}\n`;
  }
  return lines;
}

/**
 * Returns those of a list who get a push: `{list, gone}`, where `gone` are the places in `list.uids` of a few who do not, or
 * undefined. The list stays the same from push to push if another user is left out each time.
 */
function select(list, selection) {
  const { uids, isFixed } = list;
  const places = placesOf(list, selection);
  if (selection.isOnly) {
    return others(places.map((place) => uids[place]));
  }
  if (places.length === 0) {
    return { list, gone: undefined };
  }
  if (places.length > FEW) {
    const gone = new Set(places);
    return others(uids.filter((uid, place) => !gone.has(place)));
  }
  // A manager may change its array before the push is sent.
  return isFixed ? { list, gone: places } : { ...others(uids.slice()), gone: places };

  function others(array) {
    return { list: new MemberList(array, isFixed), gone: undefined };
  }
}

/** Returns those of some uids who are in a selection, if there is one. */
function selectedOf(uids, selection) {
  return selection ? uids.filter((uid) => isSelected(uid, selection)) : uids;
}

/** Returns whether a selection has a user. */
function isSelected(uid, selection) {
  return selection.has(textOfMember(uid)) === selection.isOnly;
}

/** Returns how many users a list has without those who are gone. */
function lengthOf({ list, gone }) {
  return list.uids.length - (gone ? gone.length : 0);
}

/** Returns these users in a new array, which the receiver may change. */
function uidsOf({ list, gone }) {
  const uids = list.uids.slice();
  for (let i = gone ? gone.length - 1 : -1; i >= 0; i -= 1) {
    uids.splice(gone[i], 1);
  }
  return uids;
}

function isObject(value) {
  return typeof value === 'object' && value !== null;
}

/** Returns the members of `lists` that are in none of `excepted`, each once. */
function unite(lists, excepted) {
  const seen = new Set();
  for (const list of excepted) for (const uid of list || []) seen.add(textOfMember(uid));
  const members = [];
  for (const list of lists) {
    for (const uid of list || []) {
      const text = textOfMember(uid);
      if (!seen.has(text)) {
        seen.add(text);
        members.push(uid);
      }
    }
  }
  return members;
}

module.exports = {
  lengthOf,
  prepare,
  prepared,
  prepareOwn,
  select,
  selectedOf,
  uidsOf,
  unite,
};
