'use strict';

// Adapts a custom manager (option `channelManager`) to the interface of a built-in store: each operation is answered
// once, within its time limit. Arguments and results are passed on unchanged.

const { textOf } = require('./ids');
const { words } = require('./logger');
const { failures, methods } = require('./tables');

/** Returns the custom manager that the options name or create; undefined for a built-in store. */
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

/** Optional methods of a manager: the method that replaces a missing one, and how its answer is converted. */
const DERIVED = {
  getCountBySid: { from: 'getMembersBySid', make: (members) => members.length },
};

/** Makes `execute(token, op, …args)`, which the addon calls for each operation. */
module.exports = function createCustomManager(manager, log, tools) {
  const { settle, failure, meetSid, commandTimeout, startTimeout, drain } = tools;
  let pending = 0;
  let whenIdle;

  /** Executes a method, by its scope (src/binding/methods.rs). */
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
    const sidAt = methods[method].arguments.indexOf('sid');
    return (token, ...args) => {
      if (sidAt >= 0) {
        meetSid(textOf(args[sidAt]));
      }
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

  /** Calls start, stop or clean; a missing one counts as done. */
  function optional(method, limit) {
    return (token, ...args) => {
      const done = ([err]) => settle(token, [err === undefined ? null : err]);
      ask(limit, method, args, done, (answer) => process.nextTick(answer, null));
    };
  }

  /** Joins the answers for all frontends. What a manager gives as a list may be no array, or throw when it is read. */
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
      done(given);
      if (pending === 0 && whenIdle) {
        whenIdle();
      }
    };
    pending += 1;
    const kind = missing ? failures.UNREACHABLE : failures.TIMEOUT;
    const expire = () => answer(failure(kind, undefined, null));
    // Unreferenced: the service keeps the process alive itself until its stop, and must not do so afterwards.
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
