'use strict';

// What the socket of a session can take now. The framework's sockets are met as they are: pomelo's and pinus'
// hybridsocket over a WebSocket (ws 1.1.1, ws 7 and 8) or over its tcpsocket, and below these Node's own sockets. Each is
// looked at before each message, and what is not found as expected is left to the framework. Nothing here changes
// anything, or runs code of the app.

const net = require('net');
const { Writable } = require('stream');
const {
  isSessionSend,
  isHybridSend,
  isHybridSendRaw,
  isTcpSend,
  isWebSocketSend,
  isSenderOf1,
  isSenderOf8,
} = require('./originals');

/** States of a hybridsocket and of a WebSocket. */
const WORKING = 2;
const OPEN = 1;

const DEFLATE = 'permessage-deflate';

/** Not that of net.Socket: a tracer may have replaced it before this file was loaded. */
const { write } = Writable.prototype;

/** What `look` finds: it goes natively, by the shared frame, or for one of the other reasons by the framework. */
const NATIVE = 'native';
const SHARED = 'shared';

/** See {@link look}; one for all calls, since nothing is kept. */
const found = { raw: undefined, fd: -1, isFramed: false, queue: undefined };

module.exports = { look, found, NATIVE, SHARED };

/**
 * How `message` may go to `session`: NATIVE, SHARED, or why it has to go the framework's way. `found` then has Node's
 * socket, if there is one; with the first two its descriptor and whether it takes the frame or the bare Package; with
 * `busy` the WebSocket, if it would compress a message that should not be.
 */
function look(session, message, deflateThreshold) {
  found.raw = undefined;
  found.queue = undefined;
  const hybrid = session.__socket__;
  if (
    !hybrid ||
    !isSessionSend(session.send, session) ||
    !isHybridSend(hybrid.send, hybrid) ||
    !isHybridSendRaw(hybrid.sendRaw, hybrid)
  ) {
    return 'otherSocket';
  }
  if (hybrid.state !== WORKING) {
    return 'notOpen';
  }
  const { socket } = hybrid;
  const bare = message.packageBy(hybrid.send);
  if (!bare || !socket) {
    return bare ? 'otherSocket' : 'notEncoded';
  }
  if (isTcpSend(socket.send, socket) && typeof socket.headHandler === 'function') {
    found.isFramed = false;
    return lookBelow(socket._socket);
  }
  found.isFramed = true;
  const refusal = lookAtWebSocket(socket, bare.length >= deflateThreshold);
  const below = lookBelow(socket._socket);
  return refusal === undefined ? below : refusal;
}

/** Why a WebSocket cannot take a frame now beside its own ones. */
function lookAtWebSocket(socket, isLarge) {
  if (!isWebSocketSend(socket.send, socket)) {
    return 'otherSocket';
  }
  if (socket.readyState !== OPEN) {
    return 'notOpen';
  }
  const sender = socket._sender;
  // A client's frames would be masked.
  if (!sender || socket._isServer !== true || sender._socket !== socket._socket) {
    return 'otherSocket';
  }
  let isIdle;
  let extensions;
  if (isSenderOf1(sender.send, sender)) {
    isIdle =
      sender.processing === false &&
      sender.firstFragment === true &&
      sender.messageHandlers.length === 0 &&
      socket._queue === undefined;
    extensions = sender.extensions;
  } else if (isSenderOf8(sender.send, sender)) {
    const isAtRest = sender._state === undefined ? !sender._deflating : sender._state === 0;
    isIdle = isAtRest && sender._firstFragment === true && sender._queue.length === 0;
    extensions = sender._extensions;
  } else {
    return 'otherSocket';
  }
  const deflates = Boolean(extensions && extensions[DEFLATE]);
  if (!isIdle) {
    found.queue = deflates && !isLarge ? socket : undefined;
    return 'busy';
  }
  // Compressed by the socket's own deflater only: another one does not know what that has sent before.
  return deflates && isLarge ? 'deflate' : undefined;
}

/** Whether Node's socket has anything before us, and where it is. */
function lookBelow(raw) {
  if (!(raw instanceof net.Socket)) {
    return 'otherSocket';
  }
  if (raw.destroyed || !raw.writable || raw.connecting) {
    return 'notOpen';
  }
  found.raw = raw;
  const handle = raw._handle;
  if (
    raw.encrypted ||
    raw.write !== write ||
    raw.writableLength !== 0 ||
    raw.writableCorked !== 0 ||
    !handle ||
    // What is sent natively has to count for the idle timeout, too.
    (raw.timeout && typeof raw._unrefTimer !== 'function')
  ) {
    return SHARED;
  }
  // Read now, for now: once the handle is closed, the number may be another connection's.
  const { fd } = handle;
  found.fd = fd;
  return fd >= 0 ? NATIVE : SHARED;
}
