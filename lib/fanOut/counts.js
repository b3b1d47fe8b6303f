'use strict';

// The counters of `stats().fanOut`: one set for each app, shared by all its services and schedulers.

/** Why a message was left to the framework; documented at `FanOutStats` in index.d.ts. */
const REASONS = [
  'response',
  'sessionService',
  'otherSocket',
  'notOpen',
  'busy',
  'deflate',
  'notEncoded',
  'noSession',
];

module.exports = function createCounts() {
  const reasons = {};
  for (const reason of REASONS) {
    reasons[reason] = 0;
  }
  return {
    native: 0,
    nativeBytes: 0,
    shared: 0,
    framework: 0,
    reasons,
    slowDropped: 0,
    slowClosed: 0,
  };
};
