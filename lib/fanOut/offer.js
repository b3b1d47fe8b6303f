'use strict';

// Installs the fan-out in an app: sets the framework's option for push schedulers, `pushSchedulerConfig`, if the app
// has not set it. An app that sets it later uses its own scheduler, as without the plugin.

const stateOf = require('./apps');
const FanOutPushScheduler = require('./scheduler');

const DIRECT = /[\\/]pushSchedulers[\\/]direct\.js$/;

/**
 * Installs the scheduler; `options` is null if option `fanOut` is false. Returns the function behind `stats().fanOut`.
 */
module.exports = function offerFanOut(app, options) {
  let refusal;
  try {
    refusal = offer(app, options);
  } catch {
    // A getter of the app threw. The app starts without the fan-out.
    refusal = 'the app could not be asked for its push scheduler';
  }

  return function stats() {
    const { counts, schedulers } = stateOf(app);
    const reason = schedulers > 0 ? null : refusal || waiting(app);
    return { enabled: reason === null, reason, ...counts, reasons: { ...counts.reasons } };
  };
};

/** Sets the scheduler, or returns the reason why it does not. */
function offer(app, options) {
  if (!options) {
    return 'option fanOut is false';
  }
  if (typeof app.isFrontend !== 'function' || !app.isFrontend()) {
    return 'this server is no frontend';
  }
  if (app.components && app.components.__pushScheduler__) {
    return 'the app had started before the plugin was loaded';
  }
  const state = stateOf(app);
  state.options = state.options || options;
  // The older name wins, as in the framework.
  const name = app.get('schedulerConfig') ? 'schedulerConfig' : 'pushSchedulerConfig';
  const config = app.get(name);
  if (isDefault(config && config.scheduler)) {
    app.set(name, { ...config, scheduler: FanOutPushScheduler });
  }
  return undefined;
}

/** Returns why the app has made no scheduler of ours yet. */
function waiting(app) {
  const component = app.components && app.components.__pushScheduler__;
  if (!component) {
    return 'the app has not started yet';
  }
  return directs().some((direct) => component.scheduler instanceof direct)
    ? "the app set the framework's default push scheduler after the plugin was loaded"
    : 'the app has a push scheduler of its own';
}

/** Returns whether the app has not set a scheduler, or has set the framework's default. */
function isDefault(scheduler) {
  return !scheduler || directs().includes(scheduler);
}

/** Returns the default schedulers of the loaded frameworks: pomelo's module is the class, pinus' exports it. */
function directs() {
  const modules = Object.keys(require.cache).filter((file) => DIRECT.test(file));
  return modules.flatMap((file) => {
    const { exports } = require.cache[file];
    return [exports, exports.DirectPushScheduler].filter((each) => typeof each === 'function');
  });
}
