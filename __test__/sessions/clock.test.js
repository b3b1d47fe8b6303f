'use strict';

/**
 * Leases when wall clocks differ or jump: their times are those of the store, so a frontend whose clock is wrong keeps its
 * own, and ends no other. The frontend is a process of its own, whose `Date` is a day ahead or behind, and jumps.
 */

const assert = require('assert');
const path = require('path');
const { stores, ours } = require('../support/rows');
const child = require('../support/child');
const { ok } = require('../support/call');
const { started } = require('../support/service');
const { until } = require('../support/until');
const { startFrontend, frontendApp } = require('./frontend');

const OPTIONS = { membership: 'session', leaseTtl: 3000, leaveDelay: 100 };
const DAY = 24 * 3600 * 1000;

/** In the child: a frontend with a user, whose clock is off by `args.shift`, and jumps back and forth. */
async function frontend({ ok: succeed, args, opts, emit, pause }) {
  const { now } = Date;
  let shift = args.shift;
  Date.now = () => now() + shift;
  const { startFrontend: begin } = require(args.module);
  const s1 = await begin({ options: () => opts }, 's1', args.options);
  s1.login('alice');
  await succeed(s1.service, 'add', 'a', 'alice', 's1');
  emit('there');
  for (let jump = 0; jump < 3; jump += 1) {
    await pause(args.options.leaseTtl / 2);
    shift = -shift;
  }
  const { sessions, membership } = s1.service.stats();
  emit({ sessions, membership });
  // The parent does not look any more.
  await new Promise((resolve) => process.stdin.resume().once('end', resolve));
  await new Promise((resolve) => s1.service.stop(true, resolve));
}

stores('S leases and wall clocks', (ctx) => {
  for (const shift of [DAY, -DAY]) {
    const where = shift > 0 ? 'ahead' : 'behind';
    ours(`S60 a frontend that is a day ${where}, and jumps: nothing expires`, async () => {
      const s2 = await startFrontend(ctx.store, 's2', OPTIONS);
      s2.login('bob');
      const service = await started(ctx.store, OPTIONS, frontendApp());
      await ok(service, 'add', 'a', 'bob', 's2');
      const module = path.join(__dirname, 'frontend.js');
      const other = child.start(frontend, {
        store: ctx.store,
        args: { shift, module, options: OPTIONS },
      });
      await other.message('there');
      await until(() => ok(service, 'isOnline', 'alice'), 'alice to be online');
      const seen = () => other.messages.find((message) => message.sessions);
      let samples = 0;
      while (!seen() && other.code === undefined) {
        const online = await ok(service, 'isOnline', ['alice', 'bob']);
        const members = [
          await ok(service, 'isMember', 'a', 'alice', 's1'),
          await ok(service, 'isMember', 'a', 'bob', 's2'),
        ];
        assert.deepStrictEqual(
          [{ ...online }, members],
          [{ alice: true, bob: true }, [true, true]],
        );
        samples += 1;
      }
      other.child.stdin.end();
      await other.closed;
      assert.strictEqual(other.code, 0, other.output);
      assert.ok(samples > 10);
      for (const { sessions, membership } of [seen(), s2.service.stats()]) {
        const { lease, regained, lost, sweptFrontends } = sessions;
        assert.deepStrictEqual([lease.state, regained, lost, sweptFrontends], ['held', 0, 0, 0]);
        assert.deepStrictEqual(membership.leaves.purge, 0);
      }
    });
  }
});
