'use strict';

// Switches Nagle's algorithm off for the RPCs of pushes (option `rpcNoDelay`). pomelo-rpc 1.0.7 leaves it on and writes
// each packet in five pieces: all but the first wait for the other side's acknowledgement, which systems delay by some
// 40 ms, on the way to the frontend and again on the way back. Here TCP_NODELAY is set on the sockets, and the pieces
// written in one turn of the event loop are sent together (`cork`), because each would otherwise be a TCP segment of
// its own. pinus-rpc 1.7.4 does both itself; setting it again changes nothing.
//
// Only public methods of the sockets are called, and nothing is patched. The sockets are found through internals of the
// frameworks, though: where these are not as expected, nothing is changed, and nothing throws.

const harmless = require('./harmless');

/** Sockets that are set up; connections and apps with our listeners. Several services may share one app. */
const told = new WeakSet();
const heard = new WeakSet();
const apps = new WeakSet();

/**
 * Makes `beforeRpc(sid)`, to be called right before an RPC to that server. On a frontend it also sets up the sockets on
 * which RPCs are answered.
 */
module.exports = function createRpcNoDelay(app) {
  const pushing = createCork();
  const unknown = new Set();

  harmless(() => awaitStart(app));

  return function beforeRpc(sid) {
    harmless(() => {
      const socket = socketTo(app, sid);
      if (socket) {
        noDelay(socket);
        pushing(socket);
        return;
      }
      // The first RPC makes the mailbox, which sends nothing before it is connected.
      if (unknown.size === 0) {
        setImmediate(meet);
      }
      unknown.add(sid);
    });
  };

  function meet() {
    for (const sid of unknown) {
      harmless(() => noDelay(socketTo(app, sid)));
    }
    unknown.clear();
  }
};

/** Returns the socket on which this process calls that server; after a reconnect it is another one. */
function socketTo(app, sid) {
  const station = app.components?.['__proxy__']?.client?.['_station'];
  return rawSocket(station?.mailboxes?.[sid]?.socket);
}

/** Returns the socket of a mailbox or an acceptor, which has it directly or within an MQTT connection. */
function rawSocket(connection) {
  const stream = connection?.stream;
  if (typeof stream?.setNoDelay === 'function') {
    return stream;
  }
  return typeof connection?.setNoDelay === 'function' ? connection : undefined;
}

function noDelay(socket) {
  if (socket && !told.has(socket)) {
    told.add(socket);
    socket.setNoDelay(true);
  }
}

/** Makes `cork(socket)`: what is written to the socket from then on is sent at the end of the turn. */
function createCork() {
  const corked = new Set();

  return function cork(socket) {
    if (corked.has(socket) || !(socket.cork && socket.uncork)) {
      return;
    }
    socket.cork();
    if (corked.size === 0) {
      setImmediate(uncork);
    }
    corked.add(socket);
  };

  function uncork() {
    const sockets = [...corked];
    corked.clear();
    for (const socket of sockets) {
      harmless(() => socket.uncork());
    }
  }
}

/**
 * Sets up the answers' sockets once all components have started, because the component that accepts connections exists
 * only then. Done once for each app; the listener refers only to the app, so that a service can be garbage-collected.
 */
function awaitStart(app) {
  if (!apps.has(app) && typeof app.event?.once === 'function') {
    app.event.once('start_server', () => harmless(() => watchAnswers(app)));
    apps.add(app);
  }
}

/** Sets up the sockets that a frontend has accepted, and those that it will accept. */
function watchAnswers(app) {
  const acceptor = app.components?.['__remote__']?.remote?.acceptor;
  if (!acceptor || !app.isFrontend() || typeof acceptor.server?.on !== 'function') {
    return;
  }
  const cork = createCork();
  const meetAll = () => {
    for (const connection of Object.values(acceptor.sockets)) {
      harmless(() => meet(connection));
    }
  };

  function meet(connection) {
    const socket = rawSocket(connection);
    noDelay(socket);
    // An MQTT connection emits this for each RPC, which pomelo answers in the same turn.
    const isMqtt = socket && socket !== connection;
    if (isMqtt && typeof connection.prependListener === 'function' && !heard.has(connection)) {
      heard.add(connection);
      connection.prependListener('publish', () => harmless(() => cork(socket)));
    }
  }

  meetAll();
  // The acceptor's own listener runs first, so the new socket is among its sockets.
  acceptor.server.on('connection', () => harmless(meetAll));
}
