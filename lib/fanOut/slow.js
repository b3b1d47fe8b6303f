'use strict';

// Slow clients. Node queues in memory what a client does not read, without a limit. With `maxBuffered` a client that
// has as many bytes queued does not get the next message, or is closed.

const { words } = require('../logger');

/**
 * Makes `{isSlow(raw), treat(session, raw)}`: the test (undefined without a limit), and what is done about a slow
 * client.
 */
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

  /** Closes the session and destroys the socket at once, with what is queued: the client would not read that anyway. */
  function close(session, raw) {
    try {
      session.closed('slow');
    } catch (err) {
      log('error', `session ${session.id} could not be closed: ${words(err)}`);
    }
    raw.destroy();
  }
};
