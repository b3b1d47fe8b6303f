'use strict';

// Says in the log when `app.use` was given no options for the plugin, so that it uses the defaults: the options may stand
// under another key.

const path = require('path');
const harmless = require('./harmless');
const createLogger = require('./logger');

const KEY = 'globalChannel';

/** What pomelo takes for the plugin's folder of components. */
const COMPONENTS = path.join(__dirname, 'components');

/** The number of keys that the line names, and of characters of each. */
const MOST = 10;
const LONGEST = 40;

/** `opts` are the options under our key; `all`, in pinus, are those of `app.use` (pomelo does not pass them on). */
module.exports = function warnOfMissingOptions(app, opts, all) {
  harmless(() => {
    if (typeof app.use !== 'function' || Object.keys(opts || {}).length > 0) {
      return;
    }
    const given = all || ofUse(app);
    const keys = given && Object.keys(given);
    if (keys?.includes(KEY)) {
      return;
    }
    const line = `app.use was given no options under the key ${KEY}${keys ? there(keys) : ''}`;
    createLogger(app)('warn', `${line}: the defaults are used, Redis at 127.0.0.1:6379`);
  });
};

function there(keys) {
  const named = keys.slice(0, MOST).map((key) => key.slice(0, LONGEST));
  return keys.length > 0 ? `, but under ${named.join(', ')}` : ', nor under any other';
}

/**
 * Returns the options that pomelo's `app.use` was called with, while it runs: only a function's own `arguments` have
 * them, which functions in strict mode do not give; undefined where they cannot be had.
 */
function ofUse(app) {
  let found;
  harmless(() => {
    const [plugin, all] = app.use.arguments || [];
    found = path.resolve(plugin.components) === COMPONENTS ? all || {} : undefined;
  });
  return found;
}
