'use strict';

// Names for lists, the frontend's end: a remote that pushing servers call with a list's number in place of its uids. It
// resolves the number and passes the push to the framework's own remote in the same turn of the event loop, so that
// pushes by either remote keep their order. The protocol is described in protocol.js.

const channelRemote = require('../channelRemote');
const harmless = require('../harmless');
const listen = require('../serverNews');
const inOrder = require('./order');
const {
  EXCEPT,
  NAMESPACE,
  SERVICE,
  VERSION,
  delivered,
  newToken,
  refusal,
  welcome,
} = require('./protocol');
const createTable = require('./table');

/** The table of each app, which its services share. */
const remotes = new WeakMap();

/**
 * Installs the remote when the server has started, if it is a frontend. Never throws: where the framework is not as
 * expected, there is no remote.
 */
module.exports = function offerLists(app) {
  harmless(() => {
    if (remotes.has(app) || typeof app.event?.once !== 'function') {
      return;
    }
    app.event.once('start_server', () => harmless(() => put(app)));
    remotes.set(app, undefined);
  });
};

/** Returns how many lists are kept here, as a frontend, and their bytes. */
module.exports.size = (app) => remotes.get(app)?.size() || { kept: 0, keptBytes: 0 };

function put(app) {
  const services = app.components?.['__remote__']?.remote?.services;
  if (!app.isFrontend() || typeof services !== 'object' || services === null) {
    return;
  }
  const table = createTable((uids) => inOrder(app, uids));
  services[NAMESPACE] = { ...services[NAMESPACE], [SERVICE]: createRemote(app, table) };
  remotes.set(app, table);
  listen(app, table.forgetServers);
}

function createRemote(app, table) {
  const token = newToken();

  return {
    hello: (...args) =>
      respond(args, (answer, version, name, server) => {
        table.pusher(name).server = String(server);
        answer(null, version === VERSION ? welcome(token) : refusal(token));
      }),
    push: (...args) => respond(args, push),
  };

  function push(answer, ...args) {
    const [given, name, epoch, route, msg, opts, ...users] = args;
    const uids = given === token ? resolve(table.pusher(name), epoch, ...users) : undefined;
    if (uids === undefined) {
      answer(null, refusal(token));
      return;
    }
    const remote = channelRemote(app);
    if (!remote) {
      answer(new Error('no such service:channelRemote'));
      return;
    }
    remote.pushMessage(route, msg, without(uids, users[EXCEPT]), opts, (err, failed) => {
      answer(err, err ? failed : delivered(failed));
    });
  }

  /** Returns the uids of a push, or undefined if it must be refused. */
  function resolve(pusher, epoch, number, list, base, removed, added) {
    if (epoch < pusher.epoch || (epoch === pusher.epoch && pusher.refusing)) {
      return undefined;
    }
    pusher.epoch = epoch;
    pusher.refusing = false;
    let uids = list;
    if (list) {
      if (number > 0) table.keep(pusher, number, list);
    } else if (typeof base !== 'number') {
      uids = table.list(pusher, number);
    } else {
      uids = table.change(pusher, base, number, removed, added);
    }
    pusher.refusing = uids === undefined;
    return uids;
  }
}

/** Returns a list without some uids, in a copy, because the framework may change it. */
function without(uids, except) {
  if (!Array.isArray(except)) {
    return uids.slice();
  }
  const gone = new Set(except);
  return uids.filter((uid) => !gone.has(uid));
}

/** Calls `method(answer, …args)`; pomelo passes a callback as the last argument, pinus takes a promise. */
function respond(args, method) {
  if (typeof args[args.length - 1] === 'function') {
    const callback = args.pop();
    method((err, value) => callback(err, value), ...args);
    return undefined;
  }
  return new Promise((resolve, reject) => {
    method((err, value) => (err ? reject(err) : resolve(value)), ...args);
  });
}
