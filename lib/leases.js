'use strict';

// The session registry in the store: leases of frontends, and the sets of their online users. Internal: the methods begin
// with `_` and are not in index.d.ts. What an operation does in the store is in src/lease.rs; here are the operations that
// take several steps, because the set of all leases (`PREFIX@leases`) may be on another node than the lease of a frontend.
//
//   channel._lease(action, sid, epoch, ttl, cb)
//
//   An epoch that begins with SESSION tells that members on this frontend end with their sessions (option `membership`). That
//   is noted in a set of its own (`PREFIX@leases:session`), because the lease is gone when its frontend is dead.
//
//   'claim'    (null, {previous, removed}): the epoch that held the lease, or null, and how many users of it were removed
//   'renew'    (null, {state, count, epoch}): `held`, `regained` (it had expired: add the users again) or `lost` (to
//              `epoch`; nothing changed); `count` users are in the set
//   'release'  (null, {released, removed}): false if another epoch holds the lease; nothing changed then
//   'sweep'    (null, {swept, removed}): false if the lease has not expired; `epoch` is SESSION if its members end, without `ttl`
//   'take'     (null, boolean): takes the work that is left after a sweep, if no other process has it; for `ttl` at most
//   'finish'   (null, null): it is done, and taken no more
//   'list'     (null, [{sid, epoch, ttl, ends, isSwept, age}]): all leases; those expired with epoch null and ttl 0. `ends`: its
//              members end with their sessions; `isSwept`: it was swept or released, and work is left, for `age` ms
//
//   channel._sessions(op, sids, uids, cb)
//
//   'add', 'remove'  (null, {state, count}): how many were added or removed on the only one of `sids`; `uids` are the epoch, which
//                    must hold the lease, or '' if no one may, and the users. If it does not, state is 'lost' and the rest was
//                    not written: the store checks it in each step
//   'members'        (null, [list]): the users of each sid, in the order of `sids`
//   'count'          (null, [number])
//   'isMember'       (null, [[boolean]]): for each of `uids`, whether it is on each of `sids`
//
//   'page'           (null, {names, cursor}): some users of the only one of `sids`; `uids` are the cursor (empty: the
//                    first page), the limit and a pattern of uids (empty: all)
//
// The set of all leases must name every frontend that may have left users. So a lease is noted there *after* it was taken
// (before that nothing is left), and one that is forgotten is looked for *after* that, and noted again if it was taken
// meanwhile. A step that is missing because its process died is made by the next renewal, or by the next sweep.

const defineMethod = require('./defineMethod');
const { mark, sidOfMark, readNotes } = require('./leaseMarks');

/** How often a claim is tried when other processes claim the lease meanwhile. */
const CLAIMS = 10;

/** The number of users in one command, which must not block the store for long. */
const USERS = 1000;

/** The nonce of a claim; those of renewals are numbers from 1 on. */
const CLAIMED = '0';

/** For each instance the nonces of its renewals, by server id. */
const nonces = new WeakMap();

/** The sets that have the server ids of leases: all, and those whose members end with their sessions. */
const ALL = '';
const ENDING = 'session';

/** What the epochs of frontends begin with whose members end with their sessions. */
const SESSION = 'session-';

/** What follows the server id in the lease of the work that is left after a sweep. */
const WORK = '@work';

const ACTIONS = { claim, renew, release, sweep, take, finish, list };

const SESSIONS = { add, remove, members, count, isMember, page };

/** Defines the methods on the class, not enumerable. */
module.exports = defineLeases;
module.exports.SESSION = SESSION;

function defineLeases(GlobalChannel) {
  defineMethod(GlobalChannel, '_lease', function (action, sid, epoch, ttl, cb) {
    ACTIONS[action](this, cb, sid, epoch, String(ttl));
  });
  defineMethod(GlobalChannel, '_sessions', function (op, sids, uids, cb) {
    SESSIONS[op](this, cb, sids, uids);
  });
}

/** Takes the lease from the epoch that holds it, which is only known from the first attempt. */
function claim(channel, cb, sid, epoch, ttl) {
  if (epoch.startsWith(SESSION)) {
    attempt('', CLAIMS);
  } else {
    // First: what is added from now on stays, also if this process dies before its next step.
    forgetEnding(channel, sid, (err) => (err ? cb(err) : attempt('', CLAIMS)));
  }

  function attempt(expected, left) {
    ask(channel, '_claim', [sid], [epoch, CLAIMED, ttl, expected], (err, found) => {
      if (err) {
        cb(err);
        return;
      }
      const { state, epoch: holder, count: removed } = found[0];
      if (state !== 'lost') {
        note(channel, cb, [sid, epoch], { previous: expected || null, removed });
      } else if (left > 1) {
        attempt(holder, left - 1);
      } else {
        cb(new Error(`the lease of ${sid} is claimed by others all the time, last by ${holder}`));
      }
    });
  }
}

function renew(channel, cb, sid, epoch, ttl) {
  const turns = nonces.get(channel) || new Map();
  nonces.set(channel, turns);
  const turn = turns.get(sid) || 1;
  ask(channel, '_renew', [sid], [epoch, String(turn), ttl, ''], (err, found) => {
    if (err) {
      cb(err);
      return;
    }
    const { state, count: users, epoch: holder } = found[0];
    if (state === 'lost') {
      cb(null, { state, count: 0, epoch: holder });
      return;
    }
    const answered = (failed, result) => {
      // Not earlier: if it failed after the store has done it, the next renewal must say again what has happened.
      if (!failed) turns.set(sid, turn + 1);
      cb(failed, result);
    };
    note(channel, answered, [sid, epoch], { state, count: users, epoch });
  });
}

function release(channel, cb, sid, epoch, ttl) {
  const answer = (released, removed) => ({ released, removed });
  end(channel, cb, [sid, epoch], ['_release', [epoch, '', ttl, ''], 'lost'], answer);
}

function sweep(channel, cb, sid, epoch) {
  const answer = (swept, removed) => ({ swept, removed });
  end(channel, cb, [sid, epoch], ['_sweep', ['', '', '', ''], 'held'], answer);
}

/** Ends a lease, unless it is in the state `refused`, and forgets it. `answer(isDone, removed)` makes the result. */
function end(channel, cb, [sid, epoch], [method, items, refused], answer) {
  marked(channel, cb, sid, epoch, () =>
    ask(channel, method, [sid], items, (err, found) => {
      if (err) cb(err);
      else if (found[0].state === refused) cb(null, answer(false, 0));
      else forget(channel, cb, sid, answer(true, found[0].count));
    }),
  );
}

/** Notes when a frontend leaves whose members end with their sessions, and goes on. */
function marked(channel, cb, sid, epoch, next) {
  if (!epoch.startsWith(SESSION)) next();
  else ask(channel, '_noteLease', [ENDING], [mark(sid)], (err) => (err ? cb(err) : next()));
}

/** Removes a server id and its marks from ENDING. */
function forgetEnding(channel, sid, cb) {
  ask(channel, '_notedLeases', [ENDING], [], (err, found) => {
    if (err) {
      cb(err);
      return;
    }
    const marks = found[0].filter((item) => sidOfMark(item) === sid);
    ask(channel, '_forgetLease', [ENDING], [sid, ...marks], cb);
  });
}

function take(channel, cb, sid, epoch, ttl) {
  ask(channel, '_claim', [sid + WORK], [epoch, CLAIMED, ttl, ''], (err, found) =>
    err ? cb(err) : cb(null, found[0].state !== 'lost'),
  );
}

function finish(channel, cb, sid, epoch, ttl) {
  const done = (err) => (err ? cb(err) : cb(null, null));
  const released = (err) => {
    if (err) cb(err);
    else ask(channel, '_release', [sid + WORK], [epoch, '', ttl, ''], done);
  };
  forget(channel, released, sid, null, forgetEnding);
}

function list(channel, cb) {
  ask(channel, '_notedLeases', [ALL, ENDING], [], (err, found) => {
    if (err) {
      cb(err);
      return;
    }
    const { sids, describe } = readNotes(...found);
    ask(channel, '_holders', sids, [], (failed, holders) => {
      if (failed) {
        cb(failed);
        return;
      }
      cb(
        null,
        sids.map((sid, i) => describe(sid, holders[i])),
      );
    });
  });
}

/** Notes that there is a lease, and answers. */
function note(channel, cb, [sid, epoch], result) {
  const sets = epoch.startsWith(SESSION) ? [ALL, ENDING] : [ALL];
  ask(channel, '_noteLease', sets, [sid], (err) => (err ? cb(err) : cb(null, result)));
}

const forgetAll = (channel, sid, cb) => ask(channel, '_forgetLease', [ALL], [sid], cb);

/** Notes that there is no lease any more, or that no work is left, and answers. */
function forget(channel, cb, sid, result, remove = forgetAll) {
  remove(channel, sid, (err) => {
    if (err) {
      cb(err);
      return;
    }
    ask(channel, '_holders', [sid], [], (failed, holders) => {
      if (failed) {
        cb(failed);
      } else if (holders[0].state === 'held') {
        note(channel, cb, [sid, holders[0].epoch], result);
      } else {
        cb(null, result);
      }
    });
  });
}

function add(channel, cb, sids, asked) {
  change(channel, '_addOnline', cb, sids, asked);
}

function remove(channel, cb, sids, asked) {
  change(channel, '_removeOnline', cb, sids, asked);
}

/** Makes a call for each part of the users. */
function change(channel, method, cb, sids, [epoch, ...uids]) {
  const parts = [];
  for (let i = 0; i < uids.length; i += USERS) {
    parts.push([epoch, ...uids.slice(i, i + USERS)]);
  }
  const call = (part, done) => ask(channel, method, sids, part, done);
  each(parts, call, (err, steps) => {
    if (err) {
      cb(err);
      return;
    }
    const leases = steps.map(([lease]) => lease);
    const isLost = leases.some(({ state }) => state === 'lost');
    cb(null, {
      state: isLost ? 'lost' : 'held',
      count: leases.reduce((sum, { count: changed }) => sum + changed, 0),
    });
  });
}

function members(channel, cb, sids) {
  ask(channel, '_online', sids, [], cb);
}

function count(channel, cb, sids) {
  ask(channel, '_countOnline', sids, [], cb);
}

function isMember(channel, cb, sids, uids) {
  const call = (uid, done) => ask(channel, '_isOnline', sids, [uid], done);
  each(uids, call, cb);
}

function page(channel, cb, sids, asked) {
  ask(channel, '_onlinePage', sids, asked, cb);
}

/** Makes a call for each item, at once, and answers with the first error or with all results. */
function each(items, call, cb) {
  const results = [];
  let left = items.length;
  let failure = null;
  if (left === 0) {
    process.nextTick(cb, null, results);
    return;
  }
  items.forEach((item, i) =>
    call(item, (err, result) => {
      failure = failure || err;
      results[i] = result;
      left -= 1;
      if (left === 0) {
        cb(failure, results);
      }
    }),
  );
}

/** Calls a method of the addon (src/binding/service/sessions.rs), whose answer is JSON. */
function ask(channel, method, sids, items, cb) {
  channel[method](sids, items, (err, text) => (err ? cb(err) : cb(null, JSON.parse(text))));
}
