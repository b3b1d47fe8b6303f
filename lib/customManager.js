'use strict';

// Adapts a custom manager (option `channelManager`) to the interface of a built-in store: each operation is answered
// once, within its time limit. Arguments and results are passed on unchanged.

const bySid = require('./bySid');
const { words } = require('./logger');
const { failures, methods, shapes } = require('./tables');

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

/** Each name on each frontend, name by name. */
function pairs(names, sids) {
  return names.flatMap((name) => sids.map((sid) => [name, sid]));
}

function isConstructor(given) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(given));
  return isClass || (given.prototype && typeof given.prototype.add === 'function');
}

/**
 * Optional methods of a manager: the method that replaces a missing one, what of the arguments it is called with, and how
 * its answer is converted.
 */
const DERIVED = {
  getCountBySid: {
    from: 'getMembersBySid',
    args: ([name, sid]) => [name, sid],
    make: (members) => members.length,
  },
  isMember: {
    from: 'getMembersBySid',
    args: ([name, , sid]) => [name, sid],
    make: (members, [, uid]) => members.map(String).includes(String(uid)),
  },
};

/** Makes `execute(token, op, …args)`, which the addon calls for each operation. */
module.exports = function createCustomManager(manager, log, tools) {
  const { settle, failure, commandTimeout, startTimeout, drain } = tools;
  let pending = 0;
  let whenIdle;

  /** Executes a method, by its scope (src/binding/methods.rs). */
  const SCOPES = {
    member: (method) => (methods[method].value ? call(method) : callEach(method)),
    frontend: call,
    frontends: callEach,
    many: only,
    servers: (method) => (token, name, sids) => {
      const { value, shape } = methods[method];
      const [read, join] = value === 'int' ? ['getCountBySid', sum] : ['getMembersBySid', joined];
      askAll(read, pairs([name], sids), (answers, errors) => {
        const error = errors.find(Boolean);
        settle(token, error ? [error, shape === shapes.NULL ? null : undefined] : join(answers));
      });
    },
    groups: () => (token, given, sids) => {
      const names = Array.isArray(given) ? given : undefined;
      askAll('getMembersBySid', pairs(names || [given], sids), (lists, errors) => {
        const error = errors.find(Boolean);
        const make = () =>
          bySid(
            names,
            sids,
            lists.map((list) => [].concat(list || [])),
          );
        settle(token, error ? [error, undefined] : made(make, undefined));
      });
    },
    push: () => (token, name, sids) => {
      askAll('getMembersBySid', pairs([name], sids), (lists, errors) =>
        settle(token, [lists, errors]),
      );
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
    try {
      operations[op](token, ...args);
    } catch (err) {
      // An argument that throws when it is read.
      settle(token, [failure(failures.INTERNAL, err, words(err))]);
    }
  };

  function call(method) {
    return (token, ...args) => one(method, args, (answer) => settle(token, answer));
  }

  /** Calls a method that no other one of a manager can replace. */
  function only(method) {
    return (token, ...args) => {
      if (typeof manager[method] === 'function') {
        one(method, args, (answer) => settle(token, answer));
      } else {
        settle(token, [failure(failures.UNSUPPORTED, undefined, method), undefined]);
      }
    };
  }

  /** Calls a method for each channel: for a manager a name is one name. */
  function callEach(method) {
    return (token, names, ...rest) => {
      if (!Array.isArray(names)) {
        one(method, [names, ...rest], (answer) => settle(token, answer));
        return;
      }
      const calls = Array.from(names, (name) => [name, ...rest]);
      askAll(method, calls, (answers, errors) => settle(token, [errors.find(Boolean) || null]));
    };
  }

  /** Calls a method of the manager, or the one that replaces it. */
  function one(method, args, done) {
    if (!(method in DERIVED) || typeof manager[method] === 'function') {
      ask(commandTimeout, method, args, done);
      return;
    }
    const { from, args: of, make } = DERIVED[method];
    ask(commandTimeout, from, of(args), ([err, list]) => {
      done(err ? [err, undefined] : made(() => make([].concat(list || []), args), undefined));
    });
  }

  /** Returns an answer that is made of a manager's; what that gave may throw when it is read. */
  function made(make, otherwise) {
    try {
      return [null, make()];
    } catch (err) {
      return [failure(failures.INTERNAL, err, words(err)), otherwise];
    }
  }

  function sum(counts) {
    return [null, counts.reduce((sum, count) => sum + Number(count || 0), 0)];
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
    return made(() => [].concat(...lists.map((list) => list || [])), null);
  }

  /** Calls a method with each of these arguments: answers and errors, in their order. */
  function askAll(method, calls, done) {
    const answers = [];
    const errors = [];
    let left = calls.length;
    if (left === 0) {
      done(answers, errors);
    }
    calls.forEach((args, i) => {
      one(method, args, ([err, answer]) => {
        errors[i] = err;
        answers[i] = answer;
        left -= 1;
        if (left === 0) {
          done(answers, errors);
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
