'use strict';

// The index of members in the store (option `membership: 'session'`, src/membership.rs). Internal, as the methods of
// leases.js:
//
//   channel._members(action, sid, arg, cb)
//
//   'leaveAll'  uid            (null, [name]): the channels that the user has left on `sid`
//   'channels'  uid            (null, [name]): the channels that he is in on `sid`
//   'addBack'   {uid, names}   (null, count): adds him to these channels again
//   'uids'      cursor         (null, {uids, cursor}): a page of the users that the index has; '' is the first cursor, and
//                              that after the last page
//   'purge'     {epoch, keep, reason}
//                              (null, {state, count}): removes all members that the index has, in steps. The lease must be
//                              held by `epoch`, or by no one if that is ''; with state 'lost' it is not, or not any more.
//                              What is removed is kept for `keep` milliseconds; `reason` is that of the events
//   'channelsOn'  cursor       (null, {names, cursor}): a page of the channels that have members on `sid`, in the index or not;
//                              cursors as above
//   'enter'     {name, cursor}  (null, {entered, cursor}): adds a part of the members of a channel to the index; `entered` were
//                              not in it
//   'goneUids'  cursor         as 'uids', of what is kept
//   'gone'      uid            (null, [name]): his channels in what is kept
//   'forget'    –              (null, count): what is kept is removed

/** The number of entries that are read in one step, which must not block the store for long. */
const STEP = 500;

/** The number of entries that are purged in one step. A store may take fewer. */
const PURGED = 200;

/** The maximum number of channels of one user. */
const OF_ONE = 1e6;

/** Comes after the entries of a user, which it follows. */
const LAST = '\u{10ffff}';

const ACTIONS = {
  leaveAll,
  channels,
  addBack,
  uids,
  purge,
  channelsOn,
  enter,
  goneUids,
  gone,
  forget,
};

/** Defines the method on the class, not enumerable. */
module.exports = function defineMembers(GlobalChannel) {
  Object.defineProperty(GlobalChannel.prototype, '_members', {
    value(action, sid, arg, cb) {
      ACTIONS[action](this, sid, arg, cb);
    },
    writable: true,
    configurable: true,
  });
};

function leaveAll(channel, sid, uid, cb) {
  ask(channel, '_leaveAllOn', sid, [uid, 'close'], cb);
}

function channels(channel, sid, uid, cb) {
  ask(channel, '_joinedOn', sid, [uid], cb);
}

function addBack(channel, sid, { uid, names }, cb) {
  if (names.length === 0) {
    process.nextTick(cb, null, 0);
    return;
  }
  ask(channel, '_addBack', sid, [uid, ...names], cb);
}

function uids(channel, sid, cursor, cb) {
  page(channel, '_entries', sid, cursor, cb);
}

function goneUids(channel, sid, cursor, cb) {
  page(channel, '_goneEntries', sid, cursor, cb);
}

/** Reads entries, which are in the order of their users: see src/membership.rs. */
function page(channel, method, sid, cursor, cb) {
  ask(channel, method, sid, [cursor, '', String(STEP)], (err, entries) => {
    if (err) {
      cb(err);
      return;
    }
    const found = [...new Set(entries.map(([uid]) => uid))];
    const next = entries.length < STEP ? '' : begin(found[found.length - 1]) + LAST;
    cb(null, { uids: found, cursor: next });
  });
}

function gone(channel, sid, uid, cb) {
  const items = [begin(uid), begin(uid) + LAST, String(OF_ONE)];
  ask(channel, '_goneEntries', sid, items, (err, entries) => {
    if (err) cb(err);
    else
      cb(
        null,
        entries.map(([, name]) => name),
      );
  });
}

function forget(channel, sid, _arg, cb) {
  ask(channel, '_forgetGone', sid, [], cb);
}

function channelsOn(channel, sid, cursor, cb) {
  ask(channel, '_channelsOn', sid, [cursor], (err, page) =>
    err ? cb(err) : cb(null, { names: page.names, cursor: page.cursor || '' }),
  );
}

function enter(channel, sid, { name, cursor }, cb) {
  ask(channel, '_enter', sid, [cursor, name], (err, page) =>
    err ? cb(err) : cb(null, { entered: page.counts[0], cursor: page.cursor || '' }),
  );
}

function purge(channel, sid, { epoch, keep, reason = 'purge' }, cb) {
  let count = 0;
  step();

  function step() {
    ask(channel, '_purge', sid, [epoch, String(keep), String(PURGED), reason], (err, found) => {
      if (err) {
        cb(err);
        return;
      }
      // In the place of a time it has the number of entries that are left.
      const { state, count: removed, ttl: left } = found[0];
      count += removed;
      if (state === 'lost' || left === 0) cb(null, { state, count });
      else step();
    });
  }
}

/** Returns what the entries of a user begin with. */
function begin(uid) {
  return `${Buffer.byteLength(uid)}:${uid}`;
}

/** Calls a method of the addon (src/binding/service/sessions.rs), whose answer is JSON. */
function ask(channel, method, sid, items, cb) {
  channel[method]([sid], items, (err, text) => (err ? cb(err) : cb(null, JSON.parse(text))));
}
