'use strict';

// The index of members in the store (option `membership: 'session'`, src/membership.rs). Internal, as the methods of
// leases.js:
//
//   channel._members(action, sid, arg, cb)
//
//   'leave'     {uid, epoch, keep, reason}
//                              (null, {state, count}): removes a user from all channels on `sid`, as 'purge' does with all
//   'putBack'   {uid, epoch}    (null, {state, count}): adds him to those again that are kept of him
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
//   'forget'    {uid, epoch}    (null, {state, count}): what is kept of him is removed, without `uid` that of all
//
// Those with `epoch` do nothing unless that has the lease, which the store checks in the step itself: else state is 'lost'. What the app
// removes meanwhile is kept no longer, so 'putBack' does not undo it.

const defineMethod = require('./defineMethod');

/** The number of members that are purged in one step. A store may take fewer. */
const PURGED = 200;

/** All members of one user in one step, if the store can. */
const ALL = 0;

/** The maximum number of users of one step. */
const USERS = 100;

const ACTIONS = {
  leave,
  putBack,
  uids,
  purge,
  channelsOn,
  enter,
  goneUids,
  forget,
};

/** Defines the method on the class, not enumerable. */
module.exports = function defineMembers(GlobalChannel) {
  defineMethod(GlobalChannel, '_members', function (action, sid, arg, cb) {
    ACTIONS[action](this, sid, arg, cb);
  });
};

/** In several steps, if the store takes no more at once. */
function leave(channel, sid, { uid, epoch, keep, reason }, cb, before = 0) {
  fenced(channel, '_purge', sid, [epoch, keep, ALL, reason, uid], (err, done) => {
    if (err) {
      cb(err);
      return;
    }
    const { state, count: removed, left } = done;
    const count = before + removed;
    if (state === 'lost' || left === 0) cb(null, { state, count });
    else leave(channel, sid, { uid, epoch, keep, reason }, cb, count);
  });
}

function putBack(channel, sid, { uid, epoch }, cb) {
  fenced(channel, '_putBack', sid, [epoch, 0, ALL, '', uid], cb);
}

function forget(channel, sid, { uid, epoch }, cb) {
  const uids = uid === undefined ? [] : [uid];
  fenced(channel, '_forget', sid, [epoch, 0, ALL, '', ...uids], cb);
}

/** Makes a step that the lease allows or not: `{state, count, left}`; `left` of the users are not done. */
function fenced(channel, method, sid, args, cb) {
  ask(channel, method, sid, args.map(String), (err, found) => {
    if (err) {
      cb(err);
      return;
    }
    // The number is in the place of a time.
    const { state, count, ttl: left } = found[0];
    cb(null, { state, count, left });
  });
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
    fenced(channel, '_purge', sid, [epoch, keep, PURGED, reason, ...part], (err, done) => {
      if (err) {
        cb(err);
        return;
      }
      const { state, count: removed, left } = done;
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
