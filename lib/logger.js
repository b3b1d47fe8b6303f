'use strict';

// Where log lines go: pomelo's or pinus's logger when the app is a real one and has it, else the
// console. The tag is 0.0.7's.

const { inspect } = require('util');

const TAG = '[globalchannel-plugin]';

/** What ends a line, moves the cursor, or has a terminal show text in another order than it has. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const SHORT = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

module.exports = function createLogger(app) {
  const logger = appLogger(app) || console;
  return function log(level, line, part) {
    try {
      logger[level](oneLine(`${TAG}${part ? `[${part}]` : ''} ${line}`));
    } catch {
      // A logger that throws must not cost anybody a callback.
    }
  };
};

/**
 * One entry is one line, whatever the names and errors in it hold: those come from clients, servers and the app, and
 * must not be able to write lines of their own.
 */
function oneLine(text) {
  return text.replace(
    CONTROL,
    (char) => SHORT[char] || `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** An error, or whatever was given in the place of one, in words. Never throws. */
module.exports.words = function words(err) {
  try {
    return String((err && err.stack) || (typeof err === 'string' ? err : inspect(err)));
  } catch {
    return 'an error that cannot be shown';
  }
};

function appLogger(app) {
  if (!app || typeof app.getBase !== 'function') {
    return null;
  }
  for (const name of ['pomelo-logger', 'pinus-logger']) {
    try {
      // The app's copy, not one of ours: only that one has the app's configuration.
      const path = require.resolve(name, { paths: [app.getBase(), ...framework()] });
      return require(path).getLogger('globalchannel-plugin');
    } catch {
      // Not there: the next one.
    }
  }
  return null;
}

/** Where the framework itself lies: package managers may keep its dependencies beside it only. */
function framework() {
  return Object.keys(require.cache).filter((file) =>
    /[\\/](pomelo|pinus)[\\/](dist[\\/])?(lib[\\/])?(pomelo|index)\.js$/.test(file),
  );
}
