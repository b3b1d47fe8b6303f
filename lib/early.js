'use strict';

// Keeps the calls that an app makes before `start` is done, with option `waitForStart`. When they are kept, made or refused
// is decided in Rust (`src/binding/service/early.rs`).

const callBack = require('./callBack');
const { GlobalChannel } = require('./native');
const { plain, snapshot } = require('./snapshot');
const { methods } = require('./tables');

/** The methods as the addon defines them: a wrapper that an app has installed has run when the call was kept. */
const natives = Object.fromEntries(
  Object.keys(methods).map((method) => [method, GlobalChannel.prototype[method]]),
);

/** The service's own options of pushes (recipients.js). */
const OF_PUSHES = ['except', 'only', 'exceptChannels', 'sids', 'sid'];

/** Makes the host's functions for the calls of `channel`; `failed(err)` counts an error. */
module.exports = function createEarly(channel, failed) {
  let kept = [];
  let next = 0;

  return { keep, makeKept, refuseKept };

  /** Keeps a call. Arguments are copied, because the app may change them meanwhile. */
  function keep(method, ...args) {
    const { arguments: names } = methods[method];
    const isPush = names.includes('msg');
    const copied = (arg, i) => {
      // A message is the app's own: it is passed on as it is.
      if (names[i] === 'msg') return arg;
      if (names[i] === 'opts') return isPush ? optionsOfPush(arg) : plain(arg);
      return snapshot(arg);
    };
    kept.push([method, args.map(copied)]);
  }

  /** Makes the oldest call that is kept. */
  function makeKept() {
    const [method, args] = kept[next];
    kept[next] = undefined;
    next += 1;
    if (next === kept.length) {
      kept = [];
      next = 0;
    }
    try {
      natives[method].apply(channel, args);
    } catch (err) {
      // A getter of an argument or the app's look-up of servers threw, and the caller has returned.
      failed(err);
      callBack.failed(callbackOf(method, args), err, methods[method].shape);
    }
  }

  /** Answers all calls that are kept with an error. */
  function refuseKept(err) {
    const calls = kept.slice(next);
    kept = [];
    next = 0;
    for (const [method, args] of calls) {
      failed(err);
      callBack.failed(callbackOf(method, args), err, methods[method].shape);
    }
  }
};

/** Copies the options of a push if some of them are the service's own; those of the app alone are passed on as they are. */
function optionsOfPush(opts) {
  const copy = plain(opts);
  if (copy === opts || !OF_PUSHES.some((key) => key in copy)) return opts;
  for (const key of OF_PUSHES) {
    if (key in copy) copy[key] = snapshot(copy[key]);
  }
  return copy;
}

/** Returns the callback: the last function, wherever arguments were left out; not a message that is one. */
function callbackOf(method, args) {
  const { arguments: names } = methods[method];
  return args.filter((arg, i) => typeof arg === 'function' && names[i] !== 'msg').pop();
}
