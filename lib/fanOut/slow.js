'use strict';

// Clients that do not read. Node keeps what they do not take in memory, without a bound; with `maxBuffered` there is
// one: who has as much waiting does not get the next message.

const { words } = require('../logger');

/** Makes `isSlow(raw)`, which is nothing where there is no bound, and `treat(session, raw)` for those that are. */
module.exports = function createSlow({ maxBuffered, onSlow }, counts, log) {
  const told = new WeakSet();
  const isSlow = maxBuffered ? (raw) => raw.writableLength >= maxBuffered : undefined;

  return { isSlow, treat };

  function treat(session, raw) {
    tell(session, raw);
    if (onSlow === 'drop') {
      counts.slowDropped += 1;
    } else if (!raw.destroyed) {
      counts.slowClosed += 1;
      close(session, raw);
    }
  }

  function tell(session, { writableLength }) {
    if (told.has(session)) {
      return;
    }
    told.add(session);
    const what = onSlow === 'close' ? 'it is closed' : 'it loses messages';
    log(
      'warn',
      `the client of session ${session.id} does not read, and ${what}: ${writableLength} bytes wait for it ` +
        `(fanOut.maxBuffered is ${maxBuffered})`,
    );
  }

  /** The session is gone at once, and with it what waits for a client that would not read a farewell either. */
  function close(session, raw) {
    try {
      session.closed('slow');
    } catch (err) {
      log('error', `session ${session.id} could not be closed: ${words(err)}`);
    }
    raw.destroy();
  }
};
