'use strict';

// What is known of each app: the options that its plugin was given, what its fan-out has done, and whether there is
// one. A scheduler is made by the framework, which hands it nothing but the app.

const createCounts = require('./counts');

const apps = new WeakMap();

/** `{options, counts, schedulers}` of an app: the last is how many schedulers of ours it has made. */
module.exports = function stateOf(app) {
  const known = apps.get(app);
  if (known) {
    return known;
  }
  const state = { options: undefined, counts: createCounts(), schedulers: 0 };
  // In tests of an app it may be anything.
  if (typeof app === 'object' && app !== null) {
    apps.set(app, state);
  }
  return state;
};
