'use strict';

/**
 * A process that changes channels of another prefix in an embedded store for ever, so that it is killed in the middle of a write:
 * `node writer.js OPTIONS`. It ends with its input, and so with the test.
 */

const { change } = require('../../events/writer');
const { call } = require('../../support/call');
const { create } = require('../../support/service');

async function main(options) {
  process.stdin.resume().on('end', () => process.exit(0));
  // A server that is halted in the middle of a write holds the lock for longer than a start waits by default.
  const service = create({ ...options, prefix: 'another', startTimeout: 60000 });
  const { err } = await call(service, 'start');
  if (err) throw err;
  process.stdout.write('writing\n');
  await change(service, Infinity, ['a', 'b'], ['s1', 's2']);
}

main(JSON.parse(process.argv[2]));
