'use strict';

/**
 * A fault test: a test of this package only (0.0.7 fails most of them) that also fails on any event at the level of the
 * process, on a flooded log or a secret in it, and when memory grows. Commands and their answers are in flight.js.
 */

const assert = require('node:assert');
const { logged } = require('../support/log');
const { area, same, ours } = require('../support/rows');

// IMPL=old FAULTS_ON_OLD=1 shows what each test catches in 0.0.7.
const row = process.env.FAULTS_ON_OLD ? same : ours;

const PASSWORD = 'open-sesame';
// A line per attempt to connect is right; a line per command (500 in most tests) is not.
const MAX_LINES = 100;
// In MiB. Hundreds of commands, and what the garbage collector leaves lying about.
const MAX_GROWTH = 256;

const noise = [];
for (const event of ['unhandledRejection', 'uncaughtException']) {
  process.on(event, (err) => noise.push(`${event}: ${err && err.stack}`));
}

/** `options` are those of node:test, and `growth` where more than MAX_GROWTH is right. */
function fault(title, fn, { growth = MAX_GROWTH, ...options } = {}) {
  const body = async () => {
    noise.length = 0;
    const before = process.memoryUsage().rss;
    const lines = await logged(fn);
    await new Promise(setImmediate);
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < growth, `the process has grown by ${grown.toFixed(0)} MiB`);
    assert.deepStrictEqual(noise, [], 'the process heard of it');
    assert.ok(lines.length <= MAX_LINES, `${lines.length} log lines, such as: ${lines[0]}`);
    const secret = lines.filter((line) => line.includes(PASSWORD));
    assert.deepStrictEqual(secret, [], 'the password was logged');
  };
  row(title, body, options);
}

module.exports = { area, fault, PASSWORD };
