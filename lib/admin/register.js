'use strict';

// Registers the module of pomelo-admin: the component does it on each server, `registerAdmin(app, opts)` of the package on a master
// without the plugin, and with a scrape point.

const { ID, createModule } = require('./module');
const createScrapePoint = require('./scrape');
const createLogger = require('../logger');

/** The module of each app. */
const modules = new WeakMap();

function moduleOf(app) {
  if (!modules.has(app)) {
    const module = createModule(() => {
      const channel = app.get('globalChannelService');
      return typeof channel?.stats === 'function' ? channel : undefined;
    });
    modules.set(app, module);
    // An object: pomelo calls a function without `new`, and pinus with it.
    app.registerAdmin(ID, module);
  }
  return modules.get(app);
}

/** For the component: apps that are none of a framework have no admin. */
function offerAdmin(app) {
  try {
    if (app && typeof app.registerAdmin === 'function') moduleOf(app);
  } catch {
    // The service does not need it.
  }
}

/** For the master: see index.d.ts. */
function registerAdmin(app, opts) {
  const metrics = opts?.metrics;
  const module = moduleOf(app);
  if (metrics) module.start = createScrapePoint(app, metrics, createLogger(app));
}

module.exports = { offerAdmin, registerAdmin };
