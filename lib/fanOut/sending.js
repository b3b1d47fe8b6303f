'use strict';

// One message to many sessions: those whose sockets can take it now get it by one native call, others by `write` of the
// same bytes, and the rest as the framework does it. Which is which is in sockets.js.
//
// All sockets are looked at before anything is sent, and what is sent natively comes first, then what is written: until
// then no code of the app or the framework runs, which could send something or close a socket.

const native = require('../native');
const { words } = require('../logger');
const createSlow = require('./slow');
const { look, found, NATIVE, SHARED } = require('./sockets');

/** Absent on Windows. */
const { sendToAll } = native;

/** Makes `sendTo(sessions, message)`, see frames.js, and `byFramework`. */
module.exports = function createSending(options, counts, log) {
  const { deflateThreshold } = options;
  const { isSlow, treat } = createSlow(options, counts, log);
  /** Of those that get it natively, with the WebSocket frame and without. */
  const framed = createBatch();
  const bare = createBatch();

  return { sendTo, byFramework };

  function sendTo(sessions, message) {
    const shared = [];
    const others = [];
    for (const session of sessions) {
      const way = lookSafely(session, message);
      const { raw, fd, isFramed, queue } = found;
      if (way === NATIVE && sendToAll) {
        (isFramed ? framed : bare).add(raw, fd);
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
    // Last, because listeners of the app run when a session is closed.
    for (const { session, raw } of slow) {
      treat(session, raw);
    }
  }

  function lookSafely(session, message) {
    try {
      return look(session, message, deflateThreshold);
    } catch {
      // A socket of a kind that we do not know.
      return 'otherSocket';
    }
  }

  function sendBatch(batch, bytes) {
    const { raws, slots, size } = batch;
    const incomplete = sendToAll(bytes, slots, size);
    counts.native += size - incomplete;
    for (let i = 0; i < size; i += 1) {
      const raw = raws[i];
      const taken = slots[i];
      if (taken === bytes.length) {
        if (raw.timeout) raw._unrefTimer();
      } else {
        // Nothing was taken, or a part; or it failed, and Node finds out why and tells the framework.
        writeShared(raw, taken > 0 ? bytes.subarray(taken) : bytes);
      }
    }
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

  /** As the framework does it, but uncompressed: in its turn after what the WebSocket is compressing. */
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

  /** As the framework does it. */
  function byFramework(session, msg, reason) {
    counts.framework += 1;
    counts.reasons[reason] += 1;
    try {
      session.send(msg);
    } catch (err) {
      log('error', `the message to session ${session.id} could not be sent: ${words(err)}`);
    }
  }
};

/** Sockets and their descriptors, in an array that the addon reads. */
function createBatch() {
  const batch = { raws: [], slots: new Int32Array(64), size: 0, add, clear };
  return batch;

  function add(raw, fd) {
    if (batch.size === batch.slots.length) {
      const larger = new Int32Array(2 * batch.size);
      larger.set(batch.slots);
      batch.slots = larger;
    }
    batch.slots[batch.size] = fd;
    batch.raws.push(raw);
    batch.size += 1;
  }

  function clear() {
    batch.raws.length = 0;
    batch.size = 0;
  }
}
