'use strict';

// Takes the wait out of pushes (option `rpcNoDelay`). pomelo-rpc 1.0.7 leaves Nagle's algorithm on
// for its sockets and writes each packet in five pieces: all but the first wait until the other
// side acknowledges that one, which systems put off for some 40 ms, once on the way to the frontend
// and once more on the way back. Here Nagle is switched off for the sockets of the pushes, and the
// pieces of one turn of the event loop are held together (`cork`), since each would be a TCP segment
// of its own otherwise. pinus-rpc 1.7.4 does both itself; here it is told what it is already.
//
// Only public methods of the sockets are called, nothing is put in the place of anything. The way to
// a socket is the frameworks' own business, though: what is not found as expected is left as it is,
// and nothing here throws. Which servers are pushed to, and with what, is delivery.js's business.

/** Sockets that were told; connections and apps that are listened to. Several services may share one app. */
const told = new WeakSet();
const heard = new WeakSet();
const apps = new WeakSet();

/**
 * Makes `beforeRpc(sid)`, to be called right before an RPC to that server; and sees to the answers,
 * if this process is itself a frontend.
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
      // It is made by the first RPC, and sends nothing before it is connected.
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

function harmless(fn) {
  try {
    fn();
  } catch {
    // A getter of an app or framework that we do not know: pushes go on without us.
  }
}

/** The socket on which this process calls that server; it is another one after a reconnect. */
function socketTo(app, sid) {
  const station = app.components?.['__proxy__']?.client?.['_station'];
  return rawSocket(station?.mailboxes?.[sid]?.socket);
}

/** A mailbox or an acceptor has the socket itself, or an MQTT connection over it. */
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

/** Makes `cork(socket)`: what is written to it from now on goes out at the end of this turn. */
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
 * Has the answers watched once all components have started: the one that accepts connections is no sooner there. Once for
 * an app, and holding nothing but the app: a service that is dropped leaves nothing of it behind.
 */
function awaitStart(app) {
  if (!apps.has(app) && typeof app.event?.once === 'function') {
    app.event.once('start_server', () => harmless(() => watchAnswers(app)));
    apps.add(app);
  }
}

/** A frontend answers pushes on the sockets that it accepted, those of now and those to come. */
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
  // The acceptor listened before us, so that the new one is among its sockets.
  acceptor.server.on('connection', () => harmless(meetAll));
}
