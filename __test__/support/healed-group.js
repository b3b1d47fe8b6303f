'use strict';

/** What the suites behind Sentinel have in common: a group of their own (sentinels.js), which is as new for each test. */

const { before, beforeEach, after, afterEach } = require('node:test');
const { Group, SOON } = require('./sentinels');
const { stopAll } = require('./service');

/** Called in a suite; returns its group. Services are stopped after each test. */
module.exports = function healedGroup() {
  const group = new Group();
  before(() => group.open({ downAfter: SOON }));
  beforeEach(() => group.heal());
  afterEach(stopAll);
  after(() => group.stop());
  return group;
};
