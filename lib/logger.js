'use strict';

// Where log lines go: pomelo's or pinus's logger when the app is a real one and has it, else the
// console. The tag is 0.0.7's.

const { inspect } = require('util');

const TAG = '[globalchannel-plugin]';

module.exports = function createLogger(app) {
  const logger = appLogger(app) || console;
  return function log(level, line, part) {
    try {
      logger[level](`${TAG}${part ? `[${part}]` : ''} ${line}`);
    } catch {
      // A logger that throws must not cost anybody a callback.
    }
  };
};

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
