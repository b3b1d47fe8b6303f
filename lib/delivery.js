'use strict';

// How a push gets to the frontends: one RPC for each frontend that has members, each answered
// once and in time whatever `app.rpcInvoke` does, and a truthful list of who was not reached.
// Who the members are is decided before; see src/binding/ and answers.js. How long lists of them are
// told is in lists/.

const callBack = require('./callBack');
const createLists = require('./lists/naming');
const createLocalPush = require('./localPush');
const { words } = require('./logger');
const { failures } = require('./tables');

/**
 * Makes `deliver(push, lists, errors, isFixed)`, where `push` is `{sids, route, msg, opts, callback, name}` and
 * there is a list or an error for each of its `sids`, and `isFixed` says that nobody ever changes the
 * lists; `failAll(make)`, `close()` and `counts`.
 * `settled()` is called when a push is answered, `failed(err)` if that was an error,
 * `beforeRpc(sid)` before each RPC.
 */
module.exports = function createDelivery(app, log, tools, beforeRpc) {
  const { failure, settled, failed, pushTimeout, fanOut } = tools;
  const lists =
    fanOut && fanOut.lists
      ? createLists(app, { rpc, plain, optionsOf, answered, isOpen })
      : undefined;
  const local = fanOut ? createLocalPush(app) : () => undefined;
  const counts = {
    pushes: 0,
    pushedFrontends: 0,
    failedUids: 0,
    get lists() {
      return lists ? lists.stats() : null;
    },
  };
  /** The pushes whose RPCs are not all answered, oldest first. */
  const pending = new Set();
  /** Of the oldest; one for all, because they all have the same time. */
  let timer;

  return { deliver, failAll, close, counts };

  function deliver(push, members, errors, isFixed) {
    try {
      send(push, members, errors, isFixed);
    } catch (err) {
      // A custom manager's list that is none.
      settle(push, failure(failures.INTERNAL, err, words(err)));
    }
  }

  function send(push, members, errors, isFixed) {
    const { sids } = push;
    const targets = [];
    for (let i = 0; i < sids.length; i += 1) {
      if (!errors[i] && members[i] && members[i].length > 0) {
        targets.push(makeTarget(push, sids[i], members[i], isFixed));
      }
    }
    const readError = errors.find(Boolean);
    if (targets.length === 0) {
      // With a failed read nobody knows whether there was somebody to push to.
      settle(push, readError);
      return;
    }
    // Looked up at each push: pomelo puts it there only when the app has started.
    if (typeof app.rpcInvoke !== 'function') {
      const why = ': app.rpcInvoke is not there yet, the app has not finished starting';
      settle(push, failure(failures.PUSH, readError, why));
      return;
    }
    push.targets = targets;
    push.open = targets.length;
    push.reached = 0;
    push.cause = undefined;
    // A frontend that has nobody in the channel, or was not asked, counts as 0.0.7 counted it.
    push.mustReachSomebody = Boolean(readError) || targets.length === sids.length;
    wait(push);
    for (const target of targets) {
      invoke(target);
    }
  }

  function invoke(target) {
    try {
      const here = local(target.sid);
      if (here) {
        const { push, uids } = target;
        const answer = (err, fails) => answered(target, err, fails);
        here(push.route, push.msg, uids.slice(), optionsOf(push), answer);
      } else if (lists) {
        lists.send(target);
      } else {
        plain(target);
      }
    } catch (err) {
      // A custom manager's list that does not let itself be copied.
      answered(target, err || new Error('app.rpcInvoke threw'));
    }
  }

  /** The push of the frameworks' own channels. */
  function plain(target) {
    const { push, sid, uids } = target;
    const msg = {
      namespace: 'sys',
      service: 'channelRemote',
      method: 'pushMessage',
      // A copy: `uids` are the failed ones if this fails, or a list that is kept for later,
      // and the receiver may do to its own what it likes.
      args: [push.route, push.msg, uids.slice(), optionsOf(push)],
    };
    rpc(sid, msg, (err, fails) => answered(target, err, fails));
  }

  /** `answer` may be called more than once, as `app.rpcInvoke` does. */
  function rpc(sid, msg, answer) {
    try {
      beforeRpc(sid);
      app.rpcInvoke(sid, msg, answer);
    } catch (err) {
      answer(err || new Error('app.rpcInvoke threw'));
    }
  }

  function isOpen({ push, answered }) {
    return !answered && pending.has(push);
  }

  /** What a frontend answered; the first answer counts. */
  function answered(target, err, fails) {
    const { push } = target;
    if (target.answered) {
      return;
    }
    target.answered = true;
    if (err) {
      log('error', `[pushMessage] fail to dispatch msg to ${target.sid}: ${words(err)}`);
      push.cause = push.cause || err;
      target.failed = target.uids;
    } else {
      push.reached += 1;
      target.failed = fails;
    }
    push.open -= 1;
    if (push.open === 0 && pending.delete(push)) {
      finish(push);
    }
  }

  function finish(push) {
    let uids;
    try {
      uids = missed(push);
    } catch (err) {
      // What a frontend answered is no list, and does not let itself be looked at.
      settle(push, failure(failures.INTERNAL, err, words(err)));
      return;
    }
    const nobody = push.reached === 0 && push.mustReachSomebody;
    settle(push, nobody ? failure(failures.PUSH, push.cause, null) : null, uids);
  }

  /** Whom a push did not reach, as far as is known. */
  function missed({ targets }) {
    return [].concat(...targets.map((target) => target.failed || []));
  }

  function settle(push, err, failedUids = []) {
    counts.pushes += 1;
    counts.pushedFrontends += push.reached || 0;
    counts.failedUids += failedUids.length;
    settled();
    if (err) {
      failed(err);
      callBack(push.callback, err);
    } else {
      callBack(push.callback, null, failedUids);
    }
  }

  function wait(push) {
    pending.add(push);
    if (pushTimeout > 0) {
      push.until = performance.now() + pushTimeout;
      if (timer === undefined) {
        setTimer(pushTimeout);
      }
    }
  }

  function setTimer(ms) {
    // Unreferenced: a service keeps its process alive itself, and must not after its stop.
    timer = setTimeout(expire, ms).unref();
  }

  /** The time of the oldest is over, or it was answered meanwhile. */
  function expire() {
    timer = undefined;
    const now = performance.now();
    for (const push of pending) {
      if (push.until > now) {
        setTimer(Math.ceil(push.until - now));
        return;
      }
      const late = new Error(`no answer from the frontend within ${pushTimeout} ms (pushTimeout)`);
      for (const target of push.targets) {
        if (!target.answered) {
          answered(target, late);
          lists?.expired(target);
        }
      }
    }
  }

  /** The service has ended: whoever still waits is answered with an error that `make` makes. */
  function failAll(make) {
    for (const push of pending) {
      pending.delete(push);
      settle(push, make());
    }
  }

  /** Nobody waits any more. */
  function close() {
    clearTimeout(timer);
    timer = undefined;
    lists?.close();
  }
};

/** The part of a push that goes to one frontend. `name`, `link`, `flight` and `tries` are of lists/. */
function makeTarget(push, sid, uids, isFixed) {
  return {
    push,
    sid,
    uids,
    isFixed,
    answered: false,
    failed: undefined,
    name: undefined,
    link: undefined,
    flight: undefined,
    tries: 0,
  };
}

/** What pomelo's own channels send: push schedulers read it. */
function optionsOf({ opts }) {
  return { type: 'push', userOptions: opts || {}, isPush: true };
}
