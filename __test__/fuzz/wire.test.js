'use strict';

/**
 * Arbitrary bytes instead of Redis's replies: no crash, no memory allocated for an announced length, each callback once, and
 * the service works again with a real server. WIRE_RUNS=n sets the number of random streams. The frames are in wire.js; valid
 * frames at random times are in cache/frames.test.js.
 */

const assert = require('node:assert');
const path = require('path');
const { describe, it } = require('node:test');
const child = require('../support/child');
const { IMPL } = require('../support/rows');

const FILE = path.join(__dirname, 'wire.js');
const RUNS = Number(process.env.WIRE_RUNS) || 60;
const MB = 1 << 20;
/** A decoder may have some room for each of a hundred levels; a thousand million claimed elements would be gigabytes. */
const MOST = 300 * MB;

async function run(job, args) {
  const body = { toString: () => `(tools) => require(${JSON.stringify(FILE)}).${job}(tools)` };
  const deadline = 60000 + RUNS * 500;
  const { code, signal, messages, output } = await child.run(body, {
    store: { options: () => ({}) },
    args,
    deadline,
  });
  assert.deepStrictEqual([code, signal], [0, null], output);
  const [{ wrong, count, grown }] = messages;
  assert.deepStrictEqual(wrong, []);
  assert.ok(count >= 50, `${count} frames`);
  assert.ok(grown < MOST, `${grown / MB} MB`);
}

const options = {
  skip: (IMPL === 'old' || process.env.STORE === 'embedded') && 'not about it',
  timeout: 100000 + RUNS * 500,
};

describe('Fuzz: the wire', options, () => {
  for (const [job, where] of [
    ['atLogin', 'as the first words of a server'],
    ['inSession', 'in the place of answers'],
  ]) {
    it(`frames that no Redis sends, ${where}`, options, () => run(job, { random: 0 }));
    it(`random bytes, ${where}`, options, () => run(job, { random: RUNS }));
  }
});
