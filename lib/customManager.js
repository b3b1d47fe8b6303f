'use strict';

// A store of the app's own (`channelManager`), made to look like one of ours from above: each
// operation is answered once and in time. Values pass through untouched, in both directions.

const { words } = require('./logger');
const { failures, methods } = require('./tables');

/** The manager that the options ask for, or nothing: then the store is ours. */
function of(app, opts, { failure }) {
  let manager = opts.channelManager;
  if (typeof manager === 'function') {
    manager = isConstructor(manager) ? new manager(app, opts) : opts.channelManager(app, opts);
  }
  if (manager && typeof manager.add !== 'function') {
    const shown = Array.isArray(manager)
      ? '[…]'
      : typeof manager === 'object'
        ? '{…}'
        : String(manager);
    const words = `option channelManager is ${shown}, without a method add; accepted is a ChannelManager`;
    throw failure(failures.OPTION, undefined, words);
  }
  return manager;
}

function isConstructor(given) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(given));
  return isClass || (given.prototype && typeof given.prototype.add === 'function');
}

/** Methods that a manager need not have: from whose answer theirs is made, and how. */
const DERIVED = {
  getCountBySid: { from: 'getMembersBySid', make: (members) => members.length },
};

/** Makes `execute(token, op, ...args)`. */
module.exports = function createCustomManager(manager, log, tools) {
  const { settle, failure, commandTimeout, startTimeout, drain } = tools;
  let pending = 0;
  let whenIdle;

  /** How a method is done, by its scope. */
  const SCOPES = {
    member: call,
    frontend: call,
    frontends: call,
    servers: () => (token, name, sids) => {
      readAll(name, sids, (lists, errors) => {
        const error = errors.find(Boolean);
        settle(token, error ? [error, null] : joined(lists));
      });
    },
    push: () => (token, name, sids) => {
      readAll(name, sids, (lists, errors) => settle(token, [lists, errors]));
    },
    store: (method) => optional(method, startTimeout),
  };

  const operations = {
    start: optional('start', startTimeout),
    stop(token, force) {
      const stop = () => {
        clearTimeout(timer);
        whenIdle = undefined;
        optional('stop', drain)(token, force);
      };
      const timer = pending > 0 ? setTimeout(stop, drain) : undefined;
      whenIdle = stop;
      if (pending === 0) {
        stop();
      }
    },
  };

  for (const [method, { scope }] of Object.entries(methods)) {
    operations[method] = SCOPES[scope](method);
  }

  return function execute(token, op, ...args) {
    operations[op](token, ...args);
  };

  function call(method) {
    return (token, ...args) => {
      if (method in DERIVED && typeof manager[method] !== 'function') {
        const { from, make } = DERIVED[method];
        ask(commandTimeout, from, args, (answer) => settle(token, derived(answer, make)));
        return;
      }
      ask(commandTimeout, method, args, (answer) => settle(token, answer));
    };
  }

  function derived([err, list], make) {
    const [failed, members] = err ? [err] : joined([list]);
    return failed ? [failed, undefined] : [null, make(members)];
  }

  /** start, stop and clean may be missing: then there is nothing to do. */
  function optional(method, limit) {
    return (token, ...args) => {
      const done = ([err]) => settle(token, [err === undefined ? null : err]);
      ask(limit, method, args, done, (answer) => process.nextTick(answer, null));
    };
  }

  /** The answer for all frontends together. A list may be none, and not let itself be looked at. */
  function joined(lists) {
    try {
      return [null, [].concat(...lists.map((list) => list || []))];
    } catch (err) {
      return [failure(failures.INTERNAL, err, words(err)), null];
    }
  }

  function readAll(name, sids, done) {
    const lists = [];
    const errors = [];
    let left = sids.length;
    sids.forEach((sid, i) => {
      ask(commandTimeout, 'getMembersBySid', [name, sid], ([err, list]) => {
        errors[i] = err;
        lists[i] = list;
        left -= 1;
        if (left === 0) {
          done(lists, errors);
        }
      });
    });
  }

  /**
   * Calls a method of the manager, or `missing` if there is none; `done` gets the arguments of the
   * answer, once.
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
      done(given);
      if (pending === 0 && whenIdle) {
        whenIdle();
      }
    };
    pending += 1;
    const kind = missing ? failures.UNREACHABLE : failures.TIMEOUT;
    const expire = () => answer(failure(kind, undefined, null));
    // Unreferenced: a service keeps its process alive itself, and must not after its stop.
    const timer = limit > 0 ? setTimeout(expire, limit).unref() : undefined;
    try {
      if (missing && typeof manager[method] !== 'function') {
        missing(answer);
      } else {
        manager[method](...args, answer);
      }
    } catch (err) {
      if (answered) {
        log('error', `channelManager.${method} threw after its answer: ${words(err)}`);
      }
      answer(err || new Error(`channelManager.${method} threw`));
    }
  }
};

module.exports.of = of;
