'use strict';

// Writes log lines: with the logger that option `logger` gives, else with pomelo's or pinus's if the app has one, else to the
// console. The tag is 0.0.7's.

const { inspect } = require('util');

const { failures } = require('./tables');

const TAG = '[globalchannel-plugin]';

/** Characters that end a line, move the cursor, or make a terminal show text in another order. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const SHORT = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The methods of a logger that are used. */
const LEVELS = ['debug', 'info', 'warn', 'error'];

/** Option `logger` of the latest service of each app: for what the app has beside its services. */
const ofApps = new WeakMap();

/** Makes `log(level, line, part)` of a service with this option `logger`, or, without the second argument, of the app. */
module.exports = function createLogger(app, given) {
  // An app's own tests may pass anything as `app`.
  if (given && typeof app === 'object' && app !== null) ofApps.set(app, given);
  const isOfApp = arguments.length < 2;
  const framework = given || appLogger(app) || console;
  return function log(level, line, part) {
    try {
      const logger = given || (isOfApp && ofApps.get(app)) || framework;
      const written = logger[level](oneLine(`${TAG}${part ? `[${part}]` : ''} ${line}`));
      // An async method that fails must not end the process.
      if (typeof written?.catch === 'function') written.catch(() => {});
    } catch {
      // A logger that throws must not prevent a callback.
    }
  };
};

/**
 * Makes one line of an entry. Names and errors in it come from clients, servers and the app; a line feed in them would
 * let them forge log lines.
 */
function oneLine(text) {
  return text.replace(
    CONTROL,
    (char) => SHORT[char] || `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Returns option `logger`, or undefined. */
module.exports.loggerOf = function loggerOf({ logger }, { failure }) {
  if (logger === undefined || logger === null || logger === false) return undefined;
  const missing = LEVELS.filter((level) => typeof logger[level] !== 'function');
  if (missing.length === 0) return logger;
  const accepted = `accepted is an object with the methods ${LEVELS.join(', ')}`;
  const words = `option logger is without a method ${missing.join(', ')}; ${accepted}`;
  throw failure(failures.OPTION, undefined, words);
};

/** The message of an error, or the text of any other value. Never throws. */
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
      // The app's copy of the package, because only that one has the app's configuration.
      const path = require.resolve(name, { paths: [app.getBase(), ...framework()] });
      return require(path).getLogger('globalchannel-plugin');
    } catch {
      // Not installed there: try the next folder.
    }
  }
  return null;
}

/** Returns the folder of the framework: package managers may install its dependencies only beside it. */
function framework() {
  return Object.keys(require.cache).filter((file) =>
    /[\\/](pomelo|pinus)[\\/](dist[\\/])?(lib[\\/])?(pomelo|index)\.js$/.test(file),
  );
}
