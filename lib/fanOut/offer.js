'use strict';

// How the fan-out gets into an app: by the framework's own setting for push schedulers, `pushSchedulerConfig`, where the
// app has left it alone. An app that sets it later has its own scheduler, as if there were no plugin.

const stateOf = require('./apps');
const FanOutPushScheduler = require('./scheduler');

const DIRECT = /[\\/]pushSchedulers[\\/]direct\.js$/;

/** With the options of the plugin, or null. Returns what `stats().fanOut` is to be. */
module.exports = function offerFanOut(app, options) {
  let refusal;
  try {
    refusal = offer(app, options);
  } catch {
    // A getter of an app that we do not know: it goes on without us.
    refusal = 'the app could not be asked for its push scheduler';
  }

  return function stats() {
    const { counts, schedulers } = stateOf(app);
    const reason = schedulers > 0 ? null : refusal || waiting(app);
    return { enabled: reason === null, reason, ...counts, reasons: { ...counts.reasons } };
  };
};

/** Says why not. */
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

function waiting(app) {
  return app.components && app.components.__pushScheduler__
    ? 'the app has a push scheduler of its own'
    : 'the app has not started yet';
}

/** None, or the one that the framework takes then. */
function isDefault(scheduler) {
  return !scheduler || directs().includes(scheduler);
}

/** The default schedulers of the frameworks that are loaded: pomelo's module is the class, pinus' has it. */
function directs() {
  const modules = Object.keys(require.cache).filter((file) => DIRECT.test(file));
  return modules.flatMap((file) => {
    const { exports } = require.cache[file];
    return [exports, exports.DirectPushScheduler].filter(Boolean);
  });
}
