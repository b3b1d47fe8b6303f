'use strict';

/**
 * Names for lists whose members are in a store of ours: with the cache, where an unchanged list is the same array each
 * time, and without. What happens at the frontend's end is in names.test.js.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { ours, stores } = require('../support/rows');
const { started } = require('../support/service');
const { Network } = require('./network');

const people = (count, from) => Array.from({ length: count }, (_, i) => `user-${from + i}`);

stores('Names for lists', (ctx) => {
  for (const cache of [true, false]) {
    ours(
      `what a push owes is what the members are when it is called, cache: ${cache}`,
      async () => {
        const network = new Network([{}, { style: 'pinus' }, { kind: 'old' }]);
        const service = await started(ctx.store, { cache }, network.app);
        const members = { s1: people(300, 0), s2: people(300, 1000), s3: people(300, 2000) };
        for (const [sid, uids] of Object.entries(members)) await ok(service, 'add', 'n', uids, sid);
        const owed = [];
        const answers = [];
        for (let n = 0; n < 40; n += 1) {
          owed.push(members.s1.length);
          const args = ['connector', 'onChat', { n }, 'n', {}];
          answers.push(call(service, 'pushMessage', ...args));
          if (n % 10 === 7) {
            // In the same tick: this push still has them, the next has not.
            service.leave('n', members.s1.splice(0, 3), 's1');
            service.add('n', `late-${n}`, 's1');
            members.s1.push(`late-${n}`);
          }
          if (n % 4 === 0) await answers[n];
        }
        for (const { args } of await Promise.all(answers)) assert.deepStrictEqual(args, [null, []]);
        for (const { pushes } of network.frontends) {
          assert.deepStrictEqual(
            pushes.map(({ n }) => n),
            owed.map((_, n) => n),
          );
        }
        const [{ pushes }] = network.frontends;
        assert.deepStrictEqual(
          pushes.map(({ uids }) => uids.length),
          owed,
        );
        assert.deepStrictEqual(pushes[39].uids.sort(), members.s1.sort());
        const { named, changed, whole } = service.stats().lists;
        assert.strictEqual(changed, 4);
        assert.strictEqual(whole, 2);
        assert.ok(named > 60, `${named} named`);
      },
    );
  }

  ours('uids that only differ in bytes that are no UTF-8 are each a member', async () => {
    const network = new Network([{}]);
    const service = await started(ctx.store, {}, network.app);
    const odd = ['x\ufffd', Buffer.from([0x78, 0xff]), Buffer.from([0x78, 0xfe])];
    await ok(service, 'add', 'n', [...people(300, 0), ...odd], 's1');
    const push = () => ok(service, 'pushMessage', 'connector', 'onChat', { n: 1 }, 'n', {});
    for (let i = 0; i < 4; i += 1) await push();
    for (const left of [2, 1]) {
      await ok(service, 'leave', 'n', odd.pop(), 's1');
      await push();
      const { uids } = network.frontends[0].pushes.pop();
      assert.strictEqual(uids.filter((uid) => uid === 'x\ufffd').length, left);
      assert.strictEqual(uids.length, 300 + left);
    }
  });
});
