'use strict';

// The component that pomelo's app.use() loads. pomelo prefers the function's own name to the component's, which is the
// instance's, so the function must be anonymous.

const { offerAdmin } = require('../admin/register');
const GlobalChannel = require('../globalChannel');
const createLogger = require('../logger');
const warnOfMissingOptions = require('../missingOptions');

const CLOSED = 2;

/** `all`, in pinus, are the options of all plugins. */
module.exports = function (app, opts, all) {
  const there = app.get('globalChannelService');
  if (there instanceof GlobalChannel && there.state !== CLOSED) {
    // pomelo starts only the first component of a name: a second service would replace the one that works and never
    // start.
    createLogger(app)('warn', 'app.use was called twice; the first global channel service stays');
    return there;
  }
  const service = new GlobalChannel(app, opts);
  warnOfMissingOptions(app, opts, all);
  service.name = '__globalChannel__';
  app.set('globalChannelService', service, true);
  offerAdmin(app);
  return service;
};
