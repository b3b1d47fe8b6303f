'use strict';
/**
 * A thread of native.test.js: sends frames with its own number to its connections, of which some are closed and opened anew
 * meanwhile. Descriptors are numbers of the whole process: what one thread closes, another may get.
 */

const { parentPort, workerData } = require('node:worker_threads');
const { sendToAll } = require('../../lib/native');
const { Pairs } = require('./pairs');

const ROUNDS = 60;
const OPEN = 30;
const { seed } = workerData;
const MINE = String(seed);

async function main() {
  const pairs = new Pairs();
  await pairs.listen();
  await pairs.open(OPEN);
  const clients = new Set(pairs.all.map(({ client }) => client));
  const frame = Buffer.from(MINE.repeat(20));
  let sent = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const slots = Int32Array.from(pairs.all.map(({ server }) => server['_handle']?.fd ?? -1));
    sent += slots.length - sendToAll(frame, slots, slots.length);
    const leaver = pairs.all.splice((round * 7 + seed) % OPEN, 1)[0];
    leaver.server.destroy();
    clients.add((await pairs.one()).client);
  }
  const texts = [...clients].map(({ text }) => text);
  const foreign = texts.filter((text) => text.replaceAll(MINE, '') !== '');
  pairs.close();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window
  parentPort.postMessage({ sent, foreign });
}

main();
