'use strict';

// Decides how a message may be sent to a session now. This is the only file that knows the internals of the sockets:
// pomelo's and pinus' hybridsocket over a WebSocket (ws 1.1.1, ws 7 and 8) or over tcpsocket, and Node's own sockets
// below these. Each socket is inspected before each message; one that is not as expected is left to the framework.
// Nothing here changes a socket, or runs code of the app.

const { Socket } = require('net');
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

/** The states "handshake done" of a hybridsocket and "open" of a WebSocket. */
const WORKING = 2;
const OPEN = 1;

const DEFLATE = 'permessage-deflate';

/** Not that of net.Socket: a tracer may have replaced it before this file was loaded. */
const { write } = Writable.prototype;

/**
 * Results of `look`: the native call, or `socket.write` of the shared bytes. Others are reasons to use the framework.
 */
const NATIVE = 'native';
const SHARED = 'shared';

/** Further results of {@link look}. One object for all calls, valid until the next one: it saves an allocation. */
const found = { raw: undefined, fd: -1, isFramed: false, isTimed: false, queue: undefined };

/** What {@link prefetch} has read. Kept, so that reading it is no dead code. */
let read = 0;

module.exports = { prefetch, look, found, NATIVE, SHARED };

/**
 * Reads what `look` is about to inspect of each session. When a push comes, most of it is in no cache of the processor.
 * In a loop as short as this one, the processor waits for several sessions' objects at the same time; within `look`, for
 * one after the other.
 */
function prefetch(sessions) {
  try {
    for (const session of sessions) {
      const hybrid = session.__socket__;
      // A class of the app's is left alone.
      if (!isHybridSend(hybrid.send, hybrid)) return;
      const { socket } = hybrid;
      const sender = socket._sender;
      // Another kind of client, or a closed WebSocket, has none.
      if (!sender) continue;
      const queued = sender.messageHandlers || sender._queue;
      read = (read + socket._socket._writableState.length + queued.length) | 0;
    }
  } catch {
    // Of an unknown kind; `look` tells.
  }
}

/**
 * Returns how `message` may be sent to `session`: NATIVE, SHARED, or the reason why the framework must send it. In
 * `found` are Node's socket, if there is one (`raw`); for NATIVE and SHARED whether it takes the frame or the bare Package;
 * for NATIVE its descriptor, and whether it has an idle timeout (`isTimed`); for `busy` the WebSocket (`queue`) if ws has to
 * be told not to compress the message.
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

/** Returns why no frame can be written past the WebSocket now, or undefined if one can. */
function lookAtWebSocket(socket, isLarge) {
  if (!isWebSocketSend(socket.send, socket)) {
    return 'otherSocket';
  }
  if (socket.readyState !== OPEN) {
    return 'notOpen';
  }
  const sender = socket._sender;
  // Frames of a client-side WebSocket would have to be masked.
  if (!sender || socket._isServer !== true || sender._socket !== socket._socket) {
    return 'otherSocket';
  }
  let isIdle;
  if (isSenderOf1(sender.send, sender)) {
    isIdle =
      sender.processing === false &&
      sender.firstFragment === true &&
      sender.messageHandlers.length === 0 &&
      socket._queue === undefined;
  } else if (isSenderOf8(sender.send, sender)) {
    const isAtRest = sender._state === undefined ? !sender._deflating : sender._state === 0;
    isIdle = isAtRest && sender._firstFragment === true && sender._queue.length === 0;
  } else {
    return 'otherSocket';
  }
  if (isIdle && !isLarge) {
    return undefined;
  }
  const extensions = sender.extensions || sender._extensions;
  const deflates = Boolean(extensions && extensions[DEFLATE]);
  if (!isIdle) {
    found.queue = deflates && !isLarge ? socket : undefined;
    return 'busy';
  }
  // Only the socket's own deflater can compress for it, because its context has what was sent before.
  return deflates ? 'deflate' : undefined;
}

/** Checks Node's socket: NATIVE if nothing is queued in it, else SHARED or a reason. Sets `raw` and `fd` of `found`. */
function lookBelow(raw) {
  if (!(raw instanceof Socket)) {
    return 'otherSocket';
  }
  // A destroyed socket is not writable either.
  if (!raw.writable || raw.connecting) {
    return 'notOpen';
  }
  found.raw = raw;
  const handle = raw._handle;
  const isTimed = Boolean(raw.timeout);
  if (
    raw.encrypted ||
    raw.write !== write ||
    raw.writableLength !== 0 ||
    raw.writableCorked !== 0 ||
    !handle ||
    // A native send has to restart the idle timeout, which takes this method.
    (isTimed && typeof raw._unrefTimer !== 'function')
  ) {
    return SHARED;
  }
  // Never kept: once the handle is closed, the number may belong to another connection.
  const { fd } = handle;
  found.fd = fd;
  found.isTimed = isTimed;
  return fd >= 0 ? NATIVE : SHARED;
}
