'use strict';

// What a pushing server knows of one frontend, and the order of what it sends there. The order needs
// care only when the frontend refuses a push, because it does not know a list: what was sent after
// that one is refused as well, and all of it is sent again before anything new. protocol.js says how.

const createKnown = require('./known');
const { isNotThere, isOurs, isRefusal, limits } = require('./protocol');

/** Whether the frontend takes names for lists. */
const UNKNOWN = 0;
const ASKED = 1;
const YES = 2;
const NO = 3;

/** How long a question may take, and how long after a failure it is asked again, in ms; then ever longer. */
const ASK_AGAIN = 10000;
const LONGER = 6;

/** A frontend that has forgotten lists gets as many as it had, but not less than this, in bytes. */
const LEAST = 64 << 10;

/** Of one process: what a frontend knows from an earlier link is never taken for a later one. */
let lastEpoch = 0;

/**
 * `transport` is `{ask(answer), call(token, epoch, parcel, list, answer), plain(parcel), answered(parcel, err, failed),
 * isOpen(parcel)}` to this frontend, where a *parcel* is the part of a push that goes there: `{uids, name, isFixed}`,
 * of which `name` is the channel's, or undefined if the list is short. `share()` is how many bytes the link may take;
 * `counts` is counted in.
 */
module.exports = function createLink(transport, share, counts) {
  let state = UNKNOWN;
  let askFrom = 0;
  let pause = ASK_AGAIN;
  let question = 0;
  let token = '';
  let epoch = ++lastEpoch;
  let budget = Infinity;
  let order = 0;
  /** Pushes to our remote without an answer, in their order. */
  const flying = new Set();
  /** While pushes are held back: those refused, then those made since. */
  let refused = [];
  let held;
  /** How many of those in flight have yet to be refused. */
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

  /** A long list was pushed as ever: the second time it is asked whether there is a better way. */
  function consider(name) {
    if (state === NO && askFrom === Infinity) {
      return;
    }
    if (!known.find(name)) {
      known.add(name);
    } else if (performance.now() >= askFrom) {
      ask();
    }
  }

  function ask() {
    const asked = ++question;
    state = ASKED;
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
        pause = ASK_AGAIN;
      } else {
        // A frontend without the remote says so; it may be about to start. Any other answer is none of ours.
        lacks(err ? pause : Infinity);
      }
    });
  }

  function lacks(ms) {
    state = NO;
    askFrom = performance.now() + ms;
    pause *= LONGER;
    known.clear();
  }

  function sendNamed(parcel) {
    const { name, uids } = parcel;
    const channel = name === undefined ? undefined : known.find(name);
    if (channel) {
      fly(parcel, known.describe(channel, uids, parcel.isFixed), channel);
      return;
    }
    if (name !== undefined) {
      known.add(name);
    }
    // What may have to wait for a refusal must not be overtaken: it goes the same way, with its uids.
    if (flying.size > 0) {
      fly(parcel, [0, uids.slice()]);
    } else {
      transport.plain(parcel);
    }
  }

  function fly(parcel, list, channel) {
    const flight = { parcel, channel, number: list[0], isNews: list.length > 1, epoch, order };
    order += 1;
    parcel.flight = flight;
    flying.add(flight);
    if (channel) {
      counts[list.length === 1 ? 'named' : list.length === 2 ? 'whole' : 'changed'] += 1;
    }
    transport.call(token, epoch, parcel, list, (err, answer) => landed(flight, err, answer));
  }

  function landed(flight, err, answer) {
    if (!flying.has(flight)) {
      return;
    }
    const { parcel } = flight;
    if (err && isNotThere(err)) {
      takeBack(flight, undefined);
    } else if (err) {
      land(flight);
      // It may have come, or not.
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

  /** Nothing more is expected of it. */
  function land(flight) {
    flying.delete(flight);
    if (held && flight.epoch < epoch && flight.order > refused[0].order) {
      doomed -= 1;
    }
  }

  function forget({ channel, number, isNews }) {
    if (channel && isNews) known.unknown(channel, number);
  }

  /** The frontend delivered nothing of it. */
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
      // Those after it were not held back.
      transport.answered(parcel, new Error('the frontend was started anew, or let go of the list'));
    }
  }

  function hold(flight, tokenNow) {
    flying.delete(flight);
    epoch = ++lastEpoch;
    refused = [flight];
    held = [];
    doomed = flying.size;
    // In order: those before this one were not refused.
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

  /** Its time is over; it must not be sent any more. */
  function expired({ flight }) {
    if (flight && flying.has(flight)) {
      land(flight);
      forget(flight);
      release();
    }
  }

  /** The frontend is gone, as the framework says. What is held back is sent as to one that we know nothing of. */
  function close() {
    state = NO;
    askFrom = Infinity;
    epoch = ++lastEpoch;
    known.clear();
    release(true);
  }
};
