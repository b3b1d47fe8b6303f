'use strict';

// Calls the methods of a custom manager: each call is answered once, by a callback or a promise (managerAnswers.js), within
// its time limit. Which methods are called is decided in customManager.js.

const { words } = require('./logger');
const { fault, follow } = require('./managerAnswers');
const { failures } = require('./tables');

/** Makes `{ask, afterCalls}`. */
module.exports = function createCalls(manager, log, failure) {
  let pending = 0;
  let whenIdle;

  return { ask, afterCalls };

  /** Calls `then` when no call is unanswered, or after `ms`. */
  function afterCalls(ms, then) {
    const stop = () => {
      clearTimeout(timer);
      whenIdle = undefined;
      then();
    };
    const timer = pending > 0 ? setTimeout(stop, ms) : undefined;
    whenIdle = stop;
    if (pending === 0) {
      stop();
    }
  }

  /**
   * Calls a method of the manager, or `missing` if it has none; calls `done` exactly once, with the arguments of the
   * answer.
   */
  function ask(limit, method, args, done, missing) {
    let answered = false;
    const answer = (...given) => {
      if (answered) {
        return;
      }
      answered = true;
      clearTimeout(timer);
      pending -= 1;
      const wrong = given[0] ? undefined : fault(method, given[1]);
      done(wrong === undefined ? given : [failure(failures.ANSWER, undefined, wrong), undefined]);
      if (pending === 0 && whenIdle) {
        whenIdle();
      }
    };
    pending += 1;
    const kind = missing ? failures.UNREACHABLE : failures.TIMEOUT;
    const late = `channelManager.${method} did not call back within ${limit.ms} ms (${limit.option})`;
    const expire = () => answer(failure(kind, undefined, late));
    // Unreferenced: the service keeps the process alive itself until its stop, and must not do so afterwards.
    const timer = limit.ms > 0 ? setTimeout(expire, limit.ms).unref() : undefined;
    const refuse = (err, what) => {
      if (answered) {
        log('error', `channelManager.${method} ${what} after its answer: ${words(err)}`);
      }
      answer(err || new Error(`channelManager.${method} ${what}`));
    };
    try {
      const found = manager[method];
      if (missing && typeof found !== 'function') {
        missing(answer);
      } else {
        const declaresCallback = typeof found === 'function' && found.length > args.length;
        const returned = manager[method](...args, answer);
        follow(returned, { method, declaresCallback }, answer, (err) =>
          refuse(err, 'was rejected'),
        );
      }
    } catch (err) {
      refuse(err, 'threw');
    }
  }
};
