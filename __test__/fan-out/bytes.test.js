'use strict';

/**
 * The same bytes: whatever happens at a frontend and its clients, each client gets the stream that the framework's own
 * scheduler would have sent, and each callback is called as by it. FANOUT_RUNS=n plays n random schedules for each
 * framework, FANOUT_SEED=n those of a failure.
 */

const assert = require('node:assert');
const { after, before, describe, it } = require('node:test');
const fc = require('fast-check');
const { Frontends } = require('./frontends');
const { schedules, playBoth, assertSame } = require('./schedule');

const RUNS = Number(process.env.FANOUT_RUNS) || 40;
/** A failure is told as it is. To look for a shorter one takes longer than the file may: that is for FANOUT_SEED. */
const SEED = process.env.FANOUT_SEED
  ? { seed: Number(process.env.FANOUT_SEED) }
  : { endOnFailure: true };
const MINUTES = 60000;

for (const framework of ['pomelo', 'pinus']) {
  describe(
    `the streams of the clients of ${framework}`,
    { timeout: 5 * MINUTES + RUNS * 1000 },
    () => {
      const frontends = new Frontends();
      let pair;

      before(async () => {
        pair = await frontends.pair({ framework, deflate: true });
      });

      after(() => frontends.close());

      it('are those that the framework itself sends, in any interleaving', async () => {
        const property = fc.asyncProperty(schedules, async (schedule) => {
          assertSame(await playBoth(pair, schedule));
        });
        await fc.assert(property, { numRuns: RUNS, includeErrorInReport: true, ...SEED });
        const { native } = await pair.on.call('stats');
        assert.ok(native > 0);
      });
    },
  );
}
