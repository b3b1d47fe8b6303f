'use strict';

// What a fan-out has done, for `stats().fanOut`: one for an app, however many services and schedulers it has.

/** Why a message went the framework's way. */
const REASONS = [
  'response',
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
  return { native: 0, shared: 0, framework: 0, reasons, slowDropped: 0, slowClosed: 0 };
};
