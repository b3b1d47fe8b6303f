'use strict';

// Who gets a push: leaves out single users (`opts.except`, `opts.only`), and combines the lists of several channels of a
// custom manager. Those of a built-in store are combined in Rust (src/list/union.rs).

const { storedTextOf, textOf, textOfMember } = require('./ids');
const MemberList = require('./memberList');
const { placesOf } = require('./places');

/** So many users may be left out of a list that stays the same; without more it is another list. */
const FEW = 16;

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

/**
 * Takes the service's own options of a push to channels: `{except, only, exceptChannels, sids, userOptions, selection,
 * list}`, where `list` is the name of its list; undefined if it has none, and is to one channel. Runs getters of the app,
 * and so must come before the push has its number.
 */
function prepare(opts, name) {
  const isMany = Array.isArray(name);
  const { except, only, exceptChannels, sids } = isObject(opts) ? opts : NONE;
  const isSelective = isGiven(except) || isGiven(only) || isGiven(exceptChannels) || isGiven(sids);
  if (!isSelective && !isMany) return undefined;
  return {
    except,
    only,
    exceptChannels,
    sids,
    userOptions: isSelective ? restOf(opts, CHANNELS) : opts,
    selection: selectionOf(except, only),
    list: isMany || isGiven(exceptChannels) ? listName(name, exceptChannels) : name,
  };
}

/** The same of a push to users or to all sessions, which has no list. */
function prepareOwn(opts, isBroadcast) {
  if (isBroadcast) {
    const { sids } = opts;
    if (!isGiven(sids)) return undefined;
    return { sids, userOptions: restOf(opts, ALL_SESSIONS), selection: undefined };
  }
  const { except, only, sid } = opts;
  if (![except, only, sid].some(isGiven)) return undefined;
  const selection = selectionOf(except, only);
  return { except, only, sid, userOptions: restOf(opts, USERS), selection };
}

/**
 * Returns the options without the service's own, for the push schedulers. Most pushes have no others, and to find that out
 * takes less time than a copy.
 */
function restOf(opts, { names, copy }) {
  for (const key of Reflect.ownKeys(opts)) {
    if (!names.has(key)) return copy(opts);
  }
  return {};
}

/**
 * Returns `{texts, isOnly}`: a Set of the texts of the only users who get a push, or of those who do not; undefined if all
 * get it.
 */
function selectionOf(except, only) {
  if (isGiven(only)) {
    const texts = textsOf(only);
    for (const text of textsOf(except)) texts.delete(text);
    return { texts, isOnly: true };
  }
  return isGiven(except) ? { texts: textsOf(except), isOnly: false } : undefined;
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

/** Returns the texts of one uid, or of several, up to one that the addon refuses. */
function textsOf(uids) {
  const texts = new Set();
  if (!isGiven(uids)) return texts;
  for (const uid of Array.isArray(uids) ? uids : [uids]) {
    const text = storedTextOf(uid);
    if (text === undefined) break;
    texts.add(text);
  }
  return texts;
}

/**
 * Returns those of a list who get a push: `{list, gone}`, where `gone` are the places in `list.uids` of a few who do not, or
 * undefined. The list stays the same from push to push if another user is left out each time.
 */
function select(list, { texts, isOnly }) {
  const { uids, isFixed } = list;
  const places = placesOf(list, texts);
  if (isOnly) {
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
function isSelected(uid, { texts, isOnly }) {
  return texts.has(textOfMember(uid)) === isOnly;
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

function isGiven(value) {
  return value !== undefined && value !== null;
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

module.exports = { lengthOf, prepare, prepareOwn, select, selectedOf, uidsOf, unite };
