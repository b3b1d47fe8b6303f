'use strict';

// Adapts a custom manager (option `channelManager`) to the interface of a built-in store: each operation is answered
// once, by a callback or a promise (managerAnswers.js), within its time limit. Arguments and results are passed on
// unchanged.

const { textOf } = require('./ids');
const { words } = require('./logger');
const { unite } = require('./recipients');
const { fault, follow } = require('./managerAnswers');
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
  const { settle, failure, meetSid } = tools;
  const COMMAND = limitOf('commandTimeout');
  const START = limitOf('startTimeout');
  const DRAIN = { ms: tools.drain, option: 'the time of stop' };
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
    push: () => (token, name, sids, except) => {
      if (!Array.isArray(name) && !except) {
        readAll(name, sids, (lists, errors) => settle(token, [lists, errors]));
        return;
      }
      const names = [].concat(name);
      const all = names.concat(except || []);
      readEach(all, sids, (lists, errors) =>
        settle(token, united(lists, errors, names.length, all.length)),
      );
    },
    store: (method) => optional(method, START),
  };

  const operations = {
    start: optional('start', START),
    stop(token, force) {
      const stop = () => {
        clearTimeout(timer);
        whenIdle = undefined;
        optional('stop', DRAIN)(token, force);
      };
      const timer = pending > 0 ? setTimeout(stop, DRAIN.ms) : undefined;
      whenIdle = stop;
      if (pending === 0) {
        stop();
      }
    },
  };

  for (const [method, { scope }] of Object.entries(methods)) {
    // Others do not need the manager.
    if (scope in SCOPES) operations[method] = SCOPES[scope](method);
  }

  return function execute(token, op, ...args) {
    operations[op](token, ...args);
  };

  function limitOf(option) {
    return { ms: tools[option], option };
  }

  function call(method) {
    const sidAt = methods[method].arguments.indexOf('sid');
    return (token, ...args) => {
      if (sidAt >= 0) {
        meetSid(textOf(args[sidAt]));
      }
      if (method in DERIVED && typeof manager[method] !== 'function') {
        const { from, make } = DERIVED[method];
        ask(COMMAND, from, args, (answer) => settle(token, derived(answer, make)));
        return;
      }
      ask(COMMAND, method, args, (answer) => settle(token, answer));
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
    readEach([name], sids, done);
  }

  /** Reads all channels on all frontends: those of the first frontend, then those of the next one. */
  function readEach(names, sids, done) {
    const lists = [];
    const errors = [];
    const asked = sids.flatMap((sid) => names.map((name) => [name, sid]));
    let left = asked.length;
    if (left === 0) done(lists, errors);
    asked.forEach((args, i) => {
      ask(COMMAND, 'getMembersBySid', args, ([err, list]) => {
        errors[i] = err;
        lists[i] = list;
        left -= 1;
        if (left === 0) {
          done(lists, errors);
        }
      });
    });
  }

  /** Combines the lists of each frontend: `count` of `size` channels are united, the others left out. */
  function united(lists, errors, count, size) {
    const answer = [[], []];
    for (let at = 0; at < lists.length; at += size) {
      const error = errors.slice(at, at + size).find(Boolean);
      const group = lists.slice(at, at + size);
      try {
        answer[0].push(error ? undefined : unite(group.slice(0, count), group.slice(count)));
        answer[1].push(error);
      } catch (err) {
        answer[0].push(undefined);
        answer[1].push(failure(failures.INTERNAL, err, words(err)));
      }
    }
    return answer;
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

module.exports.of = of;
