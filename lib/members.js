'use strict';

// The index of members in the store (option `membership: 'session'`, src/membership.rs). Internal, as the methods of
// leases.js:
//
//   channel._members(action, sid, arg, cb)
//
//   'leaveAll'  uid            (null, [name]): the channels that the user has left on `sid`
//   'channels'  uid            (null, [name]): the channels that he is in on `sid`
//   'addBack'   {uid, names}   (null, count): adds him to these channels again
//   'uids'      –              (null, [uid]): the users who are in channels, as far as the index has them
//   'purge'     {epoch, keep, reason}
//                              (null, {state, count}): removes all members that the index has, in steps. The lease must be
//                              held by `epoch`, or by no one if that is ''; with state 'lost' it is not, or not any more.
//                              What is removed is kept for `keep` milliseconds; `reason` is that of the events
//   'channelsOn'  cursor       (null, {names, cursor}): a page of the channels that have members on `sid`, in the index or not;
//                              '' is the first cursor, and that after the last page
//   'enter'     {name, cursor}  (null, {entered, cursor}): adds a part of the members of a channel to the index; `entered` were
//                              not in it
//   'goneUids'  –              as 'uids', of what is kept
//   'gone'      uid            (null, [name]): his channels in what is kept
//   'forget'    –              (null, count): what is kept is removed

/** The number of members that are purged in one step. A store may take fewer. */
const PURGED = 200;

/** The maximum number of users of one step. */
const USERS = 100;

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

function uids(channel, sid, _arg, cb) {
  users(channel, '_indexUsers', sid, cb);
}

function goneUids(channel, sid, _arg, cb) {
  users(channel, '_keptUsers', sid, cb);
}

/** Reads the users of an index, or of what is kept of it. */
function users(channel, method, sid, cb) {
  ask(channel, method, sid, [], (err, lists) => (err ? cb(err) : cb(null, lists[0])));
}

function gone(channel, sid, uid, cb) {
  ask(channel, '_kept', sid, [uid], cb);
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

/** Goes through the users, again and again until there are none: members may be added meanwhile. */
function purge(channel, sid, { epoch, keep, reason = 'purge' }, cb) {
  let count = 0;
  let list = [];
  let at = 0;
  pass({ users: Infinity, count: -1 });

  function pass(last) {
    uids(channel, sid, null, (err, found) => {
      if (err) {
        cb(err);
        return;
      }
      // What no step removes is not of ours.
      const isStuck = last.count === count && found.length >= last.users;
      list = isStuck ? [] : found;
      at = 0;
      step({ users: found.length, count });
    });
  }

  function step(began) {
    const part = list.slice(at, at + USERS);
    const args = [epoch, String(keep), String(PURGED), reason, ...part];
    ask(channel, '_purge', sid, args, (err, found) => {
      if (err) {
        cb(err);
        return;
      }
      // In the place of a time it has the number of the users of this part who are not done.
      const { state, count: removed, ttl: left } = found[0];
      count += removed;
      at += part.length - left;
      if (state === 'lost' || part.length === 0) cb(null, { state, count });
      else if (at < list.length) step(began);
      else pass(began);
    });
  }
}

/** Calls a method of the addon (src/binding/service/sessions.rs), whose answer is JSON. */
function ask(channel, method, sid, items, cb) {
  channel[method]([sid], items, (err, text) => (err ? cb(err) : cb(null, JSON.parse(text))));
}
