'use strict';

/**
 * A call that makes the server close the connection each time it is sent fails with a cause that says so; the calls around it
 * are executed.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { recovers, words, CODE } = require('./flight');
const { started } = require('../support/service');
const { invoke, ok } = require('../support/call');
const { report } = require('../support/report');

area('a call that ends the connection', {}, (ctx) => {
  const config = (...args) => ctx.redis.run(0, 'config', 'set', ...args);

  /** `poison` is a call, which is made among 40 others. */
  async function among(service, fault, poison) {
    const before = service.stats().reconnects;
    const add = (i) => invoke(service, 'add', 'n', `u${i}`, 's1');
    const calls = Array.from({ length: 20 }, (_, i) => add(i));
    const culprit = invoke(service, ...poison);
    calls.push(...Array.from({ length: 20 }, (_, i) => add(20 + i)));
    const { err } = await culprit.done;
    // When it is alone, what the server says before it closes the connection may arrive.
    if (err.code === CODE('STORE')) assert.match(words(err), /Protocol error/);
    else {
      assert.strictEqual(err.code, CODE('DISCONNECTED'));
      assert.match(words(err), /lost \d times with this call under way/);
    }
    for (const { done } of calls) assert.ifError((await done).err);
    assert.ok([culprit, ...calls].every(({ n }) => n === 1));
    const uids = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.strictEqual(uids.length, 40);
    const reconnects = service.stats().reconnects - before;
    // Halving 41 calls, and the write of the index of frontends, until one is left.
    assert.ok(reconnects <= 6, `${reconnects} reconnects`);
    const sees = `it fails with the reason, the 40 calls around it are done`;
    const recovered = await recovers(service);
    if (fault) report({ fault, sees, recovered });
  }

  for (const commandTimeout of [5000, 0]) {
    fault(`a uid longer than its limit (commandTimeout: ${commandTimeout})`, async () => {
      const service = await started(ctx.redis, { commandTimeout });
      await config('proto-max-bulk-len', '1mb');
      try {
        const poison = ['add', 'n', 'x'.repeat(2 << 20), 's1'];
        await among(service, commandTimeout && 'a uid longer than proto-max-bulk-len', poison);
      } finally {
        await config('proto-max-bulk-len', '512mb');
      }
    });
  }

  fault('a list longer than its output limit', async () => {
    const service = await started(ctx.redis);
    const uids = Array.from({ length: 4000 }, (_, i) => `${i}`.padStart(1000, '0'));
    await ok(service, 'add', 'large', uids, 's1');
    await config('client-output-buffer-limit', 'normal 100000 0 0');
    try {
      const poison = ['getMembersBySid', 'large', 's1'];
      await among(service, 'a list beyond client-output-buffer-limit', poison);
    } finally {
      await config('client-output-buffer-limit', 'normal 0 0 0');
    }
  });
});
