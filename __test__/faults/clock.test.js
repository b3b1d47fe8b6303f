'use strict';

/**
 * Jumps of the wall clock have no effect: all times are from monotonic clocks (tokio's and performance.now). Tested where
 * libfaketime is installed (Debian: apt-get install libfaketime; or its path in LIBFAKETIME), in a process whose wall clock
 * is set by a file and whose monotonic clock is unchanged.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { area, fault } = require('./fault');
const child = require('../support/child');
const { report } = require('../support/report');

const LIBRARY = [
  process.env.LIBFAKETIME,
  ...['x86_64', 'aarch64'].map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketimeMT.so.1`),
].find((file) => file && fs.existsSync(file));

area('the clock jumps', {}, (ctx) => {
  const service = async ({ started: start, args, createApp, call, ok, emit }) => {
    const app = createApp({ rpc: () => {} });
    const channel = await start({ commandTimeout: 3000, pushTimeout: 1000 }, app);
    const jumps = [];
    for (const jump of ['+1d', '-2d', '+0']) {
      await ok(channel, 'add', 'n', jump, 's1');
      const pushing = call(channel, 'pushMessage', 'connector', 'r', {}, 'n', {});
      const [wall, since] = [Date.now(), performance.now()];
      require('fs').writeFileSync(args.file, jump);
      // It looks at its file again after a second of its own.
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ok(channel, 'add', 'n', `${jump} after`, 's1');
      const { value } = await pushing;
      const took = performance.now() - since;
      jumps.push({ moved: Date.now() - wall - took, took, missed: value.length });
    }
    const members = await ok(channel, 'getMembersBySid', 'n', 's1');
    emit({ jumps, members: members.length, stats: channel.stats() });
    await call(channel, 'stop', true);
  };

  const jumps = async () => {
    const file = path.join(ctx.redis.dir, 'clock');
    fs.writeFileSync(file, '+0');
    const env = {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const run = await child.run(service, { store: ctx.store, args: { file }, env });
    assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
    const [seen] = run.messages;
    const day = 24 * 3600 * 1000;
    const days = seen.jumps.map(({ moved }) => Math.round(moved / day));
    assert.deepStrictEqual(days, [1, -3, 2], 'the clock did jump');
    for (const { took, missed } of seen.jumps) {
      // A push is given up after pushTimeout, not at once and not after days.
      assert.ok(took >= 900 && took < 8000, `${took} ms`);
      assert.ok(missed > 0, 'the push was given up');
    }
    assert.strictEqual(seen.members, 6);
    assert.deepStrictEqual([seen.stats.reconnects, seen.stats.errors], [0, {}]);
    assert.ok(seen.stats.latency.max < 8000);
    const what = 'the wall clock jumps: a day forward, three back, two forward';
    report({ fault: what, sees: 'nothing: only monotonic clocks are used', recovered: 0 });
  };
  const skip = LIBRARY ? false : 'there is no libfaketime';
  fault('a day forward, three back, two forward: nothing happens', jumps, { skip });
});
