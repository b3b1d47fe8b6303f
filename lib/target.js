'use strict';

// The part of a push that goes to one frontend, a *target*: its record, the RPC that the frameworks' own channels make of it,
// and whom it missed if that fails.

const { uidsOf } = require('./recipients');

/**
 * Makes the part of a push that goes to one frontend: to the users of a list but those at the places `gone`, if any.
 * `name`, `link`, `flight` and `tries` are used by lists/.
 */
function makeTarget(push, sid, list, gone) {
  return {
    push,
    sid,
    list,
    gone,
    isLocal: false,
    answered: false,
    isLost: false,
    failed: undefined,
    name: undefined,
    link: undefined,
    flight: undefined,
    tries: 0,
  };
}

/** Returns the users of a frontend that a push did not reach; of a broadcast, the frontend. */
function lost({ push, sid, list, gone }) {
  if (push.isBroadcast) return [sid];
  return gone ? uidsOf({ list, gone }) : list.uids;
}

/** Returns the method of the frameworks' remote that takes the push, and its arguments. */
function request(target) {
  const { push } = target;
  const { route, msg } = push;
  return push.isBroadcast
    ? { method: 'broadcast', args: [route, msg, optionsOf(push)] }
    : { method: 'pushMessage', args: [route, msg, uidsOf(target), optionsOf(push)] };
}

/** Returns the options that the frameworks' own channels send; push schedulers read them. */
function optionsOf({ opts, isBroadcast }) {
  const userOptions = opts || {};
  if (!isBroadcast) {
    return { type: 'push', userOptions, isPush: true };
  }
  const { binded, filterParam } = userOptions;
  return { type: 'broadcast', userOptions, isBroadcast: true, binded, filterParam };
}

module.exports = { lost, makeTarget, optionsOf, request };
