'use strict';

// Keeps the calls that an app makes before `start` is done, with option `waitForStart`. When they are kept, made or refused
// is decided in Rust (`src/binding/service/early.rs`).

const callBack = require('./callBack');
const { GlobalChannel } = require('./native');
const { methods } = require('./tables');

/** The methods as the addon defines them: a wrapper that an app has installed has run when the call was kept. */
const natives = Object.fromEntries(
  Object.keys(methods).map((method) => [method, GlobalChannel.prototype[method]]),
);

/** The app's own objects, which are passed on as they are. */
const PASSED_ON = ['msg', 'opts'];

/** Makes the host's functions for the calls of `channel`; `failed(err)` counts an error. */
module.exports = function createEarly(channel, failed) {
  let kept = [];
  let next = 0;

  return { keep, makeKept, refuseKept };

  /** Keeps a call. An array of uids, or a Buffer, is copied, because the app may change it meanwhile. */
  function keep(method, ...args) {
    const { arguments: names } = methods[method];
    const copies = args.map((arg, i) => (PASSED_ON.includes(names[i]) ? arg : copied(arg)));
    kept.push([method, copies]);
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

/** Returns the callback: the last function, wherever arguments were left out; not a message that is one. */
function callbackOf(method, args) {
  const { arguments: names } = methods[method];
  return args.filter((arg, i) => typeof arg === 'function' && names[i] !== 'msg').pop();
}

function copied(arg) {
  // Of `members` also the elements.
  if (Array.isArray(arg)) return arg.map((each) => (isPlain(each) ? { ...each } : each));
  return arg instanceof Uint8Array ? Buffer.from(arg) : arg;
}

function isPlain(value) {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}
