'use strict';

// Adapts a custom manager (option `channelManager`) to the interface of a built-in store: which of its methods are called
// for an operation, and what is made of their answers. Each call is answered once, within its time limit
// (managerCalls.js). Arguments and results are passed on unchanged, but options as a copy: a manager may read them when the
// app has changed its own object. For the same reason nothing here reads an argument after the manager was called.

const bySid = require('./bySid');
const { textOf, textOfMember } = require('./ids');
const { words } = require('./logger');
const createCalls = require('./managerCalls');
const { unite } = require('./recipients');
const { plain } = require('./snapshot');
const { failures, methods, shapes } = require('./tables');

/** Each name on each frontend, name by name. */
function pairs(names, sids) {
  return names.flatMap((name) => sids.map((sid) => [name, sid]));
}

/**
 * Optional methods of a manager: the method that replaces a missing one, what of the arguments it is called with, and how
 * its answer is converted, with what was read of the arguments before.
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
    make: (members, uid) => members.map(textOfMember).includes(uid),
    read: ([, uid]) => textOfMember(uid),
  },
  scanMembers: {
    from: 'getMembersBySid',
    args: ([name, sid]) => [name, sid],
    // All of them on one page, whatever the limit.
    make: (members) => ({ members, cursor: null }),
  },
};

/** The options of a removal on all frontends; a getter of the app's may answer otherwise when it is read again. */
function readOnce(opts) {
  return { ...plain(opts), everywhere: true };
}

/** Makes `execute(token, op, …args)`, which the addon calls for each operation. */
module.exports = function createCustomManager(manager, log, tools) {
  const { settle, failure, meetSid } = tools;
  const COMMAND = limitOf('commandTimeout');
  const START = limitOf('startTimeout');
  const DRAIN = { ms: tools.drain, option: 'the time of stop' };
  const { ask, afterCalls } = createCalls(manager, log, failure);

  /** Executes a method, by its scope (src/binding/methods.rs). */
  const SCOPES = {
    // With `null` for the sid on all frontends; but none is added there.
    member: (method) => {
      const here = methods[method].value ? call(method) : callEach(method);
      return method === 'add'
        ? here
        : (token, name, uid, sid) => {
            if (sid === null) everywhere(method, here)(token, name, uid, sid);
            else here(token, name, uid, sid);
          };
    },
    frontend: call,
    frontends: (method) => (token, names, opts) => {
      const each = callEach(method);
      // With it the service has read `everywhere` as true.
      if (opts !== undefined) everywhere(method, each)(token, names, readOnce(opts));
      else if (manager.everywhere === true) each(token, names, { everywhere: false });
      else each(token, names);
    },
    many: only,
    memberPage: (method) => (token, name, sid, opts) => call(method)(token, name, sid, plain(opts)),
    channelPage: (method) => (token, opts) => only(method)(token, plain(opts)),
    servers: (method) => (token, name, sids) => {
      if (sids === null) {
        everywhere(method, call(method))(token, name, sids);
        return;
      }
      const { value, shape } = methods[method];
      const [read, join] = value === 'int' ? ['getCountBySid', sum] : ['getMembersBySid', joined];
      askAll(read, pairs([name], sids), (answers, errors) => {
        const error = errors.find(Boolean);
        settle(token, error ? [error, shape === shapes.NULL ? null : undefined] : join(answers));
      });
    },
    groups: () => (token, given, sids) => {
      const names = Array.isArray(given) ? Array.from(given) : undefined;
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
    push: () => (token, given, sids, except) => {
      // Not given, `exceptChannels` is undefined; 0 and '' are channels.
      const isOne = !Array.isArray(given) && except === undefined;
      const names = [].concat(given);
      const all = names.concat(except === undefined ? [] : except);
      // Frontend by frontend.
      const asked = sids.flatMap((sid) => all.map((name) => [name, sid]));
      askAll('getMembersBySid', asked, (lists, errors) =>
        settle(token, isOne ? [lists, errors] : united(lists, errors, names.length, all.length)),
      );
    },
    store: (method) => optional(method, START),
  };

  const operations = {
    start: optional('start', START),
    stop(token, force) {
      afterCalls(DRAIN.ms, () => optional('stop', DRAIN)(token, force));
    },
  };

  for (const [method, { scope }] of Object.entries(methods)) {
    // Others do not need the manager.
    if (scope in SCOPES) operations[method] = SCOPES[scope](method);
  }

  return function execute(token, op, ...args) {
    try {
      operations[op](token, ...args);
    } catch (err) {
      // An argument that throws when it is read.
      settle(token, [failure(failures.INTERNAL, err, words(err))]);
    }
  };

  function limitOf(option) {
    return { ms: tools[option], option };
  }

  function call(method) {
    return (token, ...args) => {
      meet(method, args);
      one(method, args, (answer) => settle(token, answer));
    };
  }

  /**
   * Passes a call on all frontends to `execute`. The manager must say that it takes them: one that was written for 0.0.7
   * would take `null` for a server id, and answer that it was done.
   */
  function everywhere(method, execute) {
    return (token, ...args) => {
      if (manager.everywhere === true) {
        owned(method, execute)(token, ...args);
      } else {
        const what = `which ${method} on all frontends needs`;
        deny(token, method, `channelManager has no everywhere: true, ${what}`);
      }
    };
  }

  /** Passes a call to `execute` if the manager has the method, which no other one of it can replace. */
  function owned(method, execute) {
    return (token, ...args) => {
      if (typeof manager[method] === 'function') execute(token, ...args);
      else deny(token, method, `channelManager has no method ${method}`);
    };
  }

  /** Answers a call that the manager does not take. */
  function deny(token, method, why) {
    const err = failure(failures.UNSUPPORTED, undefined, why);
    settle(token, methods[method].shape === shapes.PLAIN ? [err] : [err, undefined]);
  }

  /** Looks at the server id that the app has given. */
  function meet(method, args) {
    const sidAt = methods[method].arguments.indexOf('sid');
    if (sidAt >= 0) {
      meetSid(textOf(args[sidAt]));
    }
  }

  /** Calls a method that no other one of a manager can replace. */
  function only(method) {
    return owned(method, (token, ...args) => one(method, args, (answer) => settle(token, answer)));
  }

  /** Calls a method for each channel: for a manager a name is one name. */
  function callEach(method) {
    return (token, names, ...rest) => {
      meet(method, [names, ...rest]);
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
      ask(COMMAND, method, args, done);
      return;
    }
    const { from, args: of, make, read } = DERIVED[method];
    const asked = read && read(args);
    ask(COMMAND, from, of(args), ([err, list]) => {
      done(err ? [err, undefined] : made(() => make([].concat(list || []), asked), undefined));
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
};
