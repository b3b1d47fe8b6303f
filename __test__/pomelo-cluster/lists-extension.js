'use strict';

/** What lists.test.js wants to see and to set inside the servers of its clusters. */

const { limits } = require('../../lib/lists/protocol');

/** The RPCs that this server makes from now on, `service.method`, counted. */
const made = {};

module.exports = {
  count(app) {
    const { rpcInvoke } = app;
    app.rpcInvoke = function (sid, msg, cb) {
      const key = `${sid} ${msg.service}.${msg.method}`;
      made[key] = (made[key] || 0) + 1;
      return rpcInvoke.call(this, sid, msg, cb);
    };
  },
  counts: () => ({ ...made }),
  limit: (app, values) => Object.assign(limits, values) && null,
  stats: (app) => app.get('globalChannelService')?.stats?.().lists ?? null,
};
