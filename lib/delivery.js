'use strict';

// Delivers pushes: makes one RPC to each frontend that has members, and collects the results. Each RPC counts once,
// within `pushTimeout`, whatever `app.rpcInvoke` does, and the members that it did not reach are reported. Frontends that
// leave the cluster meanwhile are not waited for (departures.js). The member lists come from the addon by way of
// answers.js; names for long lists are in lists/.

const callBack = require('./callBack');
const createDepartures = require('./departures');
const createLists = require('./lists/naming');
const createLocalPush = require('./localPush');
const { words } = require('./logger');
const { lengthOf, select, selectedOf } = require('./recipients');
const { failures } = require('./tables');
const { lost, makeTarget, optionsOf, request } = require('./target');

/**
 * Makes `{deliver(push, lists, errors), failAll(make), close(), counts}`. A `push` is one of push.js, with a MemberList or an
 * error for each of its `sids`; `errors` may be undefined. A broadcast has no lists. Of `tools`, `settled()` is called when a
 * push is answered, and `failed(err)` if that was an error. `beforeRpc(sid)` is called before each RPC.
 */
module.exports = function createDelivery(app, log, tools, beforeRpc) {
  const { failure, settled, failed, pushTimeout, fanOut } = tools;
  const names =
    fanOut && fanOut.lists
      ? createLists(app, { rpc, plain, optionsOf, answered, isOpen })
      : undefined;
  const local = fanOut ? createLocalPush(app) : () => undefined;
  const departures = createDepartures(app, awaited, giveUp);
  const counts = {
    pushes: 0,
    pushedFrontends: 0,
    failedUids: 0,
    rpcs: { answered: 0, failed: 0, timedOut: 0, departed: 0 },
    get lists() {
      return names ? names.stats() : null;
    },
  };
  /** Pushes with unanswered RPCs, oldest first. */
  const pending = new Set();
  /** The timer of the oldest push. One is enough, because all have the same time limit. */
  let timer;

  return { deliver, failAll, close, counts };

  function deliver(push, lists, errors) {
    try {
      send(push, lists, errors);
    } catch (err) {
      // A custom manager gave a list that throws when it is read.
      settle(push, failure(failures.INTERNAL, err, words(err)));
    }
  }

  function send(push, lists, errors) {
    const { sids, selection } = push;
    const targets = [];
    const unreachable = push.offline ? [...selectedOf(push.offline, selection)] : [];
    for (let i = 0; i < sids.length; i += 1) {
      const list = lists[i];
      if (push.isBroadcast) {
        targets.push(makeTarget(push, sids[i], undefined, undefined));
      } else if (list && !errors?.[i] && list.all.length > 0) {
        if (list.poison) unreachable.push(...selectedOf(list.poison, selection));
        const part = selection ? select(list, selection) : { list, gone: undefined };
        if (lengthOf(part) > 0) targets.push(makeTarget(push, sids[i], part.list, part.gone));
      }
    }
    const readError = errors?.find(Boolean);
    if (targets.length === 0) {
      // If a read failed, it is unknown whether there were members to push to.
      settle(push, readError, unreachable);
      return;
    }
    // Looked up at each push, because pomelo sets it only when the app has started.
    if (typeof app.rpcInvoke !== 'function') {
      const why = ': app.rpcInvoke is not there yet, the app has not finished starting';
      settle(push, failure(failures.PUSH, readError, why));
      return;
    }
    push.targets = targets;
    push.unreachable = unreachable;
    push.open = targets.length;
    // As in 0.0.7: that no frontend was reached is an error only if each has members, or if a read failed.
    push.mustReachSomebody = Boolean(readError) || targets.length === sids.length;
    wait(push);
    for (const target of targets) {
      departures.expect(target.sid);
      invoke(target);
    }
  }

  function invoke(target) {
    try {
      const here = local(target.sid);
      if (here) {
        target.isLocal = true;
        const { method, args } = request(target);
        here(method, args, (err, fails) => answered(target, err, fails));
      } else if (names) {
        names.send(target);
      } else {
        plain(target);
      }
    } catch (err) {
      // A custom manager gave a list that throws when it is copied.
      answered(target, err || new Error('app.rpcInvoke threw'));
    }
  }

  /** Makes the RPC that the frameworks' own channels make. */
  function plain(target) {
    const { method, args } = request(target);
    const msg = { namespace: 'sys', service: 'channelRemote', method, args };
    rpc(target.sid, msg, (err, fails) => answered(target, err, fails));
  }

  /** Calls `app.rpcInvoke`, which may call `answer` more than once; what it throws is passed to `answer`. */
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

  /** Records the result of an RPC. Only the first one counts; `result` is its counter in `rpcs`. */
  function answered(target, err, fails, result = err ? 'failed' : 'answered') {
    const { push } = target;
    if (target.answered) {
      return;
    }
    target.answered = true;
    counts.rpcs[result] += 1;
    if (err) {
      const method = push.isBroadcast ? 'broadcast' : 'pushMessage';
      log('error', `[${method}] fail to dispatch msg to ${target.sid}: ${words(err)}`);
      push.cause = push.cause || err;
      target.isLost = true;
    } else {
      push.reached += 1;
      target.failed = push.isBroadcast ? undefined : fails;
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
      // A frontend's answer is no array, and throws when it is read.
      settle(push, failure(failures.INTERNAL, err, words(err)));
      return;
    }
    const hasFailed = push.reached === 0 && push.mustReachSomebody;
    settle(push, hasFailed ? failure(failures.PUSH, push.cause, null) : null, uids);
  }

  /** Returns the uids that a push is known not to have reached; the frontends if it was to all sessions. */
  function missed({ targets, unreachable }) {
    let all = unreachable;
    for (const target of targets) {
      const failed = target.isLost ? lost(target) : target.failed;
      if (failed && !isEmpty(failed)) all = all.concat(failed);
    }
    return all;
  }

  function settle(push, err, failedUids = []) {
    counts.pushes += 1;
    counts.pushedFrontends += push.reached;
    counts.failedUids += failedUids.length;
    const { callback } = push;
    drop(push);
    settled();
    if (err) {
      failed(err);
      callBack(callback, err);
    } else {
      callBack(callback, null, failedUids);
    }
  }

  /**
   * Drops what a push that is over holds. A Set leaves its old tables behind, each with what was in it and a link to the next one:
   * once one of them is in the old generation, a minor collection takes all that they hold for alive, and copies it.
   */
  function drop(push) {
    const { targets = [] } = push;
    push.targets = undefined;
    push.callback = undefined;
    // After a forced stop some may still be sent.
    if (!targets.every(({ answered: isDone }) => isDone)) return;
    push.msg = undefined;
    push.opts = undefined;
    push.selection = undefined;
    for (const target of targets) {
      target.list = undefined;
      target.gone = undefined;
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
    // Unreferenced: the service keeps the process alive itself until its stop, and must not do so afterwards.
    timer = setTimeout(expire, ms).unref();
  }

  /** Fails the RPCs whose time is over, and sets the timer for the next push. */
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
          abandon(target, late, 'timedOut');
        }
      }
    }
  }

  /** Fails an RPC whose answer will not be waited for any more. */
  function abandon(target, err, result) {
    answered(target, err, undefined, result);
    names?.expired(target);
  }

  /** Returns the parts of pushes that other servers have not answered. */
  function* unanswered() {
    for (const push of pending) {
      yield* push.targets.filter((target) => !target.answered && !target.isLocal);
    }
  }

  function awaited() {
    return new Set(Array.from(unanswered(), ({ sid }) => sid));
  }

  /** Fails the RPCs to a server that has left the cluster. */
  function giveUp(sid) {
    const err = new Error('the frontend has left the cluster (remove_servers)');
    // A copy: a callback may push again.
    for (const target of [...unanswered()].filter((each) => each.sid === sid)) {
      abandon(target, err, 'departed');
    }
  }

  /** Answers all pending pushes with an error that `make` makes, because the service has ended. */
  function failAll(make) {
    for (const push of pending) {
      pending.delete(push);
      settle(push, make());
    }
  }

  /** Releases the timer and the names for lists, when no push is pending any more. */
  function close() {
    clearTimeout(timer);
    timer = undefined;
    departures.close();
    names?.close();
  }
};

const isEmpty = (value) => Array.isArray(value) && value.length === 0;
