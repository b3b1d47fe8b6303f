'use strict';

// What pomelo's app.use() loads. pomelo reads the function's own name before it calls it, so the
// function must have none; the component's name is the instance's.

const GlobalChannel = require('../globalChannel');
const createLogger = require('../logger');

const CLOSED = 2;

module.exports = function (app, opts) {
  const there = app.get('globalChannelService');
  if (there instanceof GlobalChannel && there.state !== CLOSED) {
    // pomelo never starts a second component of this name: a new service in its place would
    // break the one that works.
    createLogger(app)('warn', 'app.use was called twice; the first global channel service stays');
    return there;
  }
  const service = new GlobalChannel(app, opts);
  service.name = '__globalChannel__';
  app.set('globalChannelService', service, true);
  return service;
};
