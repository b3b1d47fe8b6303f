'use strict';

// State of the fan-out for each app: the plugin's options, the counters, and the number of schedulers. It is kept by
// app because the framework makes the scheduler and passes it nothing but the app.

const createCounts = require('./counts');

const apps = new WeakMap();

/** Returns `{options, counts, schedulers}` of an app; `schedulers` is how many `FanOutPushScheduler`s it has made. */
module.exports = function stateOf(app) {
  const known = apps.get(app);
  if (known) {
    return known;
  }
  const state = { options: undefined, counts: createCounts(), schedulers: 0 };
  // An app's own tests may pass anything as `app`.
  if (typeof app === 'object' && app !== null) {
    apps.set(app, state);
  }
  return state;
};
