'use strict';

/**
 * Many pushes with names for lists leave nothing behind at either end: the heap is as large as before, and what is kept
 * stays within its bounds, while lists change, channels come and go, and frontends start anew. LISTS_PUSHES=n makes n
 * pushes. The frontends' way to the clients is in ../fan-out/leaks.test.js.
 */

const assert = require('node:assert');
const v8 = require('node:v8');
const vm = require('node:vm');
const { afterEach, describe } = require('node:test');
const { limits } = require('../../lib/lists/protocol');
const { call } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { stopAll } = require('../support/service');
const { Network } = require('./network');

const PUSHES = Number(process.env.LISTS_PUSHES) || 20000;
const TIMEOUT = 120000 + PUSHES;
const ROUNDS = 5;
const ORIGINAL = { ...limits };
const MIB = 1 << 20;
const SIDS = ['s1', 's2'];
/** Channels that are pushed to at a time; all together are more than may be kept. */
const CHANNELS = 40;
const LENGTH = 200;

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

function heap() {
  for (let i = 0; i < 4; i += 1) gc();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heapUsed, external, arrayBuffers };
}

describe(`${PUSHES} pushes with names for lists`, () => {
  afterEach(async () => {
    Object.assign(limits, ORIGINAL);
    await stopAll();
  });

  /** Makes the pushes; `each(round)` is called after each round. */
  async function run(each) {
    const network = new Network([{}, { style: 'pinus' }]);
    const lists = new Map();
    let fresh = 0;
    const user = () => `user-${(fresh += 1)}`;
    const getMembersBySid = (name, sid, cb) => {
      const key = `${name} ${sid}`;
      if (!lists.has(key)) lists.set(key, Array.from({ length: LENGTH }, user));
      cb(null, lists.get(key));
    };
    const manager = { add() {}, leave() {}, destroyChannel() {}, getMembersBySid };
    const service = await startedWith(manager, {}, network.app);

    async function push(n) {
      // The channels of a thousand pushes; after that come others.
      const name = `channel ${Math.floor(n / 1000)} ${n % 7 === 0 ? n % CHANNELS : n % 5}`;
      if (n % 3 === 0) {
        const key = `${name} ${SIDS[n % 2]}`;
        const list = lists.get(key);
        if (list) lists.set(key, [...list.slice(1), user()]);
      }
      if (n % 1000 === 777) network.restart(SIDS[(n >> 3) % 2], n % 2000 === 777);
      const { args } = await call(service, 'pushMessage', 'connector', 'onChat', { n }, name, {});
      assert.deepStrictEqual(args, [null, []]);
      if (n % 1000 === 999) lists.clear();
    }

    for (let n = 0; n < PUSHES; n += 1) {
      await push(n);
      // What the stubs write down.
      network.sent.length = 0;
      network.app.rpcCalls.length = 0;
      for (const frontend of network.frontends) frontend.pushes.length = 0;
      if ((n + 1) % (PUSHES / ROUNDS) === 0) each({ service, network });
    }
  }

  ours(
    'leave the heap and the lists as they were',
    async () => {
      Object.assign(limits, { pusherBytes: 200000, frontendBytes: 150000 });
      const heaps = [];
      let stats;
      await run(({ service, network }) => {
        heaps.push(heap());
        const { lists } = service.stats();
        stats = lists;
        assert.ok(lists.bytes <= limits.pusherBytes, `${lists.bytes} bytes of the pushing server`);
        for (const { app } of network.frontends) {
          const { kept, keptBytes } = app.get('globalChannelService').stats().lists;
          assert.ok(keptBytes <= limits.frontendBytes && kept > 0, `${kept}, ${keptBytes} bytes`);
        }
      });
      const [, before] = heaps;
      const now = heaps[heaps.length - 1];
      for (const part of Object.keys(before)) {
        const grown = now[part] - before[part];
        assert.ok(grown < MIB, `${part} has grown by ${grown} bytes: ${JSON.stringify(heaps)}`);
      }
      // The pushes were about what they should be about.
      for (const each of ['named', 'changed', 'whole', 'refused']) {
        assert.ok(stats[each] >= ROUNDS, `${stats[each]} ${each}`);
      }
    },
    { timeout: TIMEOUT },
  );
});
