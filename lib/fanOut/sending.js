'use strict';

// Sends one message to many sessions: by one native call to all sockets that can take it now, by `socket.write` of the
// same bytes to others, and through the framework to the rest. sockets.js classifies the sockets.
//
// All sockets are inspected before anything is sent; then come the native call, the writes, and the framework. So no
// code of the app or the framework, which could send something or close a socket, runs between inspection and native
// call.

const native = require('../native');
const { words } = require('../logger');
const createSlow = require('./slow');
const { prefetch, look, found, NATIVE, SHARED } = require('./sockets');

/** Undefined on Windows. */
const { sendToAll } = native;

/** Makes `{sendTo(sessions, message), byFramework(session, msg, reason)}`; `message` is that of frames.js. */
module.exports = function createSending(options, counts, log) {
  const { deflateThreshold } = options;
  const { isSlow, treat } = createSlow(options, counts, log);
  /** Sockets for the native call: those that take the WebSocket frame, and those that take the bare Package. */
  const framed = createBatch();
  const bare = createBatch();

  return { sendTo, byFramework };

  function sendTo(sessions, message) {
    const shared = [];
    const others = [];
    prefetch(sessions);
    for (const session of sessions) {
      const way = lookSafely(session, message);
      const { raw, fd, isFramed, isTimed, queue } = found;
      if (way === NATIVE && sendToAll) {
        (isFramed ? framed : bare).add(raw, fd, isTimed);
      } else if (way === NATIVE || way === SHARED) {
        shared.push({ session, raw, isFramed });
      } else {
        others.push({ session, raw, queue, reason: way });
      }
    }
    if (framed.size > 0) {
      sendBatch(framed, message.frame());
    }
    if (bare.size > 0) {
      sendBatch(bare, message.bare);
    }
    const slow = [];
    for (const { session, raw, isFramed } of shared) {
      if (isSlow && isSlow(raw)) {
        slow.push({ session, raw });
      } else {
        writeShared(raw, isFramed ? message.frame() : message.bare);
      }
    }
    for (const { session, raw, queue, reason } of others) {
      if (isSlow && raw && isSlow(raw)) {
        slow.push({ session, raw });
      } else if (queue) {
        counts.framework += 1;
        counts.reasons.busy += 1;
        enqueue(queue, message.bare);
      } else {
        byFramework(session, message.msg, reason);
      }
    }
    // Last, because closing a session runs listeners of the app.
    for (const { session, raw } of slow) {
      treat(session, raw);
    }
  }

  function lookSafely(session, message) {
    try {
      return look(session, message, deflateThreshold);
    } catch {
      // The socket is not of a known kind.
      return 'otherSocket';
    }
  }

  function sendBatch(batch, bytes) {
    const { raws, timed, slots, size } = batch;
    const incomplete = sendToAll(bytes, slots, size);
    counts.native += size - incomplete;
    counts.nativeBytes += (size - incomplete) * bytes.length;
    const end = incomplete > 0 ? size : 0;
    for (let i = 0; i < end; i += 1) {
      const taken = slots[i];
      if (taken !== bytes.length) {
        // The system took a part or nothing. After an error, Node's write fails too and reports it to the framework.
        if (taken > 0) counts.nativeBytes += taken;
        writeShared(raws[i], taken > 0 ? bytes.subarray(taken) : bytes);
      }
    }
    for (const raw of timed) raw._unrefTimer();
    batch.clear();
  }

  function writeShared(raw, bytes) {
    counts.shared += 1;
    try {
      raw.write(bytes);
    } catch (err) {
      log('error', `a message could not be written to a client: ${words(err)}`);
    }
  }

  /** Sends by ws, which queues the message behind those that it is compressing, but uncompressed. */
  function enqueue(socket, bytes) {
    const done = (err) => {
      if (err) log('error', `a message could not be sent to a client: ${words(err)}`);
    };
    try {
      socket.send(bytes, { binary: true, compress: false }, done);
    } catch (err) {
      done(err);
    }
  }

  /** Sends through the framework's `session.send`; `count` is how many messages that is. */
  function byFramework(session, msg, reason, count = 1) {
    counts.framework += count;
    counts.reasons[reason] += count;
    try {
      session.send(msg);
    } catch (err) {
      log('error', `the message to session ${session.id} could not be sent: ${words(err)}`);
    }
  }
};

/**
 * Collects sockets, with their file descriptors in an array that the addon reads. Those with an idle timeout are listed
 * apart: after the system calls the others are in no cache of the processor, and need no second look.
 */
function createBatch() {
  const batch = { raws: [], timed: [], slots: new Int32Array(64), size: 0, add, clear };
  return batch;

  function add(raw, fd, isTimed) {
    if (batch.size === batch.slots.length) {
      const larger = new Int32Array(2 * batch.size);
      larger.set(batch.slots);
      batch.slots = larger;
    }
    batch.slots[batch.size] = fd;
    batch.raws.push(raw);
    if (isTimed) batch.timed.push(raw);
    batch.size += 1;
  }

  function clear() {
    batch.raws.length = 0;
    batch.timed.length = 0;
    batch.size = 0;
  }
}
