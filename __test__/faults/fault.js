'use strict';

/**
 * A fault test: a row of our own (0.0.7 fails most of them) that also fails when anything happens
 * at the level of the process, or when the log is flooded or tells a secret. The suites name the
 * faults; commands and their answers are flight.js.
 */

const assert = require('node:assert');
const { logged } = require('../support/log');
const { area, same, ours } = require('../support/rows');

// IMPL=old FAULTS_ON_OLD=1 shows what each test catches in 0.0.7.
const row = process.env.FAULTS_ON_OLD ? same : ours;

const PASSWORD = 'open-sesame';
// A line per attempt to connect is right; a line per command (500 in most tests) is not.
const MAX_LINES = 100;

const noise = [];
for (const event of ['unhandledRejection', 'uncaughtException']) {
  process.on(event, (err) => noise.push(`${event}: ${err && err.stack}`));
}

/** `options` are those of the test. */
function fault(title, fn, options) {
  const test = async () => {
    noise.length = 0;
    const lines = await logged(fn);
    await new Promise(setImmediate);
    assert.deepStrictEqual(noise, [], 'the process heard of it');
    assert.ok(lines.length <= MAX_LINES, `${lines.length} log lines, such as: ${lines[0]}`);
    const secret = lines.filter((line) => line.includes(PASSWORD));
    assert.deepStrictEqual(secret, [], 'the password was logged');
  };
  row(title, test, options);
}

module.exports = { area, fault, PASSWORD };
