'use strict';

// The pushing server's end for one frontend: whether it takes numbers in place of lists, which lists it has, and the
// order of pushes to it. If the frontend refuses a push because it does not have a list, it refuses all later ones too,
// and all of them are sent again before new ones. The protocol is described in protocol.js.

const { uidsOf } = require('../recipients');
const createKnown = require('./known');
const { isNotThere, isOurs, isRefusal, limits } = require('./protocol');

/** States: whether the frontend takes names for lists. */
const UNKNOWN = 0;
const ASKED = 1;
const YES = 2;
const NO = 3;

/** The pause after a failed `hello` (`limits.askAgainMs`) grows by this factor with each failure. */
const LONGER = 6;

/** The least budget for lists, in bytes, of a frontend that has dropped lists. */
const LEAST = 64 << 10;

/** Epochs are unique in the process, so that a frontend never gets the same one twice. */
let lastEpoch = 0;

/**
 * Makes the pushing server's end for one frontend. `transport` is `{ask(answer), call(token, epoch, parcel, list,
 * answer), plain(parcel), answered(parcel, err, failed), isOpen(parcel)}`, where a *parcel* is the part of a push for
 * this frontend: `{list, gone, name}`; `name` is the channel's, or undefined if the list is short. `share()` returns
 * how many bytes its lists may take here; `counts` are the counters of `stats().lists`.
 */
module.exports = function createLink(transport, share, counts) {
  let state = UNKNOWN;
  let askFrom = 0;
  let pause = limits.askAgainMs;
  let question = 0;
  let token = '';
  let epoch = ++lastEpoch;
  let budget = Infinity;
  let order = 0;
  /** Unanswered pushes to our remote, in the order in which they were sent. */
  const flying = new Set();
  /** While pushes are held back: the refused ones, and those made since (otherwise undefined). */
  let refused = [];
  let held;
  /** How many of the pushes in flight are expected to be refused. */
  let doomed = 0;
  let timer;
  const known = createKnown(() => Math.min(budget, share()));

  return {
    send,
    expired,
    close,
    isIdle: () => flying.size === 0 && !held,
    takesNames: () => state === YES,
    bytes: known.bytes,
  };

  function send(parcel) {
    if (held) {
      held.push(parcel);
    } else if (state === YES) {
      sendNamed(parcel);
    } else {
      transport.plain(parcel);
      if (parcel.name !== undefined) consider(parcel.name);
    }
  }

  /**
   * Called after a long list was sent with the framework's RPC: asks at the second push whether the frontend takes
   * names.
   */
  function consider(name) {
    // First, because most pushes to a frontend without names end here.
    if (askFrom === Infinity || performance.now() < askFrom) {
      return;
    }
    if (known.find(name)) {
      ask();
    } else {
      known.add(name);
    }
  }

  function ask() {
    const asked = ++question;
    state = ASKED;
    // In case there is no answer.
    askFrom = performance.now() + 3 * pause;
    counts.asked += 1;
    transport.ask((err, answer) => {
      if (asked !== question || state !== ASKED) {
        return;
      }
      if (!err && isOurs(answer) && typeof answer.token === 'string' && answer.maxBytes > 0) {
        state = YES;
        token = answer.token;
        budget = answer.maxBytes;
        pause = limits.askAgainMs;
      } else {
        // An error: no such remote. A refusal: another version. Both may change, for the server may be started anew under
        // its id. Any other answer comes from a stub or wrapper, so never ask again.
        lacks(err || isRefusal(answer) ? pause : Infinity);
      }
    });
  }

  /** Ends the names for this frontend; it is asked again after `ms` at the earliest. */
  function lacks(ms) {
    state = NO;
    askFrom = performance.now() + ms;
    pause *= LONGER;
    known.clear();
  }

  function sendNamed(parcel) {
    const { name, list } = parcel;
    const channel = name === undefined ? undefined : known.find(name);
    if (channel) {
      fly(parcel, known.describe(channel, parcel), channel);
      return;
    }
    if (list === undefined) {
      // A broadcast, for which our remote has no method.
      transport.plain(parcel);
      return;
    }
    if (name !== undefined) {
      known.add(name);
    }
    // A push in flight may be refused and sent again: to keep the order, this one goes by our remote too, with its
    // uids.
    if (flying.size > 0) {
      fly(parcel, { kind: 'whole', args: [0, uidsOf(parcel)] });
    } else {
      transport.plain(parcel);
    }
  }

  /** Sends a push by our remote. */
  function fly(parcel, { kind, args }, channel) {
    const flight = { parcel, channel, number: args[0], isNews: kind !== 'named', epoch, order };
    order += 1;
    parcel.flight = flight;
    flying.add(flight);
    if (channel) {
      counts[kind] += 1;
    }
    transport.call(token, epoch, parcel, args, (err, answer) => landed(flight, err, answer));
  }

  /** Handles the answer to a push. */
  function landed(flight, err, answer) {
    if (!flying.has(flight)) {
      return;
    }
    const { parcel } = flight;
    if (err && isNotThere(err)) {
      takeBack(flight, undefined);
    } else if (err) {
      land(flight);
      // Whether the frontend has received it is unknown.
      forget(flight);
      transport.answered(parcel, err);
    } else if (isRefusal(answer)) {
      // One of another version has no token that means anything here.
      takeBack(flight, isOurs(answer) ? answer.token : undefined);
    } else {
      land(flight);
      if (!isOurs(answer)) lacks(Infinity);
      transport.answered(parcel, null, isOurs(answer) ? answer.failed : answer);
    }
    release();
  }

  /** Removes a push from those in flight. */
  function land(flight) {
    flying.delete(flight);
    if (held && flight.epoch < epoch && flight.order > refused[0].order) {
      doomed -= 1;
    }
  }

  function forget({ channel, number, isNews }) {
    if (channel && isNews) known.unknown(channel, number);
  }

  /** Handles a refusal: the frontend delivered the push to no session. */
  function takeBack(flight, tokenNow) {
    const { parcel } = flight;
    counts.refused += 1;
    if (flight.epoch === epoch) {
      hold(flight, tokenNow);
      return;
    }
    land(flight);
    if (held) {
      refused.push(flight);
    } else {
      // Later pushes were not held back, so that sending it again would change the order.
      transport.answered(parcel, new Error('the frontend was restarted, or dropped the list'));
    }
  }

  /** Begins a new epoch, and holds pushes back until those in flight are answered. */
  function hold(flight, tokenNow) {
    flying.delete(flight);
    epoch = ++lastEpoch;
    refused = [flight];
    held = [];
    doomed = flying.size;
    // Those sent before this one are not refused; they come first in the set.
    for (const each of flying) {
      if (each.order > flight.order) break;
      doomed -= 1;
    }
    timer = setTimeout(release, limits.holdMs, true).unref();
    flight.parcel.tries += 1;
    if (tokenNow === undefined || flight.parcel.tries > 2) {
      lacks(pause);
    } else if (tokenNow !== token) {
      token = tokenNow;
      budget = Infinity;
      known.unknownAll();
    } else {
      budget = Math.max(LEAST, known.bytes() / 2);
      known.unknownAll();
    }
  }

  /** Sends what is held back, once all expected refusals have arrived or, with `isLate`, in any case. */
  function release(isLate) {
    if (!held || (doomed > 0 && !isLate)) {
      return;
    }
    clearTimeout(timer);
    const parcels = refused.sort((one, other) => one.order - other.order);
    const all = [...parcels.map(({ parcel }) => parcel), ...held];
    refused = [];
    held = undefined;
    for (const parcel of all) {
      parcel.flight = undefined;
      if (transport.isOpen(parcel)) sendSafely(parcel);
    }
  }

  /** A custom manager's list may not let itself be copied; that must not affect the others. */
  function sendSafely(parcel) {
    try {
      send(parcel);
    } catch (err) {
      transport.answered(parcel, err);
    }
  }

  /** Gives up a push whose time limit has passed: it is not sent again. */
  function expired({ flight }) {
    if (flight && flying.has(flight)) {
      land(flight);
      forget(flight);
      release();
    }
  }

  /**
   * Ends the names because the framework says that the frontend is gone. Pushes held back are sent by the framework's
   * RPC.
   */
  function close() {
    state = NO;
    askFrom = Infinity;
    epoch = ++lastEpoch;
    known.clear();
    release(true);
  }
};
